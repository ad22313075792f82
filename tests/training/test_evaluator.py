"""Rob(P) on held-out data, also where samples cannot be fooled."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair import boundary_distance
from robfair.datasets import make_group_margins
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics import group_robustness
from robfair.threat import ThreatModel
from robfair.training import GroupEvaluator


def linear(coef, intercept):
    """The rule ``X @ coef + intercept > 0`` as a module with two logits."""
    coef = np.asarray(coef)
    module = nn.Linear(len(coef), 2).double()
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.stack([0 * coef, coef])))
        module.bias.copy_(torch.tensor([0.0, intercept], dtype=torch.float64))
    return module


def evaluate(module, data, method="auto", **threat):
    threat_model = ThreatModel(**threat)
    evaluator = GroupEvaluator(module, data.X, data.y, data.groups, 3, method, threat_model)
    return evaluator.robustness()


@pytest.fixture(scope="module")
def data():
    return make_group_margins(90, n_features=4, flip=(0.1, 0.0, 0.3), random_state=3)


def test_closed_form(data):
    found = evaluate(linear(data.coef, data.intercept), data)
    assert_allclose(found, data.group_robustness, rtol=1e-9)


def test_the_threat_model_is_used(data):
    module = linear(data.coef, data.intercept)
    found = evaluate(module, data, norm=np.inf)
    assert_allclose(found, data.group_robustness / np.abs(data.coef).sum(), rtol=1e-9)
    first_only = np.arange(4) == 0
    found = evaluate(module, data, mutable=first_only)
    assert_allclose(found, data.group_robustness / abs(data.coef[0]), rtol=1e-9)


def test_the_method_is_used(data):
    """Eq. 8 gives half of the distance on a linear model."""
    found = evaluate(linear(data.coef, data.intercept), data, method="paper")
    assert_allclose(found, data.group_robustness / 2, rtol=0.01)


def test_on_a_network_it_is_the_measure(data):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    distance = boundary_distance(net, data.X, y=data.y, threat_model=ThreatModel(norm=np.inf))
    expected = group_robustness(
        data.y,
        distance.predicted,
        distance=distance.distance,
        sensitive_features=data.groups,
        tau_max=distance.distance[np.isfinite(distance.distance)].max(),
    )
    assert_allclose(evaluate(net, data, norm=np.inf), expected)


def test_nobody_can_be_fooled():
    """The box ends before the boundary: all groups are equally robust."""
    held = GroupEvaluator(
        linear([1.0, 0.0], 0.0),
        np.array([[-1.0, 0.0], [-2.0, 0.0], [-1.5, 0.0], [-3.0, 0.0]]),
        np.array([0, 0, 0, 0]),
        np.array([0, 0, 1, 1]),
        2,
        "auto",
        ThreatModel(bounds=([-10.0, -1.0], [-0.25, 1.0])),
    )
    with pytest.warns(CensoredDistanceWarning, match="4 of 4 samples.*distance 0,"):
        assert held.robustness().tolist() == [0.0, 0.0]


def test_some_censored():
    """The classes part at 0, and the second feature, all that may move, matters to some only."""

    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, X):
            score = torch.where(X[:, 0] > 0, X[:, 1], -torch.ones_like(X[:, 1])) * self.scale
            return torch.stack([-score, score], dim=1)

    X = np.array([[1.0, -2.0], [1.0, -6.0], [-1.0, 0.0], [-1.0, 5.0]])
    held = GroupEvaluator(
        Partly(),
        X,
        np.array([0, 0, 0, 0]),
        np.array([0, 1, 0, 1]),
        2,
        "deepfool",
        ThreatModel(mutable=np.array([False, True])),
    )
    with pytest.warns(CensoredDistanceWarning, match="2 of 4 samples") as record:
        found = held.robustness()
    assert_allclose(found, [(2 + 6) / 2, (6 + 6) / 2], rtol=1e-3)
    assert "distance 6.0" in str(record[0].message)


def test_samples_predicted_wrong_count_zero(data):
    wrong = linear(-data.coef, -data.intercept)
    swapped = evaluate(wrong, data)
    error = data.group_error
    assert_allclose(swapped, error * np.array([0.5, 1.0, 1.5]), rtol=1e-9)


def test_a_group_far_smaller_than_the_others_counts_as_itself(data):
    keep = (data.groups != 1) | (np.cumsum(data.groups == 1) == 1)
    small = GroupEvaluator(
        linear(data.coef, data.intercept),
        data.X[keep], data.y[keep], data.groups[keep], 3, "auto", ThreatModel(),
    ).robustness()  # fmt: skip
    assert_allclose(small[[0, 2]], data.group_robustness[[0, 2]], rtol=1e-9)
    assert small[1] == pytest.approx(data.distance[(data.groups == 1) & keep][0])


def test_training_samples_and_a_cap(data):
    """Affine: distances are known, and those above the cap count as it."""
    module, known = linear(data.coef, data.intercept), data.distance
    some = np.arange(len(data.X)) % 2 == 0
    parts = [
        GroupEvaluator(
            module, data.X[rows], data.y[rows], data.groups[rows], 3, "auto", ThreatModel()
        )
        for rows in (some, ~some)
    ]
    held, train = replace(parts[0], train=parts[1]), parts[1]
    drawn = held.training(7, random_state=1)
    assert drawn.sizes().tolist() == [7, 7, 7]
    rows = [int((row == train.X).all(axis=1).argmax()) for row in drawn.X]
    assert len(set(rows)) == 21
    right = module(torch.from_numpy(train.X)).argmax(1).numpy() == train.y
    expected = np.where(right, known[~some], 0)[rows]
    assert_allclose(drawn.distances(), expected, rtol=1e-9)
    assert_allclose(drawn.distances(0.7), np.minimum(expected, 0.7), rtol=1e-9)
    assert_allclose(held.training().robustness(), train.robustness())
    assert len(held.training(7, random_state=2).X) == 21
    assert not np.array_equal(held.training(7, random_state=2).X, drawn.X)


def test_without_held_out_samples(data):
    nothing = GroupEvaluator(
        linear(data.coef, data.intercept), data.X[:0], data.y[:0], data.groups[:0], 3, "auto",
        ThreatModel(),
    )  # fmt: skip
    with pytest.raises(ValueError, match="no samples are held out: set needs_held_out = True"):
        nothing.robustness()
    with pytest.raises(ValueError, match="without training samples"):
        nothing.training()
