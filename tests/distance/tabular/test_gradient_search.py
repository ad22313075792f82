"""Searches of tables by gradients: against the enumeration of every row, or a closed form."""

import numpy as np
import pytest
import torch

from oracles import Shifted, linear_layer, network, predict_with
from robfair import ThreatModel, boundary_distance
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


def test_strong_edits_rows_before_labels_offer_others():
    """A row that labels offer first led the edits of this sample to one that is 8 % longer.

    The shorter one, which "auto" finds, is the oracle.
    """
    X, threat_model = many_categories(seed=7)
    net = network([X.shape[1], 24, 2], seed=7)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.5)  # steep, so that there is more than one way to flip a row
    sample = X[47:48]
    auto, strong = (
        boundary_distance(net, sample, method=method, threat_model=threat_model, background=X)
        for method in ("auto", "strong")
    )
    check(auto, sample, threat_model, predict_with(net))
    assert strong.distance[0] <= auto.distance[0] * (1 + 1e-6)


def many_categories(seed, n=60):
    """Samples of two integers, two continuous features and five blocks, and their threat model."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 7, 5)
    starts = 4 + np.cumsum([0, *sizes])
    parts = [rng.integers(-5, 6, (n, 2)), rng.normal(size=(n, 2))]
    X = np.concatenate([*parts, *(np.eye(k)[rng.integers(k, size=n)] for k in sizes)], axis=1)
    return X, ThreatModel(
        bounds=(-8, 8),
        categories=[range(start, start + k) for start, k in zip(starts[:-1], sizes, strict=True)],
        integer=np.arange(X.shape[1]) < 2,
    )
