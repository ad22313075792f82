import pandas as pd
import pytest

from robfair._alignment import check_aligned

N = 6
SHUFFLED = [5, 0, 3, 1, 4, 2]
PLAIN = pd.Series(range(N))


def indexed(index):
    return pd.Series(range(len(index)), index=index)


@pytest.mark.parametrize(
    "index",
    [
        SHUFFLED,
        [17, 3, 99, 4, 8, 2],
        list("abcabc"),
        [0, 1, 2, 0, 1, 2],
        pd.MultiIndex.from_product([[0, 1], list("abc")]),
        pd.date_range("2026-01-01", periods=N),
        [0.5, None, 1.5, 2.0, 3.0, 4.0],
    ],
)
def test_equal_indexes(index):
    check_aligned(X=pd.DataFrame(index=index), y=indexed(index), groups=[0] * N)


@pytest.mark.parametrize(
    "index",
    [
        [17, 3, 99, 4, 8, 2],  # what train_test_split leaves
        [3, 4, 5, 6, 7, 8],
        list("abcdef"),
        [0, 1, 2, 0, 1, 2],  # what concat leaves
        pd.MultiIndex.from_product([[0, 1], list("abc")]),
    ],
)
def test_the_index_that_pandas_makes_names_no_rows(index):
    check_aligned(y_true=indexed(index), y_pred=PLAIN)
    check_aligned(y_true=PLAIN, y_pred=indexed(index))


@pytest.mark.parametrize(
    ("index", "other"),
    [
        (range(N), SHUFFLED),
        ([7, 8, 9, 7, 8, 9], [9, 7, 8, 9, 7, 8]),
        (list("abcdef"), list("bacdef")),
        (
            pd.MultiIndex.from_product([[0, 1], list("abc")]),
            pd.MultiIndex.from_product([list("abc"), [0, 1]]).swaplevel(),
        ),
    ],
)
def test_another_order(index, other):
    with pytest.raises(ValueError, match=r"same labels in another order.*\bg\.loc\[X\.index\]"):
        check_aligned(X=pd.DataFrame(index=index), y=None, g=indexed(other))


@pytest.mark.parametrize(
    ("index", "other"),
    [
        (list("abcdef"), list("abcdeg")),
        ([10, 11, 12, 13, 14, 15], [20, 21, 22, 23, 24, 25]),
        ([7, 7, 8, 8, 9, 9], [7, 7, 7, 8, 8, 9]),
        ([1, 2, 3, 4, 5, 6], [1.5, 2.5, 3.0, 4.0, 5.0, 6.0]),
    ],
)
def test_other_rows(index, other):
    with pytest.raises(ValueError, match=r"X and g differ: they hold different labels"):
        check_aligned(X=pd.DataFrame(index=index), g=indexed(other))


def test_the_message_names_the_first_rows_that_differ():
    with pytest.raises(ValueError, match="'c' and 'd' at position 2"):
        check_aligned(a=indexed(list("abcd")), b=indexed(list("abdc")))


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_equal_labels_of_another_dtype(dtype):
    check_aligned(a=indexed(list("bca")), b=indexed(pd.Index(list("bca"), dtype=dtype)))


def test_names_of_another_kind():
    # As in a fold of a cross-validation, where the index of X was 0 to n - 1.
    check_aligned(X=pd.DataFrame(index=[3, 4, 5]), groups=indexed(["Ann", "Bob", "Eve"]))


def test_what_has_no_index_or_another_length_is_left_to_other_checks():
    check_aligned(y_true=[0, 1], y_pred=indexed([1, 0]), distance=indexed([0, 1, 2]))
