"""The search between the last two iterates, on functions of one variable."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from oracles import network
from robfair import ThreatModel, boundary_distance
from robfair._problem import Problem
from robfair.adapters import LogitModel
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient._line_search import Segments, _step_out, search_segments

NEAR = 2e-3  # what the search promises, relative to the distance of the flipped end


def line(margin):
    """Two classes on a line; class 0 has `margin` more than class 1."""

    def forward(points):
        forward.rows.append(len(points))
        g = margin(points[:, 0])
        return torch.stack([g, torch.zeros_like(g)], dim=1)

    forward.rows = []
    return forward


def search(forward, inside, outside, start=None, norm=2, dtype=torch.float64):
    inside, outside = (torch.as_tensor(e, dtype=dtype)[:, None] for e in (inside, outside))
    inside, outside = torch.broadcast_tensors(inside, outside)
    start = inside if start is None else torch.as_tensor(start, dtype=dtype)[:, None]
    found = search_segments(
        forward,
        start=start,
        inside=inside,
        outside=outside,
        label=torch.zeros(len(inside), dtype=torch.int64),
        margin_inside=forward(inside)[:, 0],
        margin_outside=forward(outside)[:, 0],
        norm=norm,
    )
    return found[0][:, 0].numpy(), found[1].numpy()


ROOTS = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
SHAPES = {
    "line": lambda x, r: 3 * (r - x),
    "tiny line": lambda x, r: 1e-20 * (r - x),
    "cubic": lambda x, r: (r - x) ** 3 + 0.1 * (r - x),
    "flat at the root": lambda x, r: (r - x) ** 9,
    "steep": lambda x, r: torch.tanh(50 * (r - x)),
    "step": lambda x, r: torch.where(x < r, 1.0, -1.0),
    "lopsided step": lambda x, r: torch.where(x < r, 1e6, -1.0),
    "decay": lambda x, r: torch.exp(-30 * x) - torch.exp(-30 * r),
    "saturation": lambda x, r: torch.exp(-30 * (1 - r)) - torch.exp(-30 * (1 - x)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_finds_the_boundary(shape):
    g = SHAPES[shape]
    for root in ROOTS:
        (t,), (n_forward,) = search(line(partial(g, r=root)), [0.0], [1.0])
        # On the far side, and within the tolerance of the root; the tie itself is not flipped.
        assert root - 1e-12 < t < root + NEAR
        assert g(torch.tensor(t), root) < 0
        assert n_forward <= (4 if "line" in shape else 40)


def test_rows_are_independent():
    roots = torch.rand(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ends = -roots, 1 - roots  # all roots at 0, all widths 1
    together, n_together = search(line(lambda x: -x - x**3), *ends)
    for i in range(40):
        alone, n_alone = search(line(lambda x: -x - x**3), ends[0][i : i + 1], ends[1][i : i + 1])
        assert_allclose(together[i], alone[0], rtol=1e-12)
        assert n_together[i] == n_alone[0]


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8))
def test_any_function_gives_a_flipped_point_between(values):
    # Piecewise linear through the values, positive at the start and negative at the end.
    values = np.array([1.0, *values, -1.0])
    knots = np.linspace(0, 1, len(values))

    def g(x):
        return torch.from_numpy(np.interp(x.numpy(), knots, values))

    (t,), _ = search(line(g), [0.0], [1.0])
    assert 0 < t <= 1
    assert g(torch.tensor([t])) < 0
    # A crossing lies just before: the point is on a boundary, not merely somewhere beyond.
    assert (g(torch.linspace(max(t - NEAR, 0), t, 50, dtype=torch.float64)) >= 0).any()


@pytest.mark.parametrize("norm", [2, np.inf])
def test_a_segment_shorter_than_the_tolerance_is_not_searched(norm):
    forward = line(lambda x: 5 - x)
    points, n_forward = search(forward, [4.9999], [5.001], start=[-1000.0], norm=norm)
    assert_array_equal(points, [5.001])
    assert_array_equal(n_forward, [1])


def test_the_tolerance_is_relative_to_the_distance_found():
    # A step that shot far beyond: the boundary at 1, the flipped end at 1e6.
    (t,), _ = search(line(lambda x: torch.tanh(1 - x)), [0.0], [1e6])
    assert 1 < t < 1.01


def test_the_verified_end_is_returned_as_it_is():
    end = np.float32(0.7)
    forward = line(lambda x: torch.where(x >= float(end), -1.0, 1.0))
    for inside in np.linspace(-0.3, 0.69, 30, dtype=np.float32):
        # inside + 1 * (end - inside) can round to less than end.
        points, _ = search(forward, [inside], [end], dtype=torch.float32)
        assert points[0] == end


def test_an_end_that_is_not_sure_is_moved_out_until_it_is_flipped():
    # From 2 to 5; the ends at half of the way and, last, at 0.995, with a tolerance of 0.01.
    t = torch.tensor([0.5] * 5 + [0.995, 0.995], dtype=torch.float64)
    flipped_from = torch.tensor([0.4, 0.505, 0.55, 0.9, 2, 0.997, 0.99], dtype=t.dtype)
    expected = np.array([0.5, 0.51, 0.58, 1.0, np.nan, 1.0, 0.995])
    row = torch.arange(7)

    def forward(points):  # the second feature tells the row
        g = (2 + 3 * flipped_from[points[:, 1].long()]) - points[:, 0]
        return torch.stack([g, 0 * g], dim=1)

    inside, outside = (torch.stack([x + 0 * t, row], dim=1) for x in (2, 5))
    points, passes = _step_out(forward, inside, outside, t, 0 * t + 0.01, 0 * row)
    assert_allclose(points[:, 0], 2 + 3 * expected, rtol=1e-12)
    assert passes.tolist() == [1, 2, 3, 4, 4, 2, 1]


def test_passes_that_confirm_a_point_are_counted():
    def forward(points):  # margins so far below the logits that none is beyond rounding
        forward.rows.append(len(points))
        return torch.stack([1e6 + 1e-8 * (0.5 - points[:, 0]), 1e6 + 0 * points[:, 0]], dim=1)

    forward.rows = []
    points, n_forward = search(forward, [0.0, 0.1], [1.0, 1.1])
    assert (points > 0.5).all()
    assert sum(forward.rows) - 4 == n_forward.sum()  # two ends of two segments are known before


def make_segments(n, batch_size, forward, advance=lambda n: None):
    X = np.zeros((n, 1))
    problem = Problem(LogitModel(nn.Identity()), X, None, 2, ThreatModel(), batch_size)
    results = ResultWriter(problem, True, advance)
    return Segments(problem, results, forward), results


@pytest.mark.parametrize("sizes", [(2, 2, 2, 2), (3, 3, 2), (1, 3, 3, 1), (4, 4), (7, 1)])
def test_batches_never_exceed_their_size(sizes):
    forward = line(lambda x: 1 - x)
    segments, results = make_segments(8, 4, forward)
    order = torch.tensor([5, 2, 7, 0, 1, 6, 4, 3])
    for index in order.split(sizes):
        ends = 2 + index[:, None].float() / 10
        segments.add(
            index=index,
            start=torch.zeros_like(ends),
            inside=torch.zeros_like(ends),
            outside=ends,
            label=torch.zeros(len(index), dtype=torch.int64),
            margin_inside=torch.ones(len(index)),
            margin_outside=1 - ends[:, 0],
        )
    segments.flush()
    segments.flush()  # nothing is left to search
    assert max(forward.rows) <= 4
    assert sum(forward.rows) == results.n_forward.sum()
    assert_allclose(results.distance, 1, rtol=5 * NEAR)
    assert_array_equal(results.adversarial[:, 0], results.distance)
    result = results.finish()
    assert result.counts() == {"found": 8}


def test_segments_wait_for_a_full_batch():
    forward = line(lambda x: 1 - x)
    segments, results = make_segments(8, 4, forward)
    results.n_forward += 10  # of the attack
    searched = []
    for index in torch.arange(8).split((3, 1, 3, 1)):
        before, ends = len(forward.rows), torch.full((len(index), 1), 2.0)
        segments.add(
            index=index, start=0 * ends, inside=0 * ends, outside=ends, label=0 * index,
            margin_inside=ends[:, 0] / 2, margin_outside=1 - ends[:, 0],
        )  # fmt: skip
        searched.append(len(forward.rows) > before)
    assert searched == [False, True, False, True]
    assert results.n_forward.sum() == 8 * 10 + sum(forward.rows)


def test_unconfirmed_samples_are_given_up():
    settled = []
    segments, results = make_segments(3, 4, line(lambda x: 5 - x), settled.append)
    one = torch.ones(3)
    segments.add(
        index=torch.tensor([2, 0, 1]),
        start=torch.zeros(3, 1),
        inside=torch.zeros(3, 1),
        outside=torch.tensor([[10.0], [1.0], [8.0]]),  # the second is flipped in name only
        label=torch.zeros(3, dtype=torch.int64),
        margin_inside=one,
        margin_outside=-one,
    )
    segments.flush()
    result = results.finish()
    assert_array_equal(result.status, ["censored", "found", "found"])
    assert_allclose(result.distance, [np.inf, 5, 5], rtol=5 * NEAR)
    assert sum(settled) == 3


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "strong", "deepfool"])
def test_saturated_ends_that_tie_are_halved(method):
    class Saturated(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = network([4, 3], dtype=torch.float32)

        def forward(self, x):
            assert torch.isfinite(x).all()
            return (100 * self.layer(x)).tanh()

    X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    assert boundary_distance(Saturated(), X, method=method).method == method
