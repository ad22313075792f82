"""Certified lower bounds beside distances, and what is said where there are none."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from oracles import network
from robfair import ThreatModel, boundary_distance

NORMS = [2, np.inf]
X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
RELU = network([3, 5, 3], nn.ReLU)
AFFINE = [
    network([3, 3]),
    nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3).double(), network([3, 3])),
    LogisticRegression().fit(X, Y),
    make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", ["auto", "strong", "deepfool"])
def test_certified_bounds(method, norm):
    module, y = network([3, 8, 3]), np.zeros(30, dtype=int)
    threat_model = ThreatModel(norm, (X.min(axis=0), X.max(axis=0)), [True, True, False])
    options = {"method": method, "threat_model": threat_model, "y": y}
    plain = boundary_distance(module, X[:30], **options)
    result = boundary_distance(module, X[:30], certify=True, **options)
    assert plain.lower is None
    assert_array_equal(result.distance, plain.distance)
    skipped = result.status == "skipped"
    assert skipped.any()
    assert_array_equal(np.isnan(result.lower), skipped)
    assert (result.lower <= result.distance)[~skipped].all()
    assert (result.lower[~skipped] > 0).mean() > 0.9
    assert result.warnings_ == plain.warnings_ or np.isinf(result.lower).any()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("boxed", [False, True])
def test_certified_bounds_are_below_the_exact_distance(norm, boxed):
    bounds = (X.min(axis=0), X.max(axis=0)) if boxed else None
    threat_model = ThreatModel(norm, bounds)
    exact = boundary_distance(RELU, X[:20], method="exact", threat_model=threat_model)
    result = boundary_distance(RELU, X[:20], certify=True, threat_model=threat_model)
    assert (result.lower <= exact.distance).all()
    finite = np.isfinite(exact.distance)
    assert result.lower[finite].sum() > 0.3 * exact.distance[finite].sum()


def test_certify_adds_nothing_where_the_distance_is_exact():
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
    for model in (*AFFINE, tree):
        result = boundary_distance(model, X, certify=True)
        assert_array_equal(result.lower, result.distance)
        assert result.warnings_ == ()


def test_what_cannot_be_certified_is_nan_and_said():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = network([3, 3])

        def forward(self, data):
            return torch.sin(self.layer(data))

    result = boundary_distance(Own(), X[:10], certify=True)
    assert np.isnan(result.lower).all()
    assert np.isfinite(result.distance).all()
    (text,) = result.warnings_
    assert text.startswith("no distance is certified: ")
    assert "sin" in text
