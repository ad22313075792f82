"""The steps after an audit: those that its numbers ask for, and what they cost on these rows."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from robfair import ThreatModel, audit
from robfair.auditing.report._next_steps import next_steps
from robfair.datasets import make_group_margins
from robfair.exceptions import CensoredDistanceWarning

RNG = np.random.default_rng(0)
NEAR, FAR = RNG.uniform(0.3, 0.5, 60), RNG.uniform(0.6, 0.8, 60)


def codes(result):
    return [step.code for step in next_steps(result)]


def step(result, start):
    (found,) = [each for each in next_steps(result) if each.do.startswith(start)]
    return found


def test_exact_distances_that_differ_ask_for_even_margins_alone(made):
    result = made({"a": NEAR, "b": FAR})
    assert [code.partition("(")[0] for code in codes(result)] == [
        "EvenMarginClassifier", "discover=True"
    ]  # fmt: skip
    even = step(result, "Train a network")
    difference = FAR.mean() - NEAR.mean()
    assert f"between a and b distance within labels makes {difference:.3g}" in even.why
    assert "120 passes for 120 rows" in even.cost


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("auto", "found", ['method="strong"', "certify=True"]),
        ("deepfool", "found", ['method="strong"', "certify=True"]),
        ("strong", "found", ["certify=True"]),
        ("decision", "found", ["budget=2"]),
        ("exact", "found", ["budget=..., time_limit=..."]),
        ("exact", "exact", []),
        ("linear", "exact", []),
    ],
)
def test_searched_distances_ask_for_what_fits_the_method(made, method, status, expected):
    given = codes(made({"a": NEAR, "b": FAR}, method=method, status=status))
    assert given[: len(expected)] == expected
    assert len(given) == len(expected) + 2


def test_what_is_proven_already_is_not_offered(made):
    lower = 0.9 * np.concatenate([NEAR, FAR])
    given = codes(made({"a": NEAR, "b": FAR}, method="auto", status="found", lower=lower))
    assert "certify=True" not in given


def test_strong_is_said_to_cost_what_it_costs():
    data = make_group_margins(90, n_features=3, random_state=0)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).double()
    y = module(torch.as_tensor(data.X)).argmax(1).numpy()
    options = {"sensitive_features": data.groups, "n_check": 0, "tau_max": 9.0}
    told = step(audit(module, data.X, y, **options), "Take the least")
    strong = audit(module, data.X, y, method="strong", **options).distances
    taken = int((strong.n_forward + strong.n_backward).sum())
    most = int(re.search(r"Up to ([\d,]+) passes", told.cost)[1].replace(",", ""))
    assert most / 2 <= taken <= most


def test_the_rows_that_it_asks_for_show_the_difference(made):
    def draw(n):
        # Even quantiles: the same mean and spread whatever the number of rows.
        spread = 2 * (np.arange(n) + 0.5) / n
        return {"a": 1 + spread, "b": 1.1 + spread}

    result = made(draw(40))
    asked = step(result, "Audit more rows")
    times, n = re.search(r"At least ([\d.]+) times the (\d+) rows", asked.cost).groups()
    assert int(n) == 80
    assert "a and b differ by 0.1;" in asked.why
    more = made(draw(int(40 * 1.3 * float(times))))  # tests of groups share the level with labels
    assert "Audit more rows." not in [each.do for each in next_steps(more)]
    fewer = made(draw(int(40 * 0.8 * float(times))))
    assert "Audit more rows." in [each.do for each in next_steps(fewer)]


def test_groups_that_are_alike_ask_for_no_more_rows(made):
    assert codes(made({"a": NEAR, "b": NEAR})) == ["discover=True"]


def test_small_groups_and_rows_that_nothing_flips(made):
    with pytest.warns(CensoredDistanceWarning):
        result = made({"a": NEAR, "b": FAR[:9], "c": np.r_[FAR[:40], np.inf]})
    small = step(result, "Audit at least 30 rows")
    assert "b (9)" in small.why
    assert small.cost == "21 rows more of these groups at least."
    cap = step(result, "Cap the distances")
    assert cap.code == f"tau_max={FAR[:40].max():.3g}"
    assert "flipped 1 of the rows" in cap.why
    assert cap.why.endswith("unknown for c.")


@pytest.mark.parametrize(
    ("labels", "start"),
    [
        # Rows of label 0 lie near in both groups, and a has more of them.
        ([[0] * 50 + [1] * 10, [0] * 10 + [1] * 50], "Compare groups within labels"),
        # The model is wrong on half of a, and what is right lies equally far.
        (None, "Look at the errors on a"),
    ],
)
def test_the_remedy_acts_on_the_greatest_part(made, labels, start):
    if labels is None:
        groups, labels = {"a": np.r_[FAR[:30], [np.nan] * 30], "b": FAR}, {"a": [0, 1] * 30}
        labels["b"] = [0, 1] * 30
    else:
        groups = {
            name: np.where(np.equal(y, 0), NEAR, FAR) for name, y in zip("ab", labels, strict=True)
        }
        labels = dict(zip("ab", labels, strict=True))
    result = made(groups, labels=labels)
    given = [each.do for each in next_steps(result)]
    assert any(do.startswith(start) for do in given)
    assert not any("EvenMargin" in each.code for each in next_steps(result))
    assert "favorable_label=..." in codes(result)


@pytest.mark.parametrize("chosen", [False, True])
def test_a_threat_model_that_nobody_chose_comes_first(chosen):
    data = make_group_margins(90, n_features=2, random_state=0)
    X = pd.DataFrame((9 * data.X).round().astype(int), columns=["hours", "gain"])
    model = LogisticRegression().fit(X, data.y)
    threat_model = ThreatModel() if chosen else None
    result = audit(model, X, data.y, sensitive_features=data.groups, threat_model=threat_model)
    first = next_steps(result)[0]
    assert first.code.startswith("threat_model=") != chosen
    assert ("hours, gain" in first.why) != chosen


def test_labels_that_cannot_match_are_the_only_step(made):
    labels = {name: [0] * 59 + [1] for name in "ab"}
    wrong = np.r_[[np.nan] * 59, 1.0]
    result = made({"a": wrong, "b": wrong}, labels=labels)
    assert result.doubts
    (only,) = next_steps(result)
    assert only.do.startswith("Check that y")
    assert only.why.lower() == result.doubts[0].lower()
