"""Favourable decisions: distances of wrong rows against a linear model's closed form."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from exported import strict
from robfair import ThreatModel, audit, compare
from robfair.auditing import _favorable
from robfair.datasets import make_group_margins

DATA = make_group_margins(360, n_features=3, flip=(0.2, 0.1, 0.05), random_state=0)
RACE = pd.Series(np.array(["a", "b", "c"])[DATA.groups], name="race")
LABELS = np.array(["no", "yes"])[DATA.y]
CLF = LogisticRegression().fit(DATA.X, LABELS)
DECISIONS = ["granted", "wrongly denied", "rightly denied"]


def run(model=CLF, y=LABELS, favorable="yes", X=DATA.X, groups=RACE, **options):
    options = {"n_check": 0, "examples": 0, "favorable_label": favorable, **options}
    return audit(model, X, y, sensitive_features=groups, **options)


@pytest.mark.parametrize("favorable", ["yes", "no"])
@pytest.mark.parametrize("tau_max", [None, 0.4])
def test_distances_are_those_of_the_plane_for_all_rows(favorable, tau_max):
    table = run(favorable=favorable, tau_max=tau_max).favorable
    assert table.index.names == ["decision", "race"]
    distance = np.abs(CLF.decision_function(DATA.X)) / np.linalg.norm(CLF.coef_)
    distance = np.minimum(distance, np.inf if tau_max is None else tau_max)
    granted, qualified = CLF.predict(DATA.X) == favorable, favorable == LABELS
    parts = [granted, ~granted & qualified, ~granted & ~qualified]
    for decision, rows in zip(DECISIONS, parts, strict=True):
        by_race = pd.Series(distance)[rows].groupby(RACE[rows])
        part = table.loc[decision]
        assert part["size"].tolist() == by_race.count().tolist()
        assert_allclose(part["mean_distance"], by_race.mean(), rtol=1e-6)
        beyond = pd.Series(distance[rows] > np.median(distance[rows]))
        if tau_max is None:
            expected = beyond.groupby(RACE[rows].to_numpy()).mean()
            assert_allclose(part["beyond_median"], expected, atol=0.02)
    assert table["size"].sum() == 360
    several = table[table["size"] > 1]
    assert (several["lower"] <= several["mean_distance"]).all()
    assert (several["mean_distance"] <= several["upper"]).all()


def test_the_rest_of_the_audit_is_as_without_it():
    with_it, without = run(), run(favorable=None)
    assert without.favorable is None
    assert with_it.by_group.equals(without.by_group)
    assert with_it.overall.equals(without.overall)
    assert "Favourable" not in without.to_markdown()


def test_wrong_rows_are_searched_only_if_asked_for_and_in_the_box_of_all_rows(monkeypatch):
    calls = []
    search = _favorable.measure_distance

    def counted(model, X, **options):
        calls.append((len(X), options["threat_model"]))
        return search(model, X, **options)

    monkeypatch.setattr(_favorable, "measure_distance", counted)
    run(favorable=None)
    assert calls == []
    run(threat_model=ThreatModel(bounds="data"), tau_max=5.0)
    ((n, threat_model),) = calls
    assert n == (CLF.predict(DATA.X) != LABELS).sum()
    assert_allclose(threat_model.bounds[1], DATA.X.max(axis=0))


def test_the_same_search_serves_networks_and_models_that_only_predict():
    net = MLPClassifier((8,), max_iter=100, random_state=0, tol=1e-2).fit(DATA.X, LABELS)
    table = run(net).favorable
    assert np.isfinite(table[table["size"] > 1].to_numpy(dtype=float)).all()
    few = slice(0, 360, 6)
    labels_only = run(
        net, LABELS[few], X=DATA.X[few], groups=RACE[few], method="decision", confidence=None
    )
    assert labels_only.favorable["mean_distance"].notna().any()
    assert labels_only.favorable["lower"].isna().all()


def test_of_three_classes_only_granted_decisions_are_told():
    y = np.where(DATA.X[:, 2] > 0.5, "maybe", LABELS)
    model = LogisticRegression().fit(DATA.X, y)
    table = run(model, y).favorable
    assert table.index.unique("decision").tolist() == ["granted"]
    assert table["size"].sum() == (model.predict(DATA.X) == "yes").sum()


def test_groups_may_have_the_names_of_our_own_levels(tmp_path):
    frame = pd.DataFrame({"decision": RACE, "label": np.arange(360) % 2})
    result = run(groups=frame, control_features=pd.Series(np.arange(360) % 3, name="group"))
    assert len(strict(result.to_json())["favorable"]) == 3 * 6
    assert "granted" in str(result)
    result.to_html(tmp_path / "a.html")


def test_empty_cells():
    keep = ~((RACE == "b") & (CLF.predict(DATA.X) == "yes")).to_numpy()
    result = run(X=DATA.X[keep], y=LABELS[keep], groups=RACE[keep].reset_index(drop=True))
    row = result.favorable.loc[("granted", "b")]
    assert row["size"] == 0
    assert row.iloc[1:].isna().all()
    assert "granted         b" in str(result)


def test_a_label_that_is_none_is_refused_before_any_work():
    class Untouched(LogisticRegression):
        def predict(self, X):
            raise AssertionError

    with pytest.raises(ValueError, match="favorable_label is '>50K', which is not a label: they "):
        run(Untouched().fit(DATA.X, LABELS), favorable=">50K")


def test_it_is_told_in_every_form(tmp_path):
    result = run()
    text = " ".join(str(result).split())
    assert "where yes is favourable: a short distance takes a granted one away easily" in text
    assert "wrongly denied" in result.to_markdown()
    record = strict(result.to_json())
    assert [row["decision"] for row in record["favorable"]] == np.repeat(DECISIONS, 3).tolist()
    assert record["favorable"][0]["mean_distance"] == result.favorable["mean_distance"].iloc[0]
    assert record["settings"]["favorable_label"] == "yes"
    result.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("Favourable decisions") == 2  # contents and heading
    both = compare(
        {"one": CLF}, DATA.X, LABELS, sensitive_features=RACE, n_check=0, favorable_label="yes"
    )
    assert both.audits["one"].favorable.equals(result.favorable)
