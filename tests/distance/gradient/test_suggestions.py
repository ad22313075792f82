"""What other rows suggest: on a network that is flat around its rows."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from robfair import ThreatModel, boundary_distance
from robfair._problem import as_problem
from robfair.distance.gradient._pool import feature_scale, pool_rows


class Thresholds(nn.Module):
    """Counts features beyond a threshold, each steeply, and weakly misleads everywhere else."""

    def forward(self, x):
        beyond = torch.sigmoid(40 * (x - 0.5)).sum(dim=1)
        return torch.stack([1.5 - beyond + 0.01 * x.sum(dim=1), torch.zeros_like(beyond)], dim=1)


def thresholds(n=60, d=12, seed=0):
    """Rows with one, two or three features beyond, so that one feature flips most of them."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 0.2, (n, d))
    for row, count in zip(X, rng.integers(0, 4, n), strict=True):
        row[rng.choice(d, count, replace=False)] = rng.uniform(0.8, 1, count)
    return X


def thresholds_to_cross(X):
    """Distance when whole features cross their thresholds, as few and as near as flip the row."""
    distance = np.empty(len(X))
    for i, row in enumerate(X):
        count, gaps = int((row > 0.5).sum()), np.abs(row - 0.5)
        candidates = gaps[row < 0.5] if count < 2 else gaps[row > 0.5]
        n_crossed = 2 - count if count < 2 else count - 1
        distance[i] = np.linalg.norm(np.sort(candidates)[:n_crossed])
    return distance


@pytest.mark.parametrize(("method", "longer"), [("auto", 1.15), ("strong", 1.1)])
def test_rows_help_each_other_where_gradients_mislead(method, longer):
    X = thresholds()
    options = {"method": method, "threat_model": ThreatModel(bounds=(0.0, 1.0))}
    together = boundary_distance(Thresholds(), X, **options).distance
    # The slopes leave a little room on either side of a threshold.
    ratio = together / thresholds_to_cross(X)
    assert ratio.min() > 0.9
    assert ratio.mean() < longer
    for i in range(3):
        # By itself a row has its own gradient alone; the background brings back the others.
        alone = boundary_distance(Thresholds(), X[i : i + 1], **options).distance
        helped = boundary_distance(Thresholds(), X[i : i + 1], background=X, **options).distance
        assert alone > 2 * together[i]
        assert_allclose(helped, together[i], rtol=0.02)


def outside_of_the_pool(module, X, threat_model):
    problem = as_problem(module, X, None, threat_model, 64)
    pool = {row.tobytes() for row in pool_rows(problem, X, feature_scale(problem, X))}
    return np.array([row.tobytes() not in pool for row in X])


def test_rows_outside_of_the_pool_profit_from_it():
    X, threat_model = thresholds(n=200), ThreatModel(bounds=(0.0, 1.0))
    outside = outside_of_the_pool(Thresholds(), X, threat_model)
    options = {"threat_model": threat_model, "batch_size": 64}
    result = boundary_distance(Thresholds(), X, **options)
    ratio = result.distance / thresholds_to_cross(X)
    assert ratio.min() > 0.9
    assert ratio[outside].mean() < 1.15
    wrong = np.arange(len(X)) % 3 == 0
    y = np.where(wrong, 1 - result.predicted, result.predicted)
    skipped = boundary_distance(Thresholds(), X, y=y, **options)
    assert_array_equal(np.isnan(skipped.distance), wrong)
    assert_allclose(skipped.distance[~wrong], result.distance[~wrong], rtol=0.02)


class Bent(nn.Module):
    """A boundary that is nearly flat, so that a row's own gradient leads to it."""

    def forward(self, x):
        margin = x[:, 0] + 0.1 * torch.tanh(x[:, 1]) + 0.1 * x[:, 2] ** 2 - 0.3
        return torch.stack([margin, torch.zeros_like(margin)], dim=1)


def test_what_does_not_pay_is_left_to_the_pool():
    X = np.random.default_rng(0).normal(size=(300, 4))
    outside = outside_of_the_pool(Bent(), X, ThreatModel())
    result = boundary_distance(Bent(), X)
    assert result.n_backward[outside].max() < 30 < 50 < result.n_backward[~outside].min()
    strong = boundary_distance(Bent(), X, method="strong")
    assert_allclose(result.distance, strong.distance, rtol=0.01)
