"""Descriptions of runs: equal for the same run, and different by name for another one."""

import json
import threading

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from torch import nn

from robfair._fingerprint import describe, differences


def network(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(2, 2)


class Holder(Ridge):
    def __init__(self, module=None):
        self.module = module


def test_the_same_run_has_no_differences():
    one, other = (describe(Ridge(alpha=0.5), {"X": np.arange(9.0), "n": 3}) for _ in range(2))
    assert differences(one, other) == ""
    assert differences(json.loads(json.dumps(one)), other) == ""


@pytest.mark.parametrize(
    ("estimator", "data", "named"),
    [
        (Ridge(alpha=2.0), {"X": np.zeros(3)}, "estimator's alpha (1.0, now 2.0)"),
        (Ridge(), {"X": np.ones(3)}, "X"),
        (Ridge(), {"X": np.zeros(3), "y": 1}, "y (None, now 1)"),
    ],
)
def test_differences_are_named(estimator, data, named):
    before = describe(Ridge(), {"X": np.zeros(3)})
    assert differences(before, describe(estimator, data)) == named


def test_parts_of_a_pipeline_are_described_by_name():
    one, other = (describe(make_pipeline(Ridge(alpha=a)), {}) for a in (1.0, 2.0))
    assert differences(one, other) == "estimator's ridge__alpha (1.0, now 2.0), estimator's steps"


def test_networks_are_compared_by_their_weights():
    one, same, other = (describe(Holder(network(seed)), {}) for seed in (0, 0, 1))
    assert differences(one, same) == ""
    assert differences(one, other) == "estimator's module"


def test_parameters_without_influence_are_left_out():
    assert differences(describe(Ridge(), {}, without=["alpha"]), describe(Ridge(), {})) != ""
    one, other = (describe(Ridge(alpha=a), {}, without=["alpha"]) for a in (1, 2))
    assert differences(one, other) == ""


def test_what_cannot_be_pickled_is_an_error():
    with pytest.raises(TypeError, match="X must be something that can be pickled"):
        describe(Ridge(), {"X": threading.Lock()})


EDITED = """
class Step(Base):
    def __init__(self, alpha=1.0):
        self.alpha = alpha
    def plan(self):
        return 1 + NUMBER
def make():
    return 1 + NUMBER
"""


@pytest.mark.parametrize(
    ("params", "named"),
    [
        (lambda cell: {"module": cell["make"]}, "estimator's module"),
        (lambda cell: {"module": cell["Step"]}, "estimator's module"),
        (lambda cell: {"module": cell["Step"]()}, "estimator's module ('__main__.Step with code"),
        (lambda cell: {"module": [cell["Step"]()]}, "estimator's module"),
        (lambda cell: {"module": {"a": (cell["make"],)}}, "estimator's module"),
    ],
)
def test_edited_code_is_another_run(params, named):
    """The same name and the same parameters, of a function, a class, a strategy."""

    def run(number):
        cell = {"__name__": "__main__", "Base": BaseEstimator}
        exec(EDITED.replace("NUMBER", number), cell)
        return describe(Holder(**params(cell)), {})

    assert differences(run("2"), run("2")) == ""
    assert named in differences(run("2"), run("3"))


def test_an_edited_estimator_is_another_run():
    def run(number):
        cell = {"__name__": "__main__", "Base": BaseEstimator}
        exec(EDITED.replace("NUMBER", number), cell)
        return describe(cell["Step"](), {})

    assert differences(run("2"), run("2")) == ""
    assert differences(run("2"), run("3")).startswith("estimator ('__main__.Step with code ")


def test_attributes_of_a_network_count_that_it_does_not_show():
    def run(scale):
        module = network(0)
        module.scale = scale
        return describe(Holder(module), {})

    assert differences(run(1.0), run(1.0)) == ""
    assert differences(run(1.0), run(2.0)) == "estimator's module"
