"""Affine models in tables: exact, against all rows that there are and against a MILP."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import Bounds, LinearConstraint, milp
from torch import nn

from oracles import linear_layer, predict_with
from robfair import ThreatModel, boundary_distance
from robfair.threat import Block
from tables import NORMS, check, enumerated, enumerated_linear, table


def affine(d, n_classes, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_classes, d)), rng.normal(size=n_classes)


def check_exact(result, exact, X, threat_model, layer):
    check(result, X, threat_model, predict_with(layer))
    assert_allclose(result.distance, exact, rtol=1e-9)
    assert_array_equal(result.status, np.where(np.isfinite(exact), "exact", "censored"))
    assert (result.lower <= result.distance).all()
    assert_allclose(result.lower, exact, rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    norm=st.sampled_from(NORMS),
    n_classes=st.integers(2, 4),
    cost=st.sampled_from([0.3, 0.8, 1, 3.0]),
)
def test_integers_and_categories_against_all_rows(seed, norm, n_classes, cost):
    X, threat_model = table(seed, 8, norm=norm, category_cost=cost)
    weight, bias = affine(X.shape[1], n_classes, seed)
    layer = linear_layer(weight, bias)
    exact = enumerated(predict_with(layer), X, threat_model)
    result = boundary_distance(layer, X, threat_model=threat_model)
    assert result.method == "linear"
    check_exact(result, exact, X, threat_model, layer)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n_classes", "cost"), [(2, 1), (4, 1), (2, 0.5)])
def test_continuous_features_against_all_discrete_rows(norm, n_classes, cost):
    X, threat_model = table(n_classes, 12, 2, 2, norm, category_cost=cost)
    weight, bias = affine(X.shape[1], n_classes, n_classes)
    layer = linear_layer(weight, bias)
    exact = enumerated_linear(weight, bias, X, threat_model)
    result = boundary_distance(layer, X, threat_model=threat_model, method="exact")
    check_exact(result, exact, X, threat_model, layer)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n_integers", [0, 2])
def test_units_without_a_box(norm, n_integers):
    rng = np.random.default_rng(0)
    X, unit = rng.integers(-3, 4, size=(20, 4)).astype(float), np.array([0.5, 1, 2, 4])
    weight, bias = affine(4, 2, 1)
    threat_model = ThreatModel(norm, unit=unit, integer=np.arange(4) < n_integers)
    result = boundary_distance(linear_layer(weight, bias), X, threat_model=threat_model)
    gap, scaled = np.abs((X @ weight.T + bias) @ [1, -1]), np.abs(weight[1] - weight[0]) * unit
    # Whole steps of the first features, then the closed form for the others.
    order, n_steps = (2, 60) if norm == 2 else (1, 20)
    steps = np.array(list(product(range(n_steps), repeat=n_integers)), dtype=float)
    cost = np.linalg.norm(np.pad(steps / unit[:n_integers], [(0, 0), (0, 1)]), norm, axis=1)
    rest = gap[:, None] - steps @ (scaled / unit)[:n_integers]
    rest = rest.clip(min=0) / np.linalg.norm(scaled[n_integers:], order)
    exact = np.linalg.norm(np.stack([np.tile(cost, (20, 1)), rest]), norm, axis=0).min(axis=1)
    assert_allclose(result.distance, exact, rtol=1e-9)
    assert set(result.status) == {"exact"}


def milp_costs(scaled, steps, room, gaps, norm):
    """Least costs of gaps by SciPy's HiGHS: numbers that move by steps of a cost, then others.

    In L2 it knows squares by tangents, which are added at its solution until nothing changes.
    """
    n, size = len(scaled), np.append(steps, np.ones(len(scaled) - len(steps)))
    extra = n if norm == 2 else 1
    out = []
    for most, gap in zip(room, gaps, strict=True):
        rows = [np.append(scaled * size, np.zeros(extra))]
        least, best = [gap], np.inf
        if norm == np.inf:
            rows += list(np.hstack([-np.diag(size), np.ones((n, 1))]))
            least += [0] * n
        for _ in range(60):
            solved = milp(
                np.append(np.zeros(n), np.ones(extra)),
                integrality=np.append(np.arange(n) < len(steps), np.zeros(extra)),
                bounds=Bounds(0, np.append(most / size, np.full(extra, np.inf))),
                constraints=LinearConstraint(np.array(rows), least, np.inf),
                options={"mip_rel_gap": 1e-9},
            )
            cost = np.append(np.round(solved.x[: len(steps)]), solved.x[len(steps) : n]) * size
            best = min(best, np.linalg.norm(cost, norm))
            if norm == np.inf or solved.fun >= best**2 * (1 - 1e-6) - 1e-8:
                break
            rows += list(np.hstack([-2 * np.diag(cost * size), np.eye(n)]))
            least += list(-(cost**2))
        else:
            raise AssertionError("more tangents are needed")
        out.append(best)
    return np.array(out)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_many_fine_integers_against_milp(norm):
    # Dollars beside years: full enumeration would be 1e12 rows.
    rng = np.random.default_rng(0)
    n, unit = 6, np.array([13.0, 3, 12, 400, 150])
    X = np.round(rng.uniform(0, 4 * unit, size=(n, 5)))
    weight, bias = affine(5, 2, 3)
    weight, bias = weight / unit, bias
    high = 5 * unit
    threat_model = ThreatModel(norm, bounds=(0, high), integer=np.full(5, True), unit=unit)
    result = boundary_distance(linear_layer(weight, bias), X, threat_model=threat_model)
    normal, gaps = weight[1] - weight[0], (X @ weight.T + bias) @ [1, -1]
    up = np.where((normal > 0)[None] == (gaps > 0)[:, None], high - X, X)
    exact = milp_costs(np.abs(normal) * unit, 1 / unit, up / unit, np.abs(gaps), norm)
    assert set(result.status) == {"exact"}
    assert_allclose(result.distance, exact, rtol=1e-6)


def test_float32_modules_flip_where_they_are_said_to():
    X, threat_model = table(1, 40, 2, 1)
    weight, bias = affine(X.shape[1], 3, 1)
    layer = linear_layer(weight, bias, torch.float32)
    result = boundary_distance(layer, X, threat_model=threat_model)
    check(result, X, threat_model, predict_with(layer), rtol=1e-3)
    exact = enumerated_linear(weight, bias, X, threat_model)
    assert_allclose(result.distance, exact, rtol=1e-3)
    assert (result.lower <= exact * (1 + 1e-6)).all()
    assert (result.lower >= exact * (1 - 1e-3)).mean() > 0.9


def test_a_step_that_ends_on_the_boundary_is_an_interval():
    # Two steps give a tie, which the first class wins; the third one flips.
    threat_model = ThreatModel(integer=True, bounds=(0, 9))
    layer = linear_layer([[0.0], [1.0]], [0.0, -2.0])
    result = boundary_distance(layer, np.array([[0.0]]), threat_model=threat_model)
    assert result.status[0] == "found"
    assert_allclose([result.lower[0], result.distance[0]], [2, 3])


def test_a_category_beside_the_code_keeps_its_own_rounding():
    # Samples may lie a little off the code: what a switch gains begins there.
    threat_model = ThreatModel(categories=[Block((0,), codes=[[0], [1]])])
    layer = linear_layer([[0.0], [1.0]], [0.0, -0.999999])
    result = boundary_distance(layer, np.array([[1e-6]]), threat_model=threat_model)
    assert_allclose(result.distance, [1])
    assert_array_equal(result.adversarial, [[1.0]])


def test_samples_that_are_wrong_are_skipped_and_what_cannot_flip_is_proven():
    X, threat_model = table(0, 20)
    weight, bias = affine(X.shape[1], 2, 0)
    layer = linear_layer(weight, bias)
    y = predict_with(layer)(X)
    y[::4] = 1 - y[::4]
    result = boundary_distance(layer, X, y=y, threat_model=threat_model, batch_size=7)
    assert_array_equal(result.status == "skipped", np.arange(20) % 4 == 0)
    assert np.isnan(result.lower[::4]).all()
    never = boundary_distance(
        linear_layer(0 * weight, [1.0, 0.0]), X, threat_model=threat_model, certify=True
    )
    assert np.isinf(never.lower).all()
    assert never.warnings_ == ()


def test_a_module_that_computes_something_else_is_searched():
    X, threat_model = table(0, 10)
    weight, bias = affine(X.shape[1], 2, 0)
    layer = linear_layer(weight, bias)
    layer.forward = lambda x: nn.functional.linear(x, -2 * layer.weight, layer.bias)
    result = boundary_distance(layer, X, threat_model=threat_model)
    assert result.method == "auto"
    exact = enumerated(predict_with(layer), X, threat_model)
    assert (result.distance >= exact * (1 - 1e-9)).all()
    with pytest.raises(ValueError, match="affine"):
        boundary_distance(layer, X, threat_model=threat_model, method="linear")
