"""The bound by prices against all cells of small ensembles."""

from itertools import product

import numpy as np
import pytest

from ensembles import margins, pool_of, two_class_objective
from robfair.distance.trees._lagrange import lagrange_prices
from robfair.distance.trees._pool import Pool


@pytest.mark.parametrize("seed", range(8))
def test_nothing_flips_nearer_than_the_bound(seed):
    _, ensemble, costs, labels, whole = pool_of(seed, 1e9)
    n = len(labels)
    cells = np.array(list(product(*(range(k) for k in whole.compiled.layout.n_bins))))
    nearest = np.full(n, np.inf)
    for cell in cells:
        bins = np.tile(cell, (n, 1))
        cost = np.take_along_axis(costs.of_bin, whole.compiled.layout.start + bins, axis=1)
        flips = margins(ensemble, costs, labels, bins) >= 0
        nearest = np.where(flips, np.minimum(nearest, np.linalg.norm(cost, axis=1)), nearest)
    radius = np.where(np.isfinite(nearest), np.maximum(nearest * 1.2, 1e-9), 5.0)
    objective = two_class_objective(ensemble, whole.compiled, labels)
    pool = Pool(costs, np.arange(n), radius, objective, True)
    bound = lagrange_prices(pool, radius, 1e-12).bound
    assert (bound <= np.minimum(nearest, radius) * (1 + 1e-9)).all()
    far = np.isfinite(nearest) & (nearest > 0)
    assert (bound[far] > 0.01 * nearest[far]).all()  # of few trees there is little to divide
