"""The command line offers the names that the library has."""

from robfair import _names
from robfair.attacks._engine import METHODS as ATTACKS
from robfair.cli._model import ARCHITECTURES
from robfair.distance import METHODS
from robfair.reproduction._farmur_data import MODELS
from robfair.reproduction._farmur_recipes import SCALES


def test_the_registries_agree():
    assert tuple(METHODS) == _names.DISTANCE_METHODS
    assert tuple(ATTACKS) == _names.ATTACK_METHODS
    assert tuple(ARCHITECTURES) == _names.ARCHITECTURES
    assert _names.NETWORKS == MODELS
    assert _names.SCALES == SCALES
