"""Trees as methods: what is read is held against the model, and what cannot be read is said."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from oracles import check_adversarials
from robfair import ThreatModel, boundary_distance
from small_models import RELU, X, Y, small_forest


@pytest.mark.parametrize("norm", [2, np.inf])
def test_forests_are_measured_by_their_leaves(norm):
    model = small_forest()
    threat_model = ThreatModel(norm, bounds="data")
    result = boundary_distance(model, X, y=Y, threat_model=threat_model, certify=True)
    assert result.method == "exact"
    assert set(result.status) <= {"exact", "censored", "skipped"}
    check_adversarials(result, X, model.predict)
    assert_array_equal(result.lower, result.distance)
    by_labels = boundary_distance(model, X, y=Y, threat_model=threat_model, method="decision")
    known = result.status != "skipped"
    assert (result.distance[known] <= by_labels.distance[known] * (1 + 1e-9)).all()


def test_a_budget_leaves_an_interval():
    model = RandomForestClassifier(30, random_state=0).fit(X, Y)
    few = boundary_distance(model, X[:8], budget=1)
    assert "found" in few.status
    assert (few.lower <= few.distance).all()
    timed = boundary_distance(model, X[:8], method="exact", time_limit=1e-9)
    assert_array_equal(timed.status == "exact", timed.lower == timed.distance)


def test_trees_that_cannot_be_read_are_measured_by_labels():
    boosting = GradientBoostingClassifier(n_estimators=3, init=LogisticRegression()).fit(X, Y)
    result = boundary_distance(boosting, X[:4])
    assert result.method == "decision"
    assert "cannot be read: it starts from init=LogisticRegression" in result.warnings_[0]
    with pytest.raises(ValueError, match=r'cannot be read.*Use method="auto"'):
        boundary_distance(boosting, X[:4], method="exact")
    with pytest.raises(ValueError, match=r"cannot be read.*Leave out certify=True"):
        boundary_distance(boosting, X[:4], certify=True)


def test_a_network_has_no_use_for_the_budget_of_trees():
    with pytest.raises(ValueError, match=r"budget is for ensembles of trees.*got method='exact'"):
        boundary_distance(RELU, X[:2], method="exact", budget=10)


def test_more_classes_than_two():
    labels = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    model = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(X, labels)
    result = boundary_distance(model, X)
    check_adversarials(result, X, model.predict)
    assert_allclose(result.lower, result.distance)
