"""The registry of measures: its names are unique, and its directions are those of the measures."""

import inspect

import numpy as np
import pytest

import robfair.metrics
from robfair.metrics import AUDIT_MEASURES, MEASURES, find_measure

KEYS = [measure.key for measure in MEASURES]


def test_the_tables_of_an_audit_keep_their_order():
    symbols = [measure.symbol for measure in AUDIT_MEASURES]
    assert symbols == ["accuracy", "Rob(f)", "V_f", "CV", "worst group", "gap", "ratio", "Gini"]
    assert MEASURES[: len(AUDIT_MEASURES)] == AUDIT_MEASURES


def test_keys_and_symbols_are_unique_and_find_their_measure():
    for measure in MEASURES:
        assert find_measure(measure.key) is find_measure(measure.symbol) is measure
    assert len(set(KEYS)) == len({measure.symbol for measure in MEASURES}) == len(MEASURES)


def test_every_public_unfairness_measure_is_registered():
    registered = {measure.function for measure in MEASURES}
    for name in robfair.metrics.__all__:
        if name.endswith("_unfairness"):
            assert getattr(robfair.metrics, name) in registered, name


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"must be a measure \(accuracy, rob_f, .*got 'vf'"):
        find_measure("vf")


@pytest.mark.parametrize("measure", AUDIT_MEASURES, ids=lambda measure: measure.key)
def test_the_direction_and_the_unit_of_a_measure_across_groups(measure):
    y, groups = np.zeros(4, dtype=int), [0, 0, 1, 1]
    predicted = np.array([0, 0, 0, 1])  # the last row is wrong
    better = np.array([0, 0, 0, 0])
    near = {"distance": np.array([1.0, 1.0, 4.0, np.nan]), "sensitive_features": groups}
    even = {"distance": np.full(4, 4.0), "sensitive_features": groups}
    worse, best = (
        measure.function(y, y_pred, **keywords)
        for y_pred, keywords in ((predicted, near), (better, even))
    )
    assert (best > worse) is measure.greater_is_better
    scaled = measure.function(y, predicted, **near | {"distance": 10 * near["distance"]})
    power = {"1": 0, "distance": 1, "distance squared": 2}[measure.unit]
    assert scaled == pytest.approx(10**power * worse)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.key)
def test_a_meaning_is_a_sentence_to_go_on_with(measure):
    assert measure.meaning[0].islower()
    assert not measure.meaning.endswith(".")
    assert inspect.isfunction(measure.function)
