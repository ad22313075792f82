"""The command line offers the names that the library has."""

from typing import get_args

import pytest

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier, _names
from robfair.distance import METHODS
from robfair.metrics import AUDIT_MEASURES as MEASURES
from robfair.reproduction import FARMUR


def test_the_registries_agree():
    assert tuple(measure.key for measure in MEASURES) == _names.AUDIT_MEASURES
    assert tuple(METHODS) == _names.DISTANCE_METHODS
    networks, scales = {}, set()
    for experiment in FARMUR.experiments:
        networks.setdefault(experiment.dataset, []).append(experiment.model)
        scales |= set(experiment.recipes)
    assert {name: list(models) for name, models in _names.NETWORKS.items()} == networks
    assert set(_names.SCALES) == scales


@pytest.mark.parametrize("kind", [NaturalClassifier, AdversarialClassifier, FarmurClassifier])
def test_the_types_are_what_the_estimators_take(kind):
    types = {
        "lr_schedule": _names.ScheduleName,
        "optimizer": _names.OptimizerName,
        "class_weight": _names.ClassWeight,
        "distance_method": _names.HeldOutMethod,
    }
    for name, options in kind._parameter_constraints.items():
        taken = {word for each in options if hasattr(each, "options") for word in each.options}
        if name in types:
            assert taken == set(get_args(types[name]))
