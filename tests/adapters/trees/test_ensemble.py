import numpy as np
import pytest
from numpy.testing import assert_array_equal

from robfair.adapters.trees._assemble import Tree, assemble


def stump(feature, split, values, **more):
    return Tree(
        feature=np.array([feature, 0, 0]),
        split=np.array([split, 7.0, 7.0]),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        missing_left=np.array([more.pop("missing_left", False), True, True]),
        value=np.array([np.zeros_like(values[0]), *values], dtype=float),
        **more,
    )


def test_sum_by_hand():
    trees = [stump(0, 1.0, [[-1.0], [2.0]]), stump(1, 0.0, [[0.5], [-3.0]], missing_left=True)]
    ensemble = assemble(trees, classes=np.array(["a", "b"]), n_features=2, base=[0.5])
    X = [[1.0, 0.0], [np.nextafter(1, 2), 0.0], [np.nan, np.nan], [1.0, 5.0]]
    assert ensemble.scores(X).tolist() == [[0.0], [3.0], [3.0], [-3.5]]
    assert ensemble.predict(X).tolist() == ["a", "b", "b", "a"]
    assert_array_equal(ensemble.feature, [0, -1, -1, 1, -1, -1])
    assert_array_equal(ensemble.leaves(X), [[1, 4], [2, 4], [2, 4], [1, 5]])
    ties = assemble(trees, classes=np.array(["a", "b"]), n_features=2, base=[0.5], ties_to=1)
    assert ties.predict(X).tolist() == ["b", "b", "b", "a"]


def test_codes():
    sets = {"left_codes": {0: np.array([False, True, False, True])}}
    for unseen, side in ((True, 1.0), (False, 2.0)):
        tree = stump(0, np.inf, [[1.0], [2.0]], unseen_left=np.array([unseen] * 3), **sets)
        ensemble = assemble([tree], classes=np.arange(2), n_features=1, base=[0])
        X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [-1.0], [np.nan], [1.9], [1e20]])
        expected = [2.0, 1.0, 2.0, 1.0, side, side, side, 2.0, 1.0, side]
        assert ensemble.scores(X)[:, 0].tolist() == expected


def test_many_classes_and_no_trees():
    tree = stump(0, 0.0, [[1.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    ensemble = assemble([tree], classes=np.array([4, 5, 6]), n_features=1, base=np.zeros(3))
    assert ensemble.predict([[0.0], [1.0]]).tolist() == [4, 6]  # the first of equal scores
    empty = assemble([], classes=np.arange(2), n_features=1, base=[1.0])
    assert empty.predict([[0.0]]).tolist() == [1]


def test_a_label_within_the_rounding_does_not_differ():
    trees = [stump(0, 0.0, [[1e-9], [1e-3]])]
    ensemble = assemble(trees, classes=np.array([0, 1]), n_features=1, base=[0.0], rounding=1e-6)
    X = [[0.0], [1.0]]
    assert ensemble.differs(X, np.array([0, 0])).tolist() == [False, True]
    assert ensemble.differs(X, np.array([1, 1])).tolist() == [False, False]
    assert ensemble.differs(X, np.array([2, 2])).tolist() == [True, True]


@pytest.mark.parametrize("pairs", [1, 3, 2**20])
def test_parts_of_rows(pairs, monkeypatch):
    monkeypatch.setattr("robfair.adapters.trees._ensemble.PAIRS", pairs)
    tree = stump(0, 0.0, [[1.0], [2.0]])
    ensemble = assemble([tree] * 2, classes=np.arange(2), n_features=1, base=[0.0])
    assert ensemble.scores([[0.0], [1.0], [0.0]])[:, 0].tolist() == [2.0, 4.0, 2.0]
