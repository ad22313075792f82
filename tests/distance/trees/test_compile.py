"""Each point meets all conditions of one leaf of each tree, the one that the tree leads to."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensembles import parts, random_bins, table_forest
from robfair.adapters.trees import read_trees
from robfair.distance.trees._compile import compile_ensemble
from robfair.distance.trees._costs import RowCosts
from robfair.distance.trees._groups import find_groups


def leaves_met(compiled, bins):
    layout = compiled.layout
    leaves = np.flatnonzero(compiled.left < 0)
    met = np.ones((len(bins), len(leaves)), dtype=bool)
    for k, leaf in enumerate(leaves):
        start = compiled.leaf_start[leaf]
        for q in compiled.leaf_condition[start : start + compiled.n_leaf[leaf]]:
            g = compiled.conditions.group[q]
            flags = np.full(len(bins), True) if layout.is_set[g] else None
            met[:, k] &= compiled.conditions.met(np.full(len(bins), q), bins[:, g], flags)
    return leaves, met


def check(ensemble, compiled, costs, bins):
    points = costs.points(np.zeros(len(bins), dtype=int), bins)
    leaves, met = leaves_met(compiled, bins)
    assert_array_equal(met.sum(axis=1), len(ensemble.roots))
    assert_array_equal(leaves[np.nonzero(met)[1]].reshape(len(bins), -1),
                       np.sort(ensemble.leaves(points), axis=1))  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_of_numbers(seed):
    rng, ensemble, compiled, costs = parts(seed, n_features=3)
    check(ensemble, compiled, costs, random_bins(rng, compiled, 40))


def test_of_categories():
    model, space = table_forest()
    ensemble = read_trees(model)
    compiled = compile_ensemble(ensemble, find_groups(ensemble, space), has_missing=False)
    costs = RowCosts(compiled, space, np.arange(len(space.X)))
    bins = random_bins(np.random.default_rng(0), compiled, 200)
    flat = compiled.layout.start + bins
    reachable = np.isfinite(costs.of_bin[0, flat]).all(axis=1)
    check(ensemble, compiled, costs, bins[reachable])
    conditions = compiled.conditions
    in_set = np.flatnonzero(compiled.layout.is_set[conditions.group])
    everywhere = np.arange(5)
    for q in in_set:  # the runs of neighbours are the set again
        flags = np.full(5, True)
        met = conditions.met(np.full(5, q), everywhere, flags)
        at = slice(conditions.run_start[q], conditions.run_start[q] + conditions.n_runs[q])
        ends = zip(conditions.run_first[at], conditions.run_last[at], strict=True)
        runs = [b for first, last in ends for b in range(first, last + 1)]
        assert_array_equal(np.flatnonzero(met), runs)
        assert conditions.n_met(np.array([q]), np.array([1]), np.array([3])) == met[1:4].sum()
