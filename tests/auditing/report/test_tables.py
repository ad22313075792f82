"""The tables of an audit: titles, cells, keys to sort by."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit
from robfair.auditing import Comparison
from robfair.auditing.report._tables import (
    certified_table,
    group_table,
    measure_table,
    model_group_table,
    model_table,
    row_table,
)
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics import AUDIT_MEASURES

NEAR, FAR = np.linspace(0.3, 0.5, 1200), np.linspace(0.6, 0.8, 40)
GROUPS = {"a": NEAR, "b": FAR}
LOWER = 0.9 * np.concatenate([NEAR, FAR])


def test_measures_have_the_registry_s_names_and_meanings(made):
    table = measure_table(made(GROUPS))
    assert table.columns == ("measure", "value", "95 % interval", "what it is")
    assert [row[0].text for row in table.rows] == [m.symbol for m in AUDIT_MEASURES]
    assert [row[-1].text for row in table.rows] == [m.meaning for m in AUDIT_MEASURES]
    assert measure_table(made(GROUPS), meanings=False).columns[-1] == "95 % interval"


def test_groups(made):
    result = made(GROUPS, lower=LOWER, confidence=0.9)
    table = group_table(result)
    assert table.columns == (
        "group", "size", "accuracy", "mean distance", "Rob(P)", "90 % interval", "certified",
        "Definition 5", "vulnerable",
    )  # fmt: skip
    first = dict(zip(table.columns, table.rows[0], strict=True))
    row = result.by_group.loc["a"]
    assert first["size"].text == "1,200"
    assert first["size"].key == 1200.0
    assert first["Rob(P)"].text == f"{row['robustness']:.4g}"
    assert first["certified"].text == f"{row['low']:.4g} to {row['high']:.4g}"
    assert [cells[-2].text for cells in table.rows] == ["below", ""]
    assert [cells[-1].text for cells in table.rows] == ["vulnerable", ""]
    assert table.is_number == (False, True, True, True, True, True, True, False, False)


def test_what_is_unknown_sorts_to_the_end(made):
    with pytest.warns(CensoredDistanceWarning):
        result = made({"a": NEAR, "b": np.append(FAR, np.inf)})
    unknown = group_table(result).rows[1][4]
    assert (unknown.text, unknown.key) == ("unknown", "")


def test_models_carry_their_intervals_beside(made):
    comparison = Comparison({"one": made(GROUPS), "two": made(GROUPS, confidence=None)})
    table = model_table(comparison)
    assert table.columns == ("model", *(m.symbol for m in AUDIT_MEASURES))
    low, high = comparison.audits["one"].overall.loc["V_f", ["lower", "upper"]]
    assert table.rows[0][3].beside == f"({low:.4g} to {high:.4g})"
    assert table.rows[1][3].beside == ""
    groups = model_group_table(comparison)
    assert groups.columns == ("group", "size", "one", "two")
    assert str(groups.rows[0][2]).startswith(groups.rows[0][3].text + " (")


def test_certified_intervals_by_model(made):
    assert certified_table(Comparison({"one": made(GROUPS)})) is None
    some = Comparison({"one": made(GROUPS), "two": made(GROUPS, lower=LOWER)})
    table = certified_table(some)
    assert table.columns == ("", "two")
    names = [*(measure.symbol for measure in AUDIT_MEASURES[1:]), "a", "b"]
    assert [row[0].text for row in table.rows] == names
    row = some.audits["two"].by_group.loc["b"]
    assert table.rows[-1][1].text == f"{row['low']:.4g} to {row['high']:.4g}"


@pytest.mark.parametrize("index", [None, [10, 11, 12, 13]])
def test_rows_are_told_with_their_index_where_it_is_another(index):
    X = pd.DataFrame({"x": [0.0, 1, 3, 4]}, index=index)
    y = np.array([0, 0, 1, 1])
    model = LogisticRegression().fit(X, y)
    table = row_table(
        audit(model, X, y, sensitive_features=list("abab"), confidence=None, examples=1)
    )
    place = ("row",) if index is None else ("row", "index")
    assert table.columns == ("group", *place, "decision", "distance", "what would have to change")
    assert [row[0].text for row in table.rows] == ["a", "b"]
    assert [row[1].key for row in table.rows] == [2.0, 1.0]
    assert table.rows[0][-3].text == "from 1 to 0"
