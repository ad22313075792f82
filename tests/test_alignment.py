import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit, boundary_distance, compare
from robfair._alignment import check_aligned, check_columns
from robfair.attacks import attack, attack_success, least_eps, robust_accuracy
from robfair.datasets import make_group_margins
from robfair.leave_one_out import leave_one_out
from robfair.plotting import (
    AttackSuccessDisplay,
    ClassAccuracyDisplay,
    GroupRobustnessDisplay,
    RobustnessCurveDisplay,
    TradeoffDisplay,
)
from robfair.scorers import neg_cau_scorer, neg_cru_s_scorer, neg_v_f_scorer
from robfair.training import held_out_mask

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


def test_columns_in_another_order():
    X = pd.DataFrame({"a": [0], "b": [1]})
    for other in (X[["b", "a"]], pl.from_pandas(X[["b", "a"]])):
        with pytest.raises(ValueError, match=r"columns of X and Z .* a, b and b, a: pass Z\[X"):
            check_columns(X=X, Z=other)
    check_columns(X=X, Y=X.copy(), Z=X.to_numpy(), other=X[["a"]], none=None)


DATA = make_group_margins(60, n_features=2, random_state=0)
X = pd.DataFrame(DATA.X)
CLF = LogisticRegression().fit(DATA.X, DATA.y)
# What takes samples with labels or groups of them, besides the measures and the classifiers.
DOORS = {
    "audit": (lambda X, y, groups: audit(CLF, X, y, sensitive_features=groups), "y groups"),
    "compare": (
        lambda X, y, groups: compare({"a": CLF}, X, y, sensitive_features=groups), "y groups",
    ),
    "attack": (lambda X, y: attack(CLF, X, y, eps=0.1), "y"),
    "target": (lambda X, y: attack(CLF, X, target=y, eps=0.1), "y"),
    "eps": (lambda X, y: attack(CLF, X, eps=y), "y"),
    "robust_accuracy": (lambda X, y: robust_accuracy(CLF, X, y, eps=0.1), "y"),
    "attack_success": (lambda X, y: attack_success(CLF, X, y, eps=0.1), "y"),
    "least_eps": (lambda X, y: least_eps(CLF, X, y, eps_max=0.1), "y"),
    "leave_one_out": (
        lambda X, y, groups: leave_one_out(CLF, X, y, DATA.X, sample_weight=groups), "y groups",
    ),
    "held_out_mask": (
        lambda X, y: held_out_mask(X[0], y, validation_fraction=0.1, random_state=0), "y",
    ),
    "V_f": (lambda X, y, groups: neg_v_f_scorer(CLF, X, y, sensitive_features=groups), "y groups"),
    "CRU": (
        lambda X, y, groups: neg_cru_s_scorer(CLF, X, y, sensitive_features=groups), "y groups",
    ),
    "CAU": (lambda X, y: neg_cau_scorer(CLF, X, y), "y"),
    "success": (
        lambda X, y, groups: AttackSuccessDisplay.from_estimator(
            CLF, X, y, eps=0.1, sensitive_features=groups
        ),
        "y groups",
    ),
    "classes": (lambda X, y: ClassAccuracyDisplay.from_estimator(CLF, X, y), "y"),
    "dots": (
        lambda X, y, groups: GroupRobustnessDisplay.from_estimator(
            CLF, X, y, sensitive_features=groups
        ),
        "y groups",
    ),
    "curves": (
        lambda X, y, groups: RobustnessCurveDisplay.from_estimator(
            CLF, X, y, sensitive_features=groups
        ),
        "y groups",
    ),
    "tradeoff": (
        lambda X, y, groups: TradeoffDisplay.from_estimators(
            {"a": CLF}, X, y, sensitive_features=groups
        ),
        "y groups",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("door", list(DOORS))
def test_every_door_refuses_rows_in_another_order(door):
    call, names = DOORS[door]
    order = np.random.default_rng(0).permutation(len(X))
    arrays = {"y": DATA.y, "groups": DATA.groups}
    for name in names.split():
        given = {other: arrays[other] for other in names.split()}  # of the others no index helps
        given[name] = pd.Series(given[name]).iloc[order]
        with pytest.raises(ValueError, match=r"indexes of .* another order"):
            call(X, **given)


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        (boundary_distance, {}),
        (attack, {"eps": 0.1}),
        (least_eps, {"eps_max": 0.1}),
        (audit, {"sensitive_features": [0, 1] * 30}),
        (neg_cau_scorer, {}),
    ],
)
def test_a_table_of_pyarrow_is_refused(measure, options):
    data = make_group_margins(20, random_state=0)
    model = LogisticRegression().fit(data.X, data.y)
    table = pa.Table.from_pandas(pd.DataFrame(data.X))
    with pytest.raises(TypeError, match=r"X is a pyarrow Table.*X\.to_pandas\(\)"):
        measure(model, table, y=data.y, **options)
