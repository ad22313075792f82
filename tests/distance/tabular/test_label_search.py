"""Searches of tables by labels alone: against enumeration, and against gradients."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from oracles import network, predict_with
from robfair import boundary_distance
from tables import NORMS, check, enumerated, table


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "cost"), [(2, 1), (np.inf, 1), (2, 0.8)])
def test_a_forest(norm, cost):
    X, threat_model = table(0, 150, norm=norm, category_cost=cost)
    y = predict_with(network([X.shape[1], 12, 3], seed=1, gain=1))(X)
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    test = X[:20]
    exact = enumerated(forest.predict, test, threat_model)
    leaves = boundary_distance(forest, test, threat_model=threat_model)
    assert leaves.method == "exact"
    check(leaves, test, threat_model, forest.predict)
    assert_allclose(leaves.distance, exact, rtol=1e-9)
    assert_allclose(leaves.lower, exact, rtol=1e-9)
    result = boundary_distance(
        forest, test, method="decision", threat_model=threat_model, background=X
    )
    assert result.n_forward.max() <= 1002  # and the predictions of the samples themselves
    check(result, test, threat_model, forest.predict)
    assert (result.distance >= exact * (1 - 1e-9)).all()
    assert (result.distance <= exact * (1 + 1e-9)).mean() >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_labels_against_gradients(norm):
    X, threat_model = table(1, 80, 1, 3, norm)
    net = network([X.shape[1], 12, 3], gain=1)
    near = boundary_distance(net, X[:20], threat_model=threat_model)
    labels = boundary_distance(
        net, X[:20], method="decision", threat_model=threat_model, background=X
    )
    check(labels, X[:20], threat_model, predict_with(net))
    assert labels.distance.mean() <= 1.15 * near.distance.mean()


def test_a_model_that_ignores_the_continuous_features():
    # No continuous move flips any row, and scikit-learn refuses to predict none.
    X, threat_model = table(2, 60, 1, 2)
    tree = DecisionTreeClassifier().fit(X, X[:, 3])
    result = boundary_distance(tree, X[:10], threat_model=threat_model, background=X)
    check(result, X[:10], threat_model, tree.predict)
    assert_allclose(result.distance, 1)  # the cost of another category
