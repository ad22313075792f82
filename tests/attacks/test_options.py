"""The registry of attacks, none of them masked by confidence; options: ranges, what fits."""

import numpy as np
import pytest
import torch

from oracles import network
from robfair import ThreatModel, _names
from robfair.attacks import attack
from robfair.attacks._options import METHODS, AttackOptions, as_threat_model, searches_rows

NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
TABLE = ThreatModel(categories=[[0, 1]])


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"method": "apgd"}, ValueError, "method must be one of pgd, fgsm, kl; got 'apgd'"),
        ({"n_steps": 0}, ValueError, "n_steps and n_restarts must be at least 1; got 0 and 1"),
        ({"n_restarts": 1.5}, TypeError, "integer"),
        ({"step_size": np.inf}, ValueError, "step_size must be a positive number or None"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"method": "fgsm", "step_size": 0.1}, ValueError, '"fgsm" is one step of length eps'),
        ({"method": "kl", "random_start": False}, ValueError, '"kl" needs random_start=True'),
        ({"method": "kl", "target": 1}, ValueError, '"kl" has no target: use method="pgd"'),
    ],
)
def test_what_is_refused(options, error, match):
    with pytest.raises(error, match=match):
        AttackOptions(**options)


def test_threat_models():
    assert as_threat_model(None, None, [[0.0]]).norm == np.inf
    assert as_threat_model(TABLE, None, [[0.0]]) is TABLE
    with pytest.raises(TypeError, match=r"must be a ThreatModel, .* or None; got 2"):
        as_threat_model(2, None, [[0.0]])


def test_a_search_of_rows_refuses_options_of_steps():
    assert searches_rows(TABLE, AttackOptions(batch_size=3, random_state=1))
    assert not searches_rows(ThreatModel(2), AttackOptions(n_steps=3, target=1), "tolerance")
    with pytest.raises(ValueError, match="leave out tolerance, n_steps, step_size"):
        searches_rows(TABLE, AttackOptions(n_steps=3, step_size=0.1), "tolerance")
    with pytest.raises(ValueError, match="leave out method; got 'kl'"):
        searches_rows(TABLE, AttackOptions(method="kl"))
    with pytest.raises(ValueError, match="target must be None; got 1"):
        searches_rows(TABLE, AttackOptions(target=1))


@pytest.mark.parametrize("factor", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("method", ["pgd", "kl", "fgsm"])
def test_confidence_does_not_mask_gradients(method, factor):
    module = network([4, 8, 3], dtype=torch.float32)
    with torch.no_grad():
        module[-1].weight.mul_(factor)
        module[-1].bias.mul_(factor)
    result = attack(module, X, eps=0.4, method=method)
    expected = attack(network([4, 8, 3], dtype=torch.float32), X, eps=0.4, method=method)
    # Another loss, so other points, but not a failure.
    assert result.success_rate > expected.success_rate - 0.1
    assert expected.success_rate > 0.2


def test_the_names_are_those_of_the_help():
    assert tuple(METHODS) == _names.ATTACK_METHODS


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_entry_does_what_it_says(method):
    assert METHODS[method.name] is method
    result = attack(NET, X, eps=0.3, method=method.name, n_steps=7)
    assert result.success.any()
    steps = 1 if method.is_one_step else 7
    assert (result.n_backward.max() > steps) == method.takes_nearest
    if not method.takes_nearest:
        assert result.n_backward.max() == steps
    if method.takes_target:
        assert attack(NET, X, eps=0.6, method=method.name, target=1).success_rate > 0
    else:
        with pytest.raises(ValueError, match="has no target"):
            attack(NET, X, eps=0.6, method=method.name, target=1)
