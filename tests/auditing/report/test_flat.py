"""An audit as a flat dict: every number of the tables, under names that trackers take."""

import re

import numpy as np
import pytest

from exported import CLF, DATA
from robfair import audit
from robfair.metrics import find_measure

# Of mlflow.utils.validation: the characters, and that a name is a path in its shortest form.
ACCEPTED = re.compile(r"[A-Za-z0-9_\-./ ]+")


def test_it_holds_the_tables(result):
    numbers = result.as_dict()
    for symbol, row in result.overall.iterrows():
        key = find_measure(symbol).key
        assert numbers[key] == row["value"]
        for end in row.index[1:]:
            assert numbers.get(f"{key}.{end}", np.nan) == pytest.approx(row[end], nan_ok=True)
    row = result.by_group.loc["c_c"]
    assert numbers["group/c_c/rob_p"] == row["robustness"]
    assert numbers["group/c_c/rob_p.low"] == row["low"]
    assert numbers["group/c_c/size"] == row["size"]
    share = result.by_eps.loc[(0.5, "c_c"), "robust_accuracy"]
    assert numbers["group/c_c/withstands_0.5"] == share
    assert numbers["all/selection_rate"] == result.metrics_overall["selection_rate"]
    assert numbers["group/c_c/calibration"] == result.metrics["calibration"]["c_c"]
    row = result.standardized.loc["gap"]
    ends = [numbers[f"standardized/gap{end}"] for end in ("", ".lower", ".upper")]
    assert ends == row[["value", "lower", "upper"]].tolist()
    label = result.by_label.loc[(1, "c_c")]
    assert numbers["label/1/c_c/rob_p"] == label["robustness"]
    assert numbers["label/1/c_c/size"] == label["size"]
    assert all(type(value) is float for value in numbers.values())


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (["<=50K", ">50K"], ["le_50K", "gt_50K"]),
        (["a b", "a_b", "a/b"], ["a_b", "a_b_2", "a_b_3"]),
        (["..", "é", "x.y"], ["unnamed", "unnamed_2", "x_y"]),
    ],
)
def test_names_are_accepted_and_stay_apart(names, written):
    groups = np.array(names)[np.arange(len(DATA.y)) % len(names)]
    result = audit(
        CLF, DATA.X, DATA.y, sensitive_features=groups, confidence=None, examples=0,
        metrics={"size": lambda y_true, y_pred: 0.5, "/x": lambda y_true, y_pred: 0.25},
    )  # fmt: skip
    numbers = result.as_dict()
    told = dict.fromkeys(key.split("/")[1] for key in numbers if key.startswith("group/"))
    assert sorted(told) == sorted(written)
    assert all(ACCEPTED.fullmatch(key) and "//" not in key for key in numbers)
    assert numbers[f"group/{written[0]}/size_2"] == 0.5
    assert numbers[f"group/{written[0]}/size"] == np.sum(groups == names[0])
    assert numbers["all/x"] == 0.25
