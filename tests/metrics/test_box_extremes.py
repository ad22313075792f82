from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from robfair.metrics import _box_extremes
from robfair.metrics._box_extremes import (
    dispersion_extremes,
    gini_extremes,
    ratio_extremes,
    variance_extremes,
)

ENDS = st.one_of(st.integers(0, 6).map(float), st.floats(1e-3, 10.0))


def cv(r):
    return r.std(axis=-1) / r.mean(axis=-1)


def gini(r):
    """Return the mean difference of two of the numbers, divided by twice their mean."""
    return np.abs(r[..., :, None] - r[..., None, :]).mean(axis=(-2, -1)) / 2 / r.mean(axis=-1)


MEASURES = [
    pytest.param(variance_extremes, lambda r: r.var(axis=-1), id="variance"),
    pytest.param(dispersion_extremes, cv, id="dispersion"),
    pytest.param(gini_extremes, gini, id="Gini"),
]
SEARCHED = MEASURES[:2]  # the greatest Gini coefficient needs no search


@st.composite
def boxes(draw, max_size=8, least_end=0.0):
    """Boxes of arbitrary intervals, or of nested ones around one midpoint: the hard ones."""
    n = draw(st.integers(2, max_size))
    first, second = (np.array(draw(st.lists(ENDS, min_size=n, max_size=n))) for _ in range(2))
    if draw(st.booleans()):
        return np.minimum(first, second) + least_end, np.maximum(first, second) + least_end
    middle = least_end + first.max() + draw(ENDS)
    return middle - first, middle + first


def vertices(low, high):
    every = np.array(list(product(*zip(low, high, strict=True))))
    return every[every.any(axis=1)]


def nested(n, seed=0):
    half = np.random.default_rng(seed).random(n)
    return 2 - half, 2 + half


@pytest.mark.parametrize(("extremes", "measure"), MEASURES)
@given(boxes())
def test_greatest_is_that_of_all_vertices(extremes, measure, box):
    assume(box[1].any())
    greatest = measure(vertices(*box)).max()
    assert extremes(*box)[1] == pytest.approx(greatest, rel=1e-7, abs=1e-12)


@given(boxes(max_size=4))
def test_the_ratio_of_all_vertices_and_of_numbers_as_equal_as_can_be(box):
    low, high = box
    if not high.any():
        assert np.isnan(ratio_extremes(low, high)).all()
        return
    level = np.concatenate([low, high])[:, np.newaxis].clip(low, high)
    points = np.concatenate([vertices(low, high), level[level.any(axis=1)]])
    ratios = points.min(axis=1) / points.max(axis=1)
    assert ratio_extremes(low, high) == pytest.approx((ratios.min(), ratios.max()))


@pytest.mark.parametrize(
    ("high", "expected"),
    [([2.0, np.inf], (0, 1)), ([0.5, np.inf], (0, 0.5)), ([1.0], (None, None))],
)
def test_the_ratio_of_unbounded_numbers_and_of_one(high, expected):
    low = np.ones(len(high)) * [0.5, 1.0][: len(high)]
    found = [None if np.isnan(end) else end for end in ratio_extremes(low, np.array(high))]
    assert found == list(expected)


def test_the_ratio_of_numbers_that_may_be_zero():
    assert ratio_extremes(np.zeros(2), np.array([0.0, 2.0])) == (0, 0)
    assert ratio_extremes(np.zeros(2), np.array([0.5, 0.5])) == (0, 1)
    assert ratio_extremes(np.array([0.2, 0.3]), np.array([0.4, 0.5])) == pytest.approx((0.4, 1))


@pytest.mark.parametrize(("extremes", "measure"), SEARCHED)
@settings(max_examples=12, deadline=None)
@given(boxes(max_size=5, least_end=0.1))
def test_least_is_what_scipy_finds(extremes, measure, box):
    low, high = box
    least = extremes(low, high)[0]
    starts = [low, (low + high) / 2, np.full_like(low, np.median(low)).clip(low, high)]
    found = min(
        minimize(measure, start, bounds=list(zip(low, high, strict=True))).fun for start in starts
    )
    assert least <= found + 1e-12
    assert least == pytest.approx(found, rel=1e-3, abs=1e-4)


