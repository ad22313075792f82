"""The command line offers the names that the library has."""

from robfair import _names
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
