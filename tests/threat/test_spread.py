"""Threat models over samples of a shape: arrays, costs and valid points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from customers import SIZE, X, table
from robfair import ThreatModel
from robfair.threat import Block

NORMS = [2, np.inf]


def test_box_and_mask_broadcast_to_one_sample():
    low = np.zeros((3, 1, 1))
    high = np.arange(1, 4).reshape(3, 1, 1)
    model = ThreatModel(bounds=(low, high), mutable=[True, False])
    box = model.box((3, 2, 2))
    assert_array_equal(box[0], np.zeros(12))
    assert_array_equal(box[1], np.repeat([1, 2, 3], 4))
    assert_array_equal(model.mask((3, 2, 2)), np.tile([True, False], 6))
    assert ThreatModel().box((3,)) is None
    assert ThreatModel().mask((3,)) is None
    assert ThreatModel(mutable=[True, True]).mask((2,)) is None


def test_fields_spread_over_a_sample():
    model = table(mutable=[True, False, True, True, True, False], integer=[3, 0, 3, 3, 3, 3])
    assert_array_equal(model.spacing((6,)), [3, 0, 0, 0, 0, 0])
    assert_array_equal(model.units((6,)), [10, 2e4, 1, 1, 1, 1])
    assert_array_equal(model.numeric((6,)), [True, False, False, False, False, False])
    assert_array_equal(model.box((6,))[0], [17, 0, *[-np.inf] * 4])
    assert_array_equal(model.box((6,))[1], [90, 1e5, *[np.inf] * 4])
    assert model.mutable_blocks((6,)) == (0,)
    assert [block.columns for block in model.blocks] == [(2, 3, 4), (5,)]
    assert_array_equal(ThreatModel(integer=True).spacing((3,)), [1, 1, 1])
    assert_array_equal(ThreatModel().spacing((3,)), [0, 0, 0])
    assert_array_equal(ThreatModel().units((3,)), [1, 1, 1])
    assert ThreatModel().numeric((3,)).all()
    assert ThreatModel().blocks == ()


@pytest.mark.parametrize(("norm", "expected"), [(2, np.sqrt(0.49 + 0.25 + 9)), (np.inf, 3)])
def test_cost_by_hand(norm, expected):
    points = np.array([[47, 2e4, 0, 1, 0, 1], [np.nan] * 6])
    model = table(norm=norm, category_cost=3)
    assert_allclose(model.cost(X, points), [expected, np.nan])
    points[0, 4] = 1
    with pytest.raises(ValueError, match="row 0 holds no category"):
        model.cost(X, points)
    with pytest.raises(ValueError, match=r"the same shape.*\(2, 6\) and \(1, 6\)"):
        model.cost(X, points[:1])


ROW = st.tuples(st.integers(17, 90), st.floats(0, 1e5), st.integers(0, 2), st.integers(0, 2))


def encode(row):
    return np.array([[row[0], row[1], *np.eye(3)[row[2]], row[3]]])


@pytest.mark.parametrize("norm", NORMS)
@given(row=ROW, other=ROW, factor=st.sampled_from([0.01, 1.0, 100.0]))
def test_cost_is_the_norm_of_the_columns_changes(norm, row, other, factor):
    delta = [
        (row[0] - other[0]) / 10,
        (row[1] - other[1]) / 2e4,
        1.5 * (row[2] != other[2]),
        1.5 * (row[3] != other[3]),
    ]
    bounds = ([17 * factor, *[0] * 5], [90 * factor, 1e5 * factor, *[0] * 4])
    # All features times 100, and their units, steps and codes with them: nothing else changes.
    model = ThreatModel(
        norm,
        bounds,
        categories=[Block((2, 3, 4), np.eye(3) * factor), Block((5,), SIZE.codes * factor)],
        integer=np.array([factor, 0, 0, 0, 0, 0]),
        unit=np.array([10, 2e4, 1, 1, 1, 1]) * factor,
        category_cost=1.5,
    )
    for dtype, atol in ((np.float64, 1e-9), (np.float32, 1e-5)):
        x, points = (factor * encode(r).astype(dtype) for r in (row, other))
        model.check(x)
        cost = model.cost(x, points)
        assert_allclose(cost, np.linalg.norm(delta, norm), rtol=0, atol=atol)
        assert model.valid(x, points).all()


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ([7, 0, 0, 0, 0, 0], True),
        ([0, 0.5, 0, 0, 0, 0], True),
        ([0, 0, -1, 1, 0, 0], True),
        ([0, 0, 0, 0, 0, 1], True),
        ([0.5, 0, 0, 0, 0, 0], False),
        ([51, 0, 0, 0, 0, 0], False),
        ([-24, 0, 0, 0, 0, 0], False),
        ([0, 0, 0, 1, 0, 0], False),
        ([0, 0, -1, 0, 0, 0], False),
        ([0, 0, 0, 0, 0, 0.5], False),
        ([0, np.nan, 0, 0, 0, 0], False),
    ],
)
def test_valid_by_hand(change, valid):
    for dtype in (np.float64, np.float32):
        start = X[:1].astype(dtype)
        points = start + np.array(change, dtype=dtype)
        assert table().valid(start, points) == [valid]
    moved = np.flatnonzero(change)
    fixed = ~np.isin(np.arange(6), moved)
    for block in ([2, 3, 4], [5]):
        fixed[block] = fixed[block].all()
    if valid:
        assert not table(mutable=fixed).valid(start, points)


def test_integers_move_from_their_own_value():
    model = ThreatModel(integer=[0.1, 0])
    x = np.array([[0.123, 5.0]])
    assert model.valid(x, x + np.array([[0.3, 0.01]]))
    assert not model.valid(x, np.array([[0.3, 5.0]]))
    # Standardised with a mean of 190,000 and a deviation of 105,000, held as float32.
    start = np.array([[(77_516 - 190_000) / 105_000]])
    model = ThreatModel(integer=[1 / 105_000])
    steps = np.array([[0, 1, 12_345, 1_000_000]]).T
    points = (start + steps / 105_000).astype(np.float32)
    assert model.valid(np.repeat(start, 4, axis=0), points).all()
    assert not model.valid(start, (start + 1.5 / 105_000).astype(np.float32))
