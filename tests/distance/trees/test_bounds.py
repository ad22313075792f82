"""Bounds of boxes against points inside them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensembles import margins, pool_of, random_bins
from robfair.distance.trees._bounds import BoxBounds


@pytest.mark.parametrize("is_l2", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_no_point_of_a_box_has_a_greater_margin(seed, is_l2):
    rng, ensemble, costs, labels, pool = pool_of(seed, 1e9, is_l2)
    n, start = len(labels), pool.compiled.layout.start
    ends = np.sort([random_bins(rng, pool.compiled, n) for _ in range(2)], axis=0)
    box = np.stack([ends[0], ends[1]], axis=1).astype(np.int32)
    bounds, best = BoxBounds(pool), np.full(n, 3.0)
    view = bounds.view(np.arange(n), box, best)
    assert_allclose(view.margin, margins(ensemble, costs, labels, view.bins), atol=1e-12)
    order = 2 if is_l2 else np.inf
    for _ in range(40):
        bins = (box[:, 0] + rng.random(ends[0].shape) * (box[:, 1] - box[:, 0] + 1)).astype(int)
        size = np.take_along_axis(costs.of_bin, start + bins, axis=1)
        size = np.linalg.norm(size, order, axis=1)
        assert (bounds.cost(np.arange(n), box) <= size * (1 + 1e-12)).all()
        near = size < best
        assert (margins(ensemble, costs, labels, bins) <= view.bound + 1e-12)[near].all()
