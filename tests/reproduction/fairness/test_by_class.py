"""Measures by class, beside numbers worked out by hand."""

import numpy as np
import pytest

from robfair.reproduction._records import Run
from robfair.reproduction.fairness._by_class import add_accuracy, add_success

Y = np.array(["cat"] * 4 + ["dog"] * 4)
PREDICTED = np.array(["cat"] * 4 + ["dog", "dog", "cat", "cat"])


def added(function, *arguments, **options):
    run = Run("pets", "small", 0)

    def add(measure, value, **where):
        run.add("part", "paper", "A", measure, value, **where)

    function(add, *arguments, **options)
    return {(row["measure"], row.get("group")): row["value"] for row in run.parts["part"]}


def test_accuracy():
    assert added(add_accuracy, Y, PREDICTED) == {
        ("accuracy", None): 0.75,
        ("class accuracy", "cat"): 1.0,
        ("class accuracy", "dog"): 0.5,
        ("CAU", None): 0.5,
    }


def test_success_counts_the_correct_samples():
    success = np.array([True, False, False, False, True, True, True, True])
    measured = added(add_success, Y, PREDICTED, success, 0.1, of_all=True)
    assert measured["success", "cat"] == 0.25
    assert measured["success", "dog"] == 1.0
    assert measured["CRU_s", None] == pytest.approx(0.75)
    assert measured["CRU_s of all", None] == pytest.approx(0.75)
    assert ("CRU_s of all", None) not in added(add_success, Y, PREDICTED, success, 0.1)
