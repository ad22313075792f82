"""Distances in tables: properties of the results for any model and method."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from oracles import Shifted, linear_layer, network, predict_with
from robfair import ThreatModel, boundary_distance
from robfair.threat import Block
from tables import KINDS, NORMS, check, table

FEW = settings(max_examples=8, deadline=None)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "strong", "decision"])
def test_units_alone_are_a_scaled_distance(method):
    X, unit = np.random.default_rng(0).normal(size=(20, 4)), np.array([0.1, 1, 3, 20])
    net = network([4, 12, 3])
    scaled, threat_model = nn.Sequential(_Divide(unit), net), ThreatModel(unit=unit)
    result = boundary_distance(scaled, X * unit, method=method, threat_model=threat_model)
    plain = boundary_distance(net, X, method=method)
    if method == "decision":
        assert_allclose(result.distance.mean(), plain.distance.mean(), rtol=0.1)
        return
    # Without units other rows help, and a row now and then is nearer for it.
    assert (result.distance > 0.99 * plain.distance).all()
    assert (result.distance < 1.01 * plain.distance).mean() >= 0.9


class _Divide(nn.Module):
    def __init__(self, unit):
        super().__init__()
        self.register_buffer("unit", torch.as_tensor(unit))

    def forward(self, x):
        return x / self.unit


# --- What must hold


@pytest.mark.slow
@FEW
@given(seed=st.integers(0, 2**16), norm=st.sampled_from(NORMS), data=st.data())
def test_every_row_is_valid(seed, norm, data):
    n_integers, n_continuous = (data.draw(st.integers(0, 2)) for _ in range(2))
    X, threat_model = table(seed, 12, n_integers, n_continuous, norm, bounds="data")
    numbers = n_integers + n_continuous
    mutable = np.array([*data.draw(st.lists(st.booleans(), min_size=numbers, max_size=numbers)),
                        *[data.draw(st.booleans())] * KINDS[0], *[True] * KINDS[1]])  # fmt: skip
    _, threat_model = table(
        seed, 12, n_integers, n_continuous, norm, bounds="data", mutable=mutable
    )
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    method = data.draw(st.sampled_from(["auto", "strong", "decision"]))
    net = network([X.shape[1], 8, 3], seed=seed, dtype=dtype)
    before, state = X.copy(), {k: v.clone() for k, v in net.state_dict().items()}
    random = torch.random.get_rng_state()
    result = boundary_distance(net, X, method=method, threat_model=threat_model, budget=(
        200 if method == "decision" else None))  # fmt: skip
    assert result.threat_model == threat_model.bind(X)
    check(result, X, result.threat_model, predict_with(net))
    fixed = ~mutable
    assert_array_equal(
        result.adversarial[:, fixed][result.status == "found"],
        X.astype(result.adversarial.dtype)[:, fixed][result.status == "found"],
    )
    assert_array_equal(X, before)
    assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), random)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", ["auto", "strong", "decision"])
def test_the_scale_of_the_features_does_not_matter(method, norm):
    X, threat_model = table(3, 12, 1, 2, norm)
    net, scale = network([X.shape[1], 12, 3]), 128.0  # a power of two: nothing is rounded
    blocks = [Block(block.columns, scale * block.codes) for block in threat_model.blocks]
    scaled = ThreatModel(
        norm,
        bounds=(-4 * scale, 4 * scale),
        categories=blocks,
        integer=scale * threat_model.spacing(X.shape[1:]),
        unit=scale * threat_model.units(X.shape[1:]),
    )
    wide = nn.Sequential(_Divide(np.full(X.shape[1], scale)), net)
    plain = boundary_distance(net, X, method=method, threat_model=threat_model)
    result = boundary_distance(wide, scale * X, method=method, threat_model=scaled)
    assert_allclose(result.distance, plain.distance, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "strong"])
def test_order_and_batches_do_not_matter(method):
    X, threat_model = table(4, 15, 1, 2)
    net, order = network([X.shape[1], 12, 3]), np.random.default_rng(0).permutation(15)
    whole = boundary_distance(net, X, method=method, threat_model=threat_model)
    parts = boundary_distance(net, X[order], method=method, threat_model=threat_model, batch_size=7)
    assert_allclose(parts.distance, whole.distance[order], rtol=1e-6)


def test_samples_that_are_wrong_are_skipped():
    X, threat_model = table(5, 12)
    net = network([X.shape[1], 12, 2])
    y = predict_with(net)(X)
    y[::3] = 1 - y[::3]
    for method in ("auto", "decision"):
        every = boundary_distance(net, X, method=method, threat_model=threat_model)
        result = boundary_distance(net, X, y=y, method=method, threat_model=threat_model)
        assert_array_equal(result.status == "skipped", np.arange(12) % 3 == 0)
        right = result.status != "skipped"
        assert_allclose(result.distance[right], every.distance[right])


def test_nothing_is_found_where_nothing_flips():
    X, threat_model = table(6, 5, 1, 1)
    layer = Shifted(linear_layer(np.zeros((2, X.shape[1])), [1.0, 0.0]))
    for method in ("auto", "strong", "decision"):
        result = boundary_distance(layer, X, method=method, threat_model=threat_model)
        assert_array_equal(result.status, "censored")
        assert np.isinf(result.distance).all()


def test_flat_logits_are_searched_from_other_samples():
    # Two rows of another label, nothing between: no gradient tells where they are.
    class Step(nn.Module):
        def forward(self, x):
            far = (x[:, 0] >= 3) & (x[:, 2] > 0.5)
            return torch.stack([~far, far], dim=1) + 0 * x[:, :1]

    X = np.array([[0, 1, 0], [1, 1, 0], [5, 0, 1], [0, 0, 1.0]])
    threat_model = ThreatModel(categories=[[1, 2]], integer=[True, False, False])
    result = boundary_distance(Step(), X, threat_model=threat_model)
    assert_allclose(result.distance, [10**0.5, 5**0.5, 1, 3])


# --- The original columns


def people():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "age": rng.integers(20, 70, 300), "hours": rng.integers(10, 60, 300),
        "wealth": rng.normal(size=300), "job": rng.choice(["clerk", "cook", "pilot"], 300),
        "race": rng.choice(["a", "b"], 300),
    })  # fmt: skip
    score = frame.age / 20 + frame.hours / 15 + frame.wealth + 2 * (frame.job == "pilot")
    return frame, (score > score.median()).to_numpy()


def test_a_pipeline_and_its_columns():
    frame, y = people()
    columns = make_column_transformer(
        (StandardScaler(), ["age", "hours", "wealth"]), (OneHotEncoder(), ["job", "race"])
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    threat_model = ThreatModel.from_transformer(columns, frame, sensitive_features=["race"])
    result = boundary_distance(pipeline, frame[:40], threat_model=threat_model)
    assert set(result.status) == {"exact"}
    rows = result.as_rows()
    assert (pipeline.predict(rows.drop(columns="changed")) != result.predicted).all()
    assert_array_equal(rows["race"], frame["race"][:40])
    assert rows["age"].dtype == frame["age"].dtype
    assert rows["job"].isin(frame["job"]).all()
    # One step of a standard deviation of age costs 1.
    moves = (rows[["age", "hours", "wealth"]] - frame[["age", "hours", "wealth"]][:40]) / frame[
        ["age", "hours", "wealth"]
    ].std(ddof=0)
    switched = (rows["job"] != frame["job"][:40]).to_numpy()[:, None]
    cost = np.linalg.norm(np.concatenate([moves, switched], axis=1), axis=1)
    assert_allclose(cost, result.distance, rtol=1e-6)


# --- Bad input


@pytest.mark.parametrize("method", ["deepfool", "paper"])
def test_methods_that_are_not_for_tables(method):
    X, threat_model = table(0, 3)
    names = '"auto", "strong", "linear", "exact" or "decision"'
    with pytest.raises(ValueError, match=f"must be {names}; got .*{method}"):
        boundary_distance(network([9, 4, 2]), X, method=method, threat_model=threat_model)


@pytest.mark.parametrize("method", ["linear", "exact"])
def test_methods_that_are_for_other_models_in_tables(method):
    X, threat_model = table(0, 3)
    with pytest.raises(ValueError, match=f'method="{method}" needs an affine model'):
        boundary_distance(network([9, 4, 2]), X, method=method, threat_model=threat_model)


def test_options_that_are_not_for_tables():
    X, threat_model = table(0, 3)
    net = network([9, 4, 2])
    with pytest.raises(ValueError, match="certifies nothing: leave out certify=True"):
        boundary_distance(net, X, certify=True, threat_model=threat_model)
    with pytest.raises(ValueError, match='budget is for method="decision"'):
        boundary_distance(net, X, budget=500, threat_model=threat_model)


def test_samples_and_background_that_hold_no_category():
    X, threat_model = table(0, 3)
    broken = X.copy()
    broken[1, -1] = 0.5
    with pytest.raises(ValueError, match="row 1 holds no category"):
        boundary_distance(network([9, 4, 2]), broken, threat_model=threat_model)
    with pytest.raises(ValueError, match="background: row 1 holds no category"):
        boundary_distance(
            network([9, 4, 2]), X, threat_model=threat_model, background=broken, method="decision"
        )
    with pytest.raises(ValueError, match=r"background has samples of shape \(5,\)"):
        boundary_distance(
            network([9, 4, 2]), X, threat_model=threat_model, background=np.zeros((2, 5))
        )
