"""Paper B on CIFAR-10, whose place is taken by images that differ in brightness."""

import warnings
from dataclasses import replace
from functools import partial

import pytest

from papers import images, value, with_experiment
from robfair.exceptions import UndefinedMetricWarning
from robfair.reproduction import FAIRNESS, reproduce
from robfair.reproduction._records import read_runs
from robfair.reproduction.fairness._cifar import load_images

RECIPE = replace(
    FAIRNESS.experiment("cifar10").recipe("small"),
    n_train=300, n_test=100, luf_train=60, n_least=20,
)  # fmt: skip
PAPER = with_experiment(
    FAIRNESS,
    "cifar10",
    recipes={"small": RECIPE},
    load=partial(load_images, fetch=images(3, 32, 10, n=300)),
)


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    output = tmp_path_factory.mktemp("cifar")
    with warnings.catch_warnings():
        # Two epochs do not teach the network every class.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return output, reproduce(PAPER, output, dataset="cifar10", verbose=0)


@pytest.mark.slow
def test_cifar_measures_every_part(cifar):
    output, report = cifar
    measures, runs = read_runs(output / "results", "cifar10", "small")
    assert set(runs[0]["parts"]) == {"classes", "honest", "leave-one-out"}
    for place in ("Table I ", "Table III", "Fig. 1", "Fig. 2"):
        assert place in report
    for model in ("standard", "robust"):
        accuracy = value(measures, "paper", model, "accuracy")
        assert value(measures, "paper", model, "robust accuracy", eps=0.01) <= accuracy
        assert 0 <= value(measures, "paper", model, "LUF") <= 1
        assert value(measures, "paper", model, "n_left_out") == 2
    # The standard network is trained and attacked in the same way by both protocols.
    for measure in ("accuracy", "CAU"):
        assert value(measures, "honest", "standard", measure) == value(
            measures, "paper", "standard", measure
        )


def test_images_come_with_the_names_of_their_classes():
    data = load_images(RECIPE, None, images(3, 4, 10, n=300))
    assert data.X.shape == (300, 3, 4, 4)
    assert len(data.X_test) == len(data.y_test) == 100
    assert data.y[:2].tolist() == ["class 0", "class 1"]


def test_missing_images_leave_no_results(tmp_path):
    def missing(**_):
        raise OSError("CIFAR-10 is not there")

    paper = with_experiment(PAPER, "cifar10", load=partial(load_images, fetch=missing))
    with pytest.raises(OSError, match="not there"):
        reproduce(paper, tmp_path, dataset="cifar10", verbose=0)
    assert not (tmp_path / "results").exists()
