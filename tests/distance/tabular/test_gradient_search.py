"""Searches of tables by gradients: against the enumeration of every row, or a closed form."""

import numpy as np
import pytest

from oracles import Shifted, linear_layer, network, predict_with
from robfair import boundary_distance
from tables import NORMS, check, enumerated, enumerated_linear, table


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n_classes", "cost"), [(2, 1), (3, 1), (3, 0.8)])
def test_integers_and_categories_of_a_network(norm, n_classes, cost):
    X, threat_model = table(n_classes, 25, norm=norm, category_cost=cost)
    net = network([X.shape[1], 12, n_classes], seed=n_classes)
    exact = enumerated(predict_with(net), X, threat_model)
    for method, share in (("auto", 0.9), ("strong", 1.0)):
        result = boundary_distance(net, X, method=method, threat_model=threat_model)
        check(result, X, threat_model, predict_with(net))
        assert (result.distance >= exact * (1 - 1e-9)).all()
        assert (result.distance <= exact * (1 + 1e-9)).mean() >= share


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n_classes", "cost"), [(2, 1), (4, 1), (2, 0.8)])
def test_continuous_features_of_a_linear_model(norm, n_classes, cost):
    X, threat_model = table(n_classes, 20, 2, 2, norm, category_cost=cost)
    rng = np.random.default_rng(n_classes)
    weight, bias = rng.normal(size=(n_classes, X.shape[1])), rng.normal(size=n_classes)
    exact = enumerated_linear(weight, bias, X, threat_model)
    layer = Shifted(linear_layer(weight, bias))
    for method, share in (("auto", 0.6), ("strong", 0.9)):
        result = boundary_distance(layer, X, method=method, threat_model=threat_model)
        check(result, X, threat_model, predict_with(layer))
        assert (result.distance >= exact * (1 - 1e-9)).all()
        assert (result.distance <= exact * (1 + 1e-3)).mean() >= share
        assert result.distance.mean() <= 1.02 * exact.mean()
