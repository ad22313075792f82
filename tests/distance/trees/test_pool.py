"""Pools against the sums of leaves of an ensemble."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensembles import margins, pool_of, random_bins


@pytest.mark.parametrize("seed", range(6))
def test_margins_are_those_of_the_ensemble(seed):
    rng, ensemble, costs, labels, pool = pool_of(seed, 1e9)
    bins = random_bins(rng, pool.compiled, len(labels))
    width = pool.compiled.layout.width
    margin, moved = pool.margins(bins, np.arange(len(labels) * width))
    moved = moved.reshape(-1, width)
    assert_allclose(margin, margins(ensemble, costs, labels, bins), atol=1e-12)
    layout = pool.compiled.layout
    for item in range(layout.width):
        g, b = layout.group[item], layout.bin[item]
        if b < layout.n_bins[g]:
            other = bins.copy()
            other[:, g] = b
            right = margins(ensemble, costs, labels, other)
            assert_allclose(moved[:, item], right, atol=1e-12)
    half = np.arange(len(labels)) % 2 == 0
    some = np.array([width + 1, 0])
    of_half = pool.part(half).margins(bins[half], some)
    assert_allclose(of_half[0], margin[half], atol=1e-12)
    assert_allclose(of_half[1], moved[half].ravel()[some], atol=1e-12)


@pytest.mark.parametrize("is_l2", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_in_the_ball_has_a_greater_margin_than_the_bound(seed, is_l2):
    rng, ensemble, costs, labels, pool = pool_of(seed, 2.0, is_l2)
    start = pool.compiled.layout.start
    seen = 0
    for _ in range(30):
        bins = random_bins(rng, pool.compiled, len(labels))
        bins = np.where(rng.random(bins.shape) < 0.6, costs.own, bins)
        cost = np.take_along_axis(costs.of_bin, start + bins, axis=1)
        size = np.linalg.norm(cost, 2 if is_l2 else np.inf, axis=1)
        inside = size <= 2.0
        seen += inside.sum()
        right = margins(ensemble, costs, labels, bins)
        assert (right <= pool.upper + 1e-12)[inside].all()
        margin, _ = pool.margins(bins, np.zeros(0, dtype=np.intp))
        assert_allclose(margin[inside], right[inside], atol=1e-12)
    assert seen > 50
