"""Rows of a table: how edits make them, and what they cost."""

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mixed_rows import FEW, NORMS, rules, samples
from robfair import ThreatModel, boundary_distance
from robfair.distance.tabular._space import TableRows, TableSpace


@FEW
@given(seed=st.integers(0, 2**16), norm=st.sampled_from(NORMS), dtype=st.sampled_from("fd"))
def test_edits_are_valid_rows_at_their_cost(seed, norm, dtype):
    rng, threat_model = np.random.default_rng(seed), rules(norm)
    X = samples(rng)
    space = TableSpace(threat_model, X, dtype)
    rows = space.unperturbed(np.repeat(np.arange(len(X)), 3))
    for _ in range(4):
        allowed = space.allowed_edits(rows)
        edits = np.array([rng.choice(np.flatnonzero(row)) for row in allowed])
        after = space.build(space.apply_edits(rows, edits))
        assert (after.points != rows.points).any(axis=1).all()
        after.points[:, 2] = rng.uniform(-3, 3, len(after))
        start = X[after.sample]
        assert threat_model.valid(start, after.points).all()
        rtol = 1e-6 if dtype == "f" else 1e-12
        assert_allclose(space.cost(after), threat_model.cost(start, after.points), rtol=rtol)
        assert_allclose(
            space.combine(space.discrete_cost(after), space.move_cost(after, space.continuous)),
            space.cost(after),
        )
        rows = after


def test_edits_stop_at_the_walls_and_at_what_is_immutable():
    X = np.array([[2, -2, 0, 1, 0, 4.0]])
    space = TableSpace(rules(), X, float)
    rows = space.unperturbed(np.array([0]))
    # Categories 0 and 2 of the first block, 0 and 1 of the second, down in the first, up in the
    # second: the others are what the sample is, or leave the box.
    assert_array_equal(space.allowed_edits(rows)[0], [1, 0, 1, 1, 1, 0, 1, 0, 0, 1])
    fixed = TableSpace(rules(mutable=[False, True, True, True, True, False]), X, float)
    assert_array_equal(fixed.edit_feature, [0, 0, 0, 1, 1])


def test_short_moves_are_prolonged_where_the_box_leaves_room():
    X = np.array([[1.0, 5.0], [1.005, 5.0], [1.0, 5.0]])
    frame = np.array([[1.0, 5.0], [1.5, 5.5], [1.25, 6.0]])  # written to 0.01 and to 0.1
    threat_model = ThreatModel.from_frame(frame)
    space = TableSpace(threat_model, X, float, written=True)
    assert_array_equal(space.resolution, [0.01, 0.1])
    moved = X + np.array([[1e-8, 1e-8], [-1e-8, 0], [0, 0.5]])
    expected = X + np.array(
        [[0.01, 0.1], [0, 0], [0, 0.5]]
    )  # the box ends less than 0.01 below 1.005
    rows = TableRows(np.arange(3), np.zeros((3, 0), int), np.zeros((3, 0)), moved)
    assert_array_equal(space.build(rows).points, expected)
    by_gradients = TableSpace(threat_model, X, float)
    assert_array_equal(by_gradients.build(rows).points, moved)
    short = replace(rows, points=X + 1e-12 * frame.std(axis=0))
    assert_allclose(by_gradients.build(short).points - X, [1e-9 * frame.std(axis=0)] * 3, rtol=1e-6)


def test_a_row_on_a_threshold_is_a_written_step_away():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"price": rng.uniform(30, 50, 60).round(2), "kind": ["a", "b"] * 30})
    frame.loc[::4, "price"] = 40.0  # the model cuts at a value of the data, as XGBoost does

    def predict(X):
        return X["price"] < 40.0

    std = frame["price"].std(ddof=0)
    result = boundary_distance(predict, frame, threat_model=ThreatModel.from_frame(frame))
    expected = np.where(
        frame["price"] < 40, 40 - frame["price"], (frame["price"] - 40).clip(lower=0) + 0.01
    )
    assert_allclose(result.distance[::4], 0.01 / std)
    assert_allclose(result.distance, expected / std, atol=0.011 / std)
    assert (result.distance > 0.0099 / std).all()
    assert result.as_rows()["price"].iloc[0] == 39.99
    # The same in the features of a transformer.
    encode = make_column_transformer((StandardScaler(), ["price"]), (OneHotEncoder(), ["kind"]))
    rows = encode.fit_transform(frame)
    cut = rows[0, 0]
    scaled = boundary_distance(
        lambda rows: rows[:, 0] < cut,
        rows,
        threat_model=ThreatModel.from_transformer(encode, frame),
    )
    assert_allclose(scaled.distance[::4], 0.01 / std)
