import numpy as np
import pytest
from numpy.testing import assert_array_equal

from robfair.adapters.trees import UnreadableTrees
from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._recode import recode

# Column 0 holds codes of "a", "b", "c"; the root compares them, its right child takes them for
# numbers. Column 1 is a number.
TREE = Tree(
    feature=np.array([0, 9, 0, 9, 1, 9, 9]),
    split=np.array([0, 0, 1.5, 0, 0.5, 0, 0]),
    left=np.array([1, -1, 3, -1, 5, -1, -1]),
    right=np.array([2, -1, 4, -1, 6, -1, -1]),
    missing_left=np.array([False, False, True, False, False, False, False]),
    value=np.array([[0.0], [1], [0], [2], [0], [3], [4]]),
    left_codes={0: np.array([True, False, False])},
)
ENSEMBLE = assemble(
    [TREE],
    classes=np.arange(2),
    n_features=2,
    base=[0.0],
    categories={0: np.array(["a", "b", "c"], dtype=object)},
)


@pytest.mark.parametrize("values", [["a", "b", "c"], ["c", "b", "a"], ["x", "c", "a", "y"]])
def test_values_decide(values):
    recoded = recode(ENSEMBLE, {0: values})
    # "a" goes left, "b" then; others go to the right and to the number; unknown is missing.
    for number, last in ((0, 3.0), (1, 4.0)):
        expected = [{"a": 1.0, "b": 2.0, "c": last}.get(value, 2.0) for value in values]
        X = np.c_[np.arange(len(values)), np.full(len(values), number)]
        assert recoded.scores(X)[:, 0].tolist() == expected
    assert recoded.scores([[np.nan, 0]]) == ENSEMBLE.scores([[np.nan, 0]])
    assert_array_equal(recoded.categories[0], values)
    again = recode(recoded, {0: ["a", "b", "c"]})
    X = [[0, 1], [1, 1], [2, 1]]
    if set("abc") <= set(values):
        assert_array_equal(again.scores(X), ENSEMBLE.scores(X))


def test_what_cannot_be_said():
    with pytest.raises(UnreadableTrees, match="what the codes of its column 1 stand for"):
        recode(ENSEMBLE, {1: ["a", "b"]})


def test_codes_that_stand_for_themselves():
    """As truth values do, which a model sees as 0 and 1, and numbers of which some are not used."""
    for values in ([False, True], [None, 1, None, 3]):
        assert recode(ENSEMBLE, {1: values}) is ENSEMBLE
    assert recode(ENSEMBLE, {0: ["a", None, "b"]}).scores([[1, 0]]) == [[2.0]]  # as missing


def test_too_many_codes(monkeypatch):
    monkeypatch.setattr("robfair.adapters.trees._recode.MOST", 10)
    with pytest.raises(UnreadableTrees, match="compares 2 times with codes up to 5"):
        recode(ENSEMBLE, {0: list("bcdefg")})
