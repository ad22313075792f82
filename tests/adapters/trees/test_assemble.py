import numpy as np
from numpy.testing import assert_array_equal

from robfair.adapters.trees._assemble import Tree, assemble, split_trees


def chain(values, codes):
    """Return a tree of two inner nodes, 0 and 2; the second one compares codes."""
    return Tree(
        feature=np.array([1, 5, 0, 5, 5]),
        split=np.array([1.5, 9, 9, 9, 9]),
        left=np.array([1, -1, 3, -1, -1]),
        right=np.array([2, -1, 4, -1, -1]),
        missing_left=np.array([True, True, False, True, True]),
        value=np.array(values, dtype=float)[:, None],
        left_codes={2: np.array(codes)},
        unseen_left=np.array([False, False, True, False, False]),
    )


def test_nodes_of_all_trees_in_one_table():
    trees = [chain([9, 1, 9, 2, 3], [True, False]), chain([9, 4, 9, 5, 6], [False, True, False])]
    ensemble = assemble(trees, classes=np.array([0, 1]), n_features=2, base=[0.0])
    assert_array_equal(ensemble.roots, [0, 5])
    assert_array_equal(ensemble.feature, [1, -1, 0, -1, -1, 1, -1, 0, -1, -1])
    assert_array_equal(ensemble.left, [1, -1, 3, -1, -1, 6, -1, 8, -1, -1])
    assert_array_equal(ensemble.right, [2, -1, 4, -1, -1, 7, -1, 9, -1, -1])
    assert_array_equal(ensemble.missing_left, [True, *[False] * 4, True, *[False] * 4])
    assert_array_equal(ensemble.value[:, 0], [0, 1, 0, 2, 3, 0, 4, 0, 5, 6])
    assert_array_equal(ensemble.left_set, [-1, -1, 0, -1, -1, -1, -1, 1, -1, -1])
    # The first tree has not seen code 2, which goes left there.
    assert_array_equal(ensemble.left_sets, [[True, False, True], [False, True, False]])


def test_trees_of_an_ensemble_one_by_one():
    trees = [chain([9, 1, 9, 2, 3], [True, False]), chain([9, 4, 9, 5, 6], [False, True, False])]
    options = {"classes": np.array([0, 1]), "n_features": 2, "base": [0.0]}
    whole = assemble(trees, **options)
    again = assemble(split_trees(whole), **options)
    for name in vars(whole):
        assert_array_equal(getattr(again, name), getattr(whole, name), name)
    alone = assemble(split_trees(whole)[1:], **options)
    rows = np.stack(np.meshgrid([-1, 0, 1, 2, 3, np.nan], [1, 2, np.nan]), -1).reshape(-1, 2)
    expected = assemble(trees[1:], **options)
    assert_array_equal(alone.scores(rows), expected.scores(rows))
