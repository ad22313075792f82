"""The descent along the boundary, and the parts it is made of."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from oracles import Rows, closed_form, linear_layer, network, random_linear
from robfair import ThreatModel
from robfair._problem import Problem
from robfair.adapters import LogitModel
from robfair.distance.gradient._descent import (
    DescentSchedule,
    MarginObjective,
    Nearest,
    _follow,
    cosine,
    descend,
)

NORMS = [2, np.inf]
LONG = DescentSchedule(60, step=(2.0, 0.01), change=(0.3, 1e-4))


def make_objective(module, X, norm=2, bounds=None, mutable=None):
    problem = Problem(LogitModel(module), X, None, 3, ThreatModel(norm, bounds, mutable), 512)
    return MarginObjective(problem, module)


def nothing(points):
    return Nearest(points.clone(), points.new_full((len(points),), torch.inf))


# --- Parts


def test_a_schedule_falls_from_the_first_to_the_last():
    schedule = DescentSchedule(9, step=(2.0, 0.5), change=(0.3, 0.1))
    assert cosine(schedule, 0) == pytest.approx((2.0, 0.3, 0.0))
    assert cosine(schedule, 4) == pytest.approx((1.25, 0.2, 0.0))
    assert cosine(schedule, 8) == pytest.approx((0.5, 0.1, 0.0))
    assert cosine(DescentSchedule(1, (2.0, 0.5), (0.3, 0.1)), 0) == pytest.approx((2.0, 0.3, 0.0))


def test_every_other_step_is_noisy_until_the_noise_has_vanished():
    schedule = DescentSchedule(9, step=(2.0, 0.5), change=(0.3, 0.1), noise=4.0)
    noise = [cosine(schedule, i)[2] for i in range(9)]
    assert noise[0] == pytest.approx(4.0)
    assert noise[4] == pytest.approx(2.0)
    assert noise[8] == 0
    assert noise[1::2] == [0, 0, 0, 0]


def test_margin_gap_and_gradient():
    weight, bias, X = random_linear(np.random.default_rng(0), 3)
    objective = make_objective(linear_layer(weight, bias), X, mutable=[True] * 5 + [False])
    logits = X @ weight.T + bias
    label, rows = logits.argmax(axis=1), np.arange(len(X))
    rival = (label + 1) % 3
    others = np.where(np.arange(3) == label[:, None], -np.inf, logits)
    points = torch.from_numpy(X)
    for chosen in (None, rival):
        margin, gap, gradient = objective(
            points, torch.from_numpy(label), None if chosen is None else torch.from_numpy(chosen)
        )
        against = others.argmax(axis=1) if chosen is None else chosen
        assert_allclose(margin, logits[rows, label] - others.max(axis=1))
        assert_allclose(gap, logits[rows, label] - logits[rows, against])
        right = weight[label] - weight[against]
        right[:, 5] = 0  # immutable
        assert_allclose(gradient, right)
    assert_allclose(objective.margin(points, torch.from_numpy(label)), margin)
    assert not points.requires_grad


def test_a_gradient_where_gradients_are_off():
    objective = make_objective(network([4, 5, 3]), np.zeros((2, 4)))
    with torch.no_grad():
        _, _, gradient = objective(torch.ones(2, 4).double(), torch.zeros(2, dtype=torch.int64))
    assert gradient.abs().amax() > 0


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_the_steepest_direction(scale, norm):
    gradient = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 4))) * scale
    gradient[4] = 0
    objective = make_objective(network([4, 3]), np.zeros((1, 4)), norm)
    direction = objective.steepest(gradient).numpy()
    assert_allclose(np.linalg.norm(direction[:4], norm, axis=1), 1)
    dual = np.linalg.norm(gradient / scale, 1 if norm == np.inf else 2, axis=1)
    assert_allclose((gradient.numpy() / scale * direction).sum(axis=1), -dual)
    assert_array_equal(direction[4], 0)


@pytest.mark.parametrize("norm", NORMS)
def test_perturbations_are_brought_to_a_radius(norm):
    way = torch.tensor([[3.0, -4.0], [0.3, 0.4], [0.0, 0.0]])
    objective = make_objective(network([2, 3]), np.zeros((1, 2)), norm)
    scaled = objective.scaled(way, torch.tensor([2.0, 2.0, 2.0]))
    # In L2 to the sphere; in L-inf into the cube, whose inside costs nothing.
    right = [[1.2, -1.6], [1.2, 1.6], [0, 0]] if norm == 2 else [[2, -2], [0.3, 0.4], [0, 0]]
    assert_allclose(scaled, right, rtol=1e-6)


def test_features_at_a_wall_they_are_pushed_through_do_not_count():
    objective = make_objective(network([4, 3]), np.zeros((1, 4)), bounds=(-1, 1))
    points = torch.tensor([[-1.0, -1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]).double()
    gradient = torch.tensor([[2.0, -2.0, 2.0, -2.0]]).double().expand(2, 4)
    # Steps go against the gradient.
    assert_array_equal(objective.free(gradient, points), [[0, -2, 2, 0], [2, -2, 2, -2]])
    assert_array_equal(objective.clip(3 * points[:1]), points[:1])
    objective = make_objective(network([4, 3]), np.zeros((1, 4)))
    assert objective.free(gradient, points) is gradient
    assert_array_equal(objective.clip(3 * points), 3 * points)


def test_the_nearest_flipped_point_is_kept():
    nearest = Nearest(torch.zeros(5, 1), torch.tensor([torch.inf, 2.0, 2.0, 2.0, 2.0]))
    tried = torch.arange(1.0, 6)[:, None]
    distance = torch.tensor([3.0, 1.0, 3.0, 1.0, 0.0])
    nearest.see(tried, distance, torch.tensor([-1.0, -1.0, -1.0, 0.0, -1.0]))
    # Flipped; flipped and nearer; farther; a tie is no flip; a distance of 0 is none.
    assert_array_equal(nearest.distance, [3, 1, 2, 2, 2])
    assert_array_equal(nearest.points[:, 0], [1, 2, 0, 0, 0])
    part = nearest[torch.tensor([2, 1])]
    other = Nearest(torch.tensor([[8.0], [9.0]]), torch.tensor([1.0, 1.5]))
    part.update(torch.tensor([0, 1]), other)
    assert_array_equal(part.distance, [1, 1])
    assert_array_equal(part.points[:, 0], [8, 2])
    assert_array_equal(nearest.distance, [3, 1, 2, 2, 2])  # a part is a copy


@pytest.mark.parametrize("change", [0.002, 0.3, 0.5])
def test_a_point_far_beyond_the_nearest_one_leaves_the_radius_positive(change):
    size, known = torch.tensor([1.0, 1.0, 8.0, 8.0]), torch.tensor([1.0, 0.9, 0.1, 1.0])
    gap, fall = torch.full((4,), -1.0), torch.tensor([0.1, 5.0, 0.1, 0.0])
    nearest = Nearest(torch.zeros(4, 1), known)
    radius = _follow(size, size, gap, fall, change, nearest)
    assert (radius >= (1 - change) * known * (1 - 1e-6)).all()
    assert (radius <= known).all()
    # At the nearest point the margin says how far to go in; here beyond the limit.
    assert radius[0] == pytest.approx(1 - change)


# --- Descents


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 2**32 - 1), outside=st.booleans())
@settings(max_examples=15, deadline=None)
def test_two_classes_and_a_hyperplane(norm, seed, outside):
    """From any direction that is not quite wrong it turns to the normal."""
    rng = np.random.default_rng(seed)
    weight, bias, X = random_linear(rng, 2)
    module, right = linear_layer(weight, bias), closed_form(weight, bias, X, norm)
    label = (X @ weight.T + bias).argmax(axis=1)
    normal = weight[1 - label] - weight[label]
    step = normal / np.linalg.norm(normal, norm, axis=1, keepdims=True)
    step = step + 0.5 * rng.normal(size=X.shape) / X.shape[1] ** 0.5
    start = torch.from_numpy(X)
    points = start + (1.7 if outside else 0.6) * torch.from_numpy(right[:, None] * step)
    nearest = nothing(start)
    descend(make_objective(module, X, norm), start, torch.from_numpy(label), points, nearest, LONG)
    assert (nearest.distance.numpy() >= right * (1 - 1e-9)).all()
    assert_allclose(nearest.distance, right, rtol=2e-3)
    logits = nearest.points.numpy() @ weight.T + bias
    own, other = (np.take_along_axis(logits, k[:, None], 1) for k in (label, 1 - label))
    assert (own - other < 1e-12).all()


class Sphere(nn.Module):
    """Class 1 outside of the sphere of radius 2 around the origin."""

    def forward(self, x):
        return torch.stack([torch.full_like(x[:, 0], 4.0), (x**2).sum(dim=1)], dim=1)


def test_a_curved_boundary():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    X *= (rng.uniform(0.3, 1.5, 20) / np.linalg.norm(X, axis=1))[:, None]
    start = torch.from_numpy(X)
    label, nearest = torch.zeros(20, dtype=torch.int64), nothing(start)
    points = start + torch.from_numpy(rng.normal(size=X.shape))
    descend(make_objective(Sphere(), X), start, label, points, nearest, LONG)
    assert_allclose(nearest.distance, 2 - np.linalg.norm(X, axis=1), rtol=3e-3)


@pytest.mark.parametrize("norm", NORMS)
def test_stays_in_the_box_and_moves_only_what_is_mutable(norm):
    module, X = network([4, 8, 3]), np.random.default_rng(0).uniform(-1, 1, (30, 4))
    X[:10, 0] = 1.0  # on a wall
    seen = []
    objective = make_objective(module, X, norm, (-1, 1), [True, True, True, False])
    forward, objective.forward = objective.forward, lambda x: seen.append(x.detach()) or forward(x)
    start = torch.from_numpy(X)
    label = module(start).argmax(dim=1)
    points = start + torch.tensor([0.1, 0.1, 0.1, 0.0])
    descend(objective, start, label, objective.clip(points), nothing(start), LONG)
    seen = torch.stack(seen)
    assert ((seen >= -1) & (seen <= 1)).all()
    assert (seen[:, :, 3] == start[:, 3]).all()
    assert (seen[:, :, :3] != start[:, :3]).any()


def test_what_it_costs():
    module, X = network([4, 8, 3]), np.random.default_rng(0).normal(size=(7, 4))
    rows, start = Rows(module), torch.from_numpy(X)
    nearest, schedule = nothing(start), DescentSchedule(5, (2.0, 1.0), (0.3, 0.1))
    label = torch.zeros(7, dtype=torch.int64)
    descend(make_objective(module, X), start, label, start + 1, nearest, schedule)
    assert rows.forward == [7] * 6
    assert rows.backward == [7] * 5


@pytest.mark.parametrize("norm", NORMS)
def test_a_start_that_is_known_is_never_lost(norm):
    module, X = network([4, 8, 3], seed=3), np.random.default_rng(0).normal(size=(30, 4))
    start = torch.from_numpy(X)
    label = module(start).argmax(dim=1)
    points = start + 4 * torch.from_numpy(np.random.default_rng(1).normal(size=X.shape))
    size = torch.linalg.vector_norm(points - start, norm, dim=1)
    nearest, schedule = nothing(start), DescentSchedule(1, (2.0, 1.0), (0.3, 0.1))
    descend(make_objective(module, X, norm), start, label, points, nearest, schedule)
    flipped = module(points).argmax(dim=1) != label
    assert flipped.sum() > 5
    assert (nearest.distance <= size)[flipped].all()