@settings(max_examples=12, deadline=None)
@given(boxes(max_size=5, least_end=0.1))
def test_the_least_gini_coefficient_is_that_of_a_linear_program(box):
    low, high = box
    n = len(low)
    pairs = np.array(list(combinations(range(n), 2)))
    # Of the numbers divided by their sum, of that factor, and of a difference for each pair.
    size, difference = np.eye(n), np.eye(n)[pairs[:, 0]] - np.eye(n)[pairs[:, 1]]
    none, apart = np.zeros((n, len(pairs))), -np.eye(len(pairs))
    idle = np.zeros((len(pairs), 1))
    above = [
        [-size, low[:, None], none],
        [size, -high[:, None], none],
        [difference, idle, apart],
        [-difference, idle, apart],
    ]
    found = linprog(
        np.r_[np.zeros(n + 1), np.full(len(pairs), 1 / n)],
        A_ub=np.block(above),
        b_ub=np.zeros(2 * n + 2 * len(pairs)),
        A_eq=[np.r_[np.ones(n), np.zeros(1 + len(pairs))]],
        b_eq=[1],
    )
    assert gini_extremes(low, high)[0] == pytest.approx(found.fun, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(("extremes", "measure"), MEASURES)
@given(boxes(), st.integers(0, 2**32 - 1))
def test_no_point_lies_outside(extremes, measure, box, seed):
    low, high = box
    assume(high.any())
    least, greatest = extremes(low, high)
    rng = np.random.default_rng(seed)
    # Many coordinates at ends, and points of numbers as equal as can be: the extremes are there.
    part = (1.5 * rng.random((50, len(low))) - 0.25).clip(0, 1)
    near = (high.max() * rng.random((50, 1))).clip(low, high)
    points = np.concatenate([low + part * (high - low), near])
    values = measure(points[points.any(axis=1)])
    assert (least * (1 - 1e-9) - 1e-12 <= values).all()
    assert (values <= greatest * (1 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize(("extremes", "measure"), MEASURES)
@given(boxes(), st.sampled_from([1e-120, 1e-6, 0.7, 1e6, 1e120]))
def test_scale(extremes, measure, box, scale):
    assume(box[1].any())
    power = 2 if extremes is variance_extremes else 0
    scaled = extremes(scale * box[0], scale * box[1])
    size = scale**power
    assert np.array(scaled) == pytest.approx(
        size * np.array(extremes(*box)), rel=1e-6, abs=1e-12 * size
    )


@pytest.mark.parametrize(("extremes", "measure"), MEASURES)
@pytest.mark.parametrize("n", [2, 3, 11, 40])
def test_points_have_one_value(extremes, measure, n):
    r = np.random.default_rng(n).random(n)
    assert extremes(r, r) == pytest.approx((measure(r), measure(r)), rel=1e-12)
    same = np.full(n, 0.1)
    assert extremes(same, same) == pytest.approx((0, 0), abs=1e-15)


@pytest.mark.parametrize("n", [2, 3, 7, 12, 40, 201])
def test_equal_intervals(n):
    # Half of them at each end, as nearly as can be. Without the order of intervals this search
    # would have to tell apart 10^11 equal choices for n = 40.
    low, high = np.full(n, 1.0), np.full(n, 3.0)
    n_up = np.arange(n + 1)
    r = np.where(np.arange(n) < n_up[:, np.newaxis], 3.0, 1.0)
    assert variance_extremes(low, high) == pytest.approx((0, r.var(axis=1).max()), rel=1e-8)
    assert dispersion_extremes(low, high) == pytest.approx((0, cv(r).max()), rel=1e-8)


@pytest.mark.parametrize(("extremes", "measure"), MEASURES)
@pytest.mark.parametrize("n", [40, 200])
def test_intervals_in_order_have_as_many_candidates_as_numbers(extremes, measure, n):
    rng = np.random.default_rng(n)
    low, high = np.sort(rng.random(n)), np.sort(1 + rng.random(n))
    thresholds = np.where(np.arange(n) < np.arange(n + 1)[:, np.newaxis], low, high)
    assert extremes(low, high)[1] == pytest.approx(measure(thresholds).max(), rel=1e-8)


def halves(low, high):
    """All sums and sums of squares of ends of the first and of the second half of the numbers."""
    m = len(low) // 2
    ends = (vertices(low[:m], high[:m]), vertices(low[m:], high[m:]))
    return [(r.sum(axis=1), (r**2).sum(axis=1)) for r in ends]


def test_the_hard_case_is_exact_beyond_enumeration():
    # Nested intervals: the variance is greatest where the half-widths, with signs, add up to the
    # least: the partition problem. The oracle meets in the middle of 2^20 choices.
    low, high = nested(20)
    (first, _), (second, _) = halves(low - 2, high - 2)
    second = np.sort(second)
    at = np.searchsorted(second, -first).clip(1, len(second) - 1)
    imbalance = min(abs(first + second[at - 1]).min(), abs(first + second[at]).min())
    truth = ((high - 2) ** 2).mean() - (imbalance / 20) ** 2
    assert variance_extremes(low, high)[1] == pytest.approx(truth, rel=2e-9)


@pytest.mark.parametrize(("extremes", "measure"), SEARCHED)
@pytest.mark.parametrize(("setting", "value"), [("_NODE_LIMIT", 1), ("_TOLERANCE", 0.3)])
@given(box=boxes(least_end=0.01))
def test_a_search_cut_short_still_bounds(extremes, measure, setting, value, box):
    greatest = measure(vertices(*box)).max()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_box_extremes, setting, value)
        bound = extremes(*box)[1]
    assert bound >= greatest * (1 - 1e-9) - 1e-12
    if extremes is variance_extremes:
        excess = (max(box[1] - box[0]) / (2 * len(box[0]))) ** 2
        assert bound <= greatest + excess * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize(("extremes", "measure"), SEARCHED)
@pytest.mark.parametrize("n", [40, 200])
def test_the_search_ends(extremes, measure, n, monkeypatch):
    looked_at = []
    of = _box_extremes._Node.of.__func__
    monkeypatch.setattr(
        _box_extremes._Node,
        "of",
        classmethod(lambda cls, *box: looked_at.append(1) or of(cls, *box)),
    )
    half = np.random.default_rng(0).integers(0, 20, n) * 2 + 1.0  # odd, so never in balance
    low, high = 50 - half, 50 + half
    least, greatest = extremes(low, high)
    assert len(looked_at) <= _box_extremes._NODE_LIMIT + 1
    assert least == 0
    assert greatest >= measure(np.where(np.arange(n) % 2, low, high))
    looked_at.clear()
    # Intervals as they come need far fewer.
    rng = np.random.default_rng(1)
    low = rng.random(n)
    extremes(low, low + rng.random(n))
    assert len(looked_at) < 100
    looked_at.clear()
    # Nor does rounding keep it busy where nothing is left to choose.
    extremes(low, low)
    extremes(np.full(n, 0.1), np.full(n, 0.1))
    assert len(looked_at) == 2


def test_an_infinite_end_is_as_large_as_one_likes():
    inf = np.inf
    low, high = np.array([1.0, 3.0, 2.0]), np.array([2.0, inf, inf])
    assert variance_extremes(low, high)[1] == inf
    assert dispersion_extremes(low, high)[1] == pytest.approx(np.sqrt(2))
    assert gini_extremes(low, high)[1] == pytest.approx(2 / 3)
    # The least is the one of some large end, as nothing is gained out there.
    large = np.array([2.0, 1e3, 1e3])
    assert variance_extremes(low, high)[0] == pytest.approx(variance_extremes(low, large)[0])
    assert dispersion_extremes(low, high)[0] == pytest.approx(dispersion_extremes(low, large)[0])
    assert gini_extremes(low, high)[0] == pytest.approx(gini_extremes(low, large)[0])
    # One that is infinite for sure leaves the finite ones behind.
    low = np.array([1.0, inf, 2.0])
    assert variance_extremes(low, high) == (inf, inf)
    assert dispersion_extremes(low, high) == pytest.approx((cv(np.array([0, 1, 1])), np.sqrt(2)))
    assert gini_extremes(low, high) == pytest.approx((gini(np.array([0, 1, 1])), 2 / 3))
    everywhere = np.full(3, inf)
    assert variance_extremes(low, everywhere) == (0, inf)
    assert dispersion_extremes(everywhere, everywhere) == pytest.approx((0, np.sqrt(2)))


def test_dispersion_where_all_may_be_zero():
    zero = np.zeros(4)
    assert np.isnan([*dispersion_extremes(zero, zero), *gini_extremes(zero, zero)]).all()
    # Two of four cannot be above 0; of the other two, one alone can.
    high = np.array([0.0, 2.0, 1e-3, 0.0])
    assert dispersion_extremes(zero, high) == pytest.approx((1.0, np.sqrt(3)))
    assert gini_extremes(zero, high) == pytest.approx((0.5, 0.75))
    assert variance_extremes(zero, zero) == (0, 0)


def test_dispersion_beside_next_to_nothing():
    tiny = np.array([1e-200, 2e-200, 0.0])
    for high in (np.array([1.0, 1e-190, 2.0]), np.array([3e-200, 2e-200, 0.0])):
        assert dispersion_extremes(tiny, high)[1] <= np.sqrt(2) * (1 + 1e-12)
    assert dispersion_extremes(tiny, tiny) == pytest.approx((cv(np.array([1, 2, 0])),) * 2)
