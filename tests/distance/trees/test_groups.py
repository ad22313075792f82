"""Bins: where values lie, and the least moves into others."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.tree import DecisionTreeClassifier

from ensembles import parts, table_forest
from robfair import ThreatModel
from robfair.adapters.trees import read_trees
from robfair.distance.tabular import TableSpace
from robfair.distance.trees._groups import find_groups, left_of


def test_values_on_a_split_are_left_of_it_and_the_next_ones_right():
    _, ensemble, compiled, costs = parts(0, n_classes=2, n_features=1)
    group = compiled.groups[0]
    assert_array_equal(group.high[:-1], np.unique(ensemble.split[ensemble.feature == 0]))
    assert_array_equal(group.low[1:], np.nextafter(group.high[:-1], np.inf))
    space = costs.space
    space.X = np.concatenate([group.high[:-1], group.low[1:]])[:, None]
    n = len(group.high) - 1
    assert_array_equal(group.own(space, np.arange(2 * n)), np.r_[:n, 1 : n + 1])


def test_integers_enter_bins_by_whole_steps():
    model, space = table_forest()
    group = next(g for g in find_groups(read_trees(model), space) if not g.is_set)
    rows = np.arange(len(space.X))
    cost = group.cost(space, rows, group.low, group.high)
    steps = np.arange(-20, 21)
    for i in rows:
        moved = space.X[i, 0] + 0.5 * steps
        moved, k = moved[(moved > 0.05) & (moved < 4.15)], steps[(moved > 0.05) & (moved < 4.15)]
        for b in range(group.n_bins):
            inside = (group.low[b] <= moved) & (moved <= group.high[b])
            right = np.abs(k[inside]).min() * 0.5 / 2 if inside.any() else np.inf
            assert_allclose(cost[i, b], right)


def test_steps_of_a_row_do_not_depend_on_the_numbers_of_others():
    X = np.array([[0.1], [0.1 + 5e-8], [1e8 + 0.1]])
    model = DecisionTreeClassifier(random_state=0).fit(
        [[0.0], [1.0]], [0, 1]
    )  # splits 3e-8 after 0.5
    cost = []
    for rows in (X, X[:2]):
        space = TableSpace(ThreatModel(integer=[0.1]).bind(rows), rows, rows.dtype)
        (group,) = find_groups(read_trees(model), space)
        cost.append(group.cost(space, np.arange(2), group.low, group.high) * space.unit)
    assert_array_equal(*cost)
    assert_allclose(cost[0][:, 1], [0.5, 0.4])  # the first would reach the split itself


def test_categories_with_like_effects_are_neighbours():
    model, space = table_forest()
    group = next(g for g in find_groups(read_trees(model), space) if g.is_set)
    order = np.argsort(group.bin_of)
    effect = np.array([0, 3, 1, 2, 4])[order]
    assert_array_equal(np.abs(np.diff(effect)).max() <= 2, True)
    points = space.X[:5].copy()
    group.write(space, np.arange(5), group.bin_of, points)
    assert_array_equal(points[:, 1:], np.eye(5))


def test_sides_of_nodes():
    _, ensemble, _, costs = parts(1, n_classes=2, n_features=2)
    nodes = np.flatnonzero(ensemble.feature == 0)
    values = costs.space.X[:, 0]
    right = values <= ensemble.split[nodes][:, None]
    assert_array_equal(left_of(ensemble, nodes, values), right)
