import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from robfair.threat import Block


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("ab",), TypeError, "sequence of column indices"),
        ((3,), TypeError, "sequence of column indices"),
        (([0.0, 1.0],), TypeError, "sequence of column indices"),
        (([],), ValueError, "different indices, 0 or greater"),
        (([-1, 0],), ValueError, "different indices, 0 or greater"),
        (([2, 2],), ValueError, "different indices, 0 or greater"),
        (([2],), ValueError, r"has 1 category.*codes=\[\[0\], \[1\]\]"),
        (([0, 1], np.eye(3)), ValueError, r"shape \(n_categories, 2\).*got shape \(3, 3\)"),
        (([0, 1], [0, 1]), ValueError, r"got shape \(2,\)"),
        (([0, 1], [[0, 1], [1, np.nan]]), ValueError, "NaN or infinity"),
        (([0], [[1], [2], [1]]), ValueError, r"the same code \[1.0\]: merge"),
    ],
)
def test_bad_blocks(arguments, error, match):
    with pytest.raises(error, match=match):
        Block(*arguments)


def test_one_hot_is_the_default():
    assert_array_equal(Block([3, 1]).codes, np.eye(2))
    assert Block(range(2, 4)).columns == (2, 3)


def test_a_block_is_a_value():
    codes = np.array([[0.0, 1.0], [1.0, -0.0]])
    block = Block((0, 1), codes, name="colour")
    codes[0] = 7
    assert block.codes[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        block.codes[0] = 7
    assert block == Block((0, 1), [[0, 1], [1, 0]]) == pickle.loads(pickle.dumps(block))
    assert hash(block) == hash(Block((0, 1), [[0, 1], [1, 0]]))
    for other in (Block((1, 0), [[0, 1], [1, 0]]), Block((0, 1)), (0, 1)):
        assert block != other


def test_find_names_the_first_row_that_holds_none():
    X = np.array([[9.0, 0, 1], [9, 1, 1], [9, 0, 0]])
    with pytest.raises(ValueError, match=r"row 1 .*block columns \[1, 2\]: \[1, 1\] is not"):
        Block([1, 2]).find(X)
    with pytest.raises(ValueError, match="the block 'colour', columns"):
        Block([1, 2], name="colour").find(X)
    assert_array_equal(Block([1, 2]).match(X), [1, -1, -1])
    assert_array_equal(Block([1, 2]).match(np.full((1, 3), np.nan)), [-1])


CODES = st.lists(st.tuples(*[st.integers(-50, 50)] * 3), min_size=2, max_size=6, unique=True).map(
    np.array
)


@given(
    codes=CODES,
    scale=st.floats(1e-6, 1e6),
    offset=st.floats(-100, 100),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_find_inverts_any_code(codes, scale, offset, dtype):
    codes = scale * (codes + offset)
    block = Block((4, 0, 2), codes)
    category = np.arange(len(codes)).repeat(2)
    X = np.full((len(category), 5), np.nan, dtype=dtype)
    X[:, [4, 0, 2]] = codes[category]
    assert_array_equal(block.find(X), category)
    # A tenth of a step away from every code there is no category.
    spread = np.ptp(codes, axis=0).max()
    X[:, [4, 0, 2]] += dtype(spread * 1e-3)
    assert (block.match(X) == -1).all()


def test_rounding_is_not_mistaken_for_a_category():
    codes = [[1e6], [1e6 + 1], [1e6 + 2]]
    X = np.array([[1e6 + 1], [1e6 + 0.5]])
    assert_array_equal(Block([0], codes).match(X), [1, -1])
    assert_array_equal(Block([0], codes).match(X[:1].astype(np.float32)), [1])
