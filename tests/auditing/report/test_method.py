"""The method of an audit in words: options, searches, second searches, intervals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from robfair import ThreatModel
from robfair._groups import Groups

NEAR, FAR = np.linspace(0.3, 0.5, 40), np.linspace(0.6, 0.8, 40)
GROUPS = {"a": NEAR, "b": FAR}


def rows(result):
    from robfair.auditing.report._method import method_rows

    return dict(method_rows(result))


def test_lines(made):
    result = made(GROUPS, tau_max=0.7)
    assert result.method_line() == "distance: linear, ThreatModel(norm=2), capped at 0.7"
    assert made(GROUPS).method_line() == "distance: linear, ThreatModel(norm=2)"
    wrong = np.append(NEAR[1:], np.nan)
    assert (
        made({"a": wrong}, confidence=None, **ONE).status_line()
        == "40 samples: 39 exact, 1 skipped (the model is wrong there)"
    )


ONE = {"sensitive_features": ["a"] * 20 + ["b"] * 20}


def test_a_second_search_is_told_as_a_mean_over_its_rows(made):
    check = pd.DataFrame(
        {"n": [30, 10, 0], "auto": [1.0, 2.0, np.nan], "strong": [0.5, 2.0, np.nan]},
        index=["a", "b", "c"],
    )
    result = replace(made(GROUPS), check=check)
    line = '40 rows searched again: mean distance 1.25 by "auto", 0.875 by "strong".'
    assert result.notes()[0] == line
    assert rows(result)["Second search"] == line
    assert rows(made(GROUPS))["Second search"] == "not needed: the distances are exact"
    assert rows(made(GROUPS, method="auto", status="found"))["Second search"] == "none"


def by_label(result, cells):
    """Return the audit with other sizes and numbers of right rows within two labels."""
    index = pd.MultiIndex.from_product([["no", "yes"], ["a", "b"]])
    size, right = np.transpose(cells)
    frame = pd.DataFrame({"size": size, "accuracy": right / np.maximum(size, 1)}, index=index)
    return replace(result, by_label=frame, labels=Groups(np.tile([0, 1], 40), index.levels[0]))


def test_few_rows_of_a_label_are_named_where_intervals_rest_on_them(made):
    cells = [(9, 9), (10, 5), (10, 4), (90, 4)]
    told = "fewer than 10 rows, or than 5 that are right: no / a (9), yes / a (10), yes / b (90)."
    result = by_label(made(GROUPS), cells)
    assert result.notes()[-1].endswith(told)
    assert rows(result)["Intervals"].endswith(told)
    assert not by_label(made(GROUPS), [(10, 5)] * 4).notes()
    assert not by_label(made(GROUPS, confidence=None), cells).notes()


def test_proofs_and_warnings_are_notes(made):
    result = made(GROUPS, lower=np.concatenate([NEAR, FAR]), warnings=("a doubt",))
    assert result.notes()[0].startswith("1 of 1 pairs of groups are provably ordered")
    assert result.notes()[-1] == "warning: a doubt"


@pytest.mark.parametrize(
    ("options", "term", "text"),
    [
        ({"confidence": None}, "Intervals", "none (confidence=None)"),
        (
            {"confidence": 0.9},
            "Intervals",
            "90 %, from the mean, spread and skewness of each group",
        ),
        ({"random_state": 3}, "Seed of the searches", "3"),
        ({}, "Cap on distances", "none"),
        ({"tau_max": 2.0}, "Cap on distances", "2 (tau_max)"),
        ({}, "Norm", "L2, Euclidean"),
        ({}, "What may change", "every feature"),
        ({}, "Unit of distances", "Changes are made to X, and measured in its units."),
        ({}, "Passes through the model", "80 forward, 0 backward"),
    ],
)
def test_terms(made, options, term, text):
    assert rows(made(GROUPS, **options))[term] == text


def test_a_threat_model_with_units_says_so(made):
    result = made(GROUPS)
    distances = replace(result.distances, threat_model=ThreatModel(unit=[2.0], norm=np.inf))
    told = rows(replace(result, distances=distances))
    assert "the unit that the threat model gives its column" in told["Unit of distances"]
    assert told["Norm"] == "L-inf, the largest change of a feature"
