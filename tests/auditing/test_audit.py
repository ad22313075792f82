"""`audit`: every number is that of the measures, computed by hand on the distances."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from robfair import ThreatModel, audit, boundary_distance, compare
from robfair.datasets import make_group_margins
from robfair.exceptions import (
    CensoredDistanceWarning,
    GroupsWarning,
    UndefinedMetricWarning,
)
from robfair.metrics import AUDIT_MEASURES, group_robustness, robustness_bounds

DATA = make_group_margins(240, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
RACE = np.array(["a", "b", "c"])[DATA.groups]
CLF = LogisticRegression().fit(DATA.X, DATA.y)
FOREST = RandomForestClassifier(10, random_state=0).fit(DATA.X, DATA.y)
NEIGHBOURS = KNeighborsClassifier().fit(DATA.X, DATA.y)
MEASURES = {m.symbol: m.function for m in AUDIT_MEASURES if m.key != "accuracy"}


def run(model=CLF, X=DATA.X, y=DATA.y, groups=RACE, call=audit, **options):
    return call(model, X, y, sensitive_features=groups, **options)


def rule():
    """The true rule, for which the numbers are known in closed form."""
    module = nn.Linear(3, 2).double()
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.stack([-DATA.coef, DATA.coef])))
        module.bias.copy_(torch.tensor([-DATA.intercept, DATA.intercept], dtype=torch.float64))
    return module


@pytest.mark.parametrize(
    "options",
    [{}, {"threat_model": ThreatModel(norm=np.inf)}, {"method": "paper"}, {"tau_max": 0.8}],
)
def test_numbers_are_the_measures(options):
    tau_max = options.get("tau_max")
    result = run(**options)
    found = boundary_distance(CLF, DATA.X, **{k: v for k, v in options.items() if k != "tau_max"})
    args = {"distance": found.distance, "sensitive_features": RACE, "tau_max": tau_max}
    for name, measure in MEASURES.items():
        by_hand = measure(DATA.y, found.predicted, **args)
        assert result.overall.loc[name, "value"] == pytest.approx(by_hand), name
    assert result.overall.loc["accuracy", "value"] == CLF.score(DATA.X, DATA.y)
    rob = group_robustness(DATA.y, found.predicted, **args)
    assert_allclose(result.by_group["robustness"], rob)
    distance = found.distance if tau_max is None else np.minimum(found.distance, tau_max)
    for group in "abc":
        row, here = result.by_group.loc[group], group == RACE
        correct = here & (found.predicted == DATA.y)
        assert row["size"] == here.sum()
        assert row["accuracy"] == pytest.approx(correct.sum() / here.sum())
        assert row["mean_distance"] == pytest.approx(distance[correct].mean())
        assert row["robustness"] == pytest.approx(row["accuracy"] * row["mean_distance"])
        assert row["definition_5"] == (rob[group] < rob.mean())
    assert result.by_group["vulnerable"].tolist() == [True, False, False]


def test_closed_form():
    result = run(rule(), groups=DATA.groups)
    table = result.by_group
    assert_allclose(table["robustness"], DATA.group_robustness)
    assert_allclose(table["accuracy"], 1 - DATA.group_error)
    assert_allclose(table["mean_distance"], [0.5, 1.0, 1.5])
    assert table["definition_5"].tolist() == [True, True, False]
    assert table["vulnerable"].tolist() == [True, False, False]  # 0.9 is below 0.935 by chance
    assert result.overall.loc["Rob(f)", "value"] == pytest.approx(DATA.classifier_robustness)
    assert result.overall.loc["V_f", "value"] == pytest.approx(DATA.robustness_variance)
    assert result.name == "Linear"


def test_intervals_are_those_of_the_measures():
    result = run(confidence=0.8)
    found = boundary_distance(CLF, DATA.X, y=DATA.y)
    args = {
        "distance": found.distance,
        "sensitive_features": RACE,
        "confidence_level": 0.8,
    }
    for name, measure in MEASURES.items():
        interval = measure(DATA.y, found.predicted, **args).interval
        assert_allclose(result.overall.loc[name, ["lower", "upper"]].astype(float), interval)
    table = group_robustness(DATA.y, found.predicted, **args)
    assert_allclose(result.by_group[["lower", "upper"]], table[["lower", "upper"]])
    assert (result.by_group["lower"] < result.by_group["robustness"]).all()
    assert (result.by_group["robustness"] < result.by_group["upper"]).all()
    assert result.overall.loc["accuracy", ["lower", "upper"]].isna().all()


def test_intervals_are_reproducible_and_leave_global_states_alone():
    state, torch_state = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    first, second, other = run(), run(), run(random_state=1)  # exact distances: no seed counts
    assert first.overall.equals(second.overall)
    assert first.by_group.equals(second.by_group)
    assert first.by_group.equals(other.by_group)
    assert np.array_equal(state[1], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(torch_state, torch.get_rng_state())


def test_wider_confidence_is_wider():
    narrow, wide = run(confidence=0.5), run(confidence=0.99)
    widths = [(r.by_group["upper"] - r.by_group["lower"]).to_numpy() for r in (narrow, wide)]
    assert (widths[0] < widths[1]).all()


def test_the_table():
    result = run(name="my model", confidence=0.9, tau_max=3.0)
    text = str(result)
    assert repr(result) == text
    lines = text.splitlines()
    assert lines[0] == "my model"
    skipped = int((CLF.predict(DATA.X) != DATA.y).sum())
    flat = " ".join(lines)
    assert "distance: linear, ThreatModel(norm=2), capped at 3" in flat
    assert (
        f"240 samples: {240 - skipped} exact, {skipped} skipped (the model is wrong there)" in flat
    )
    assert text.count("90 % interval") == 4
    assert all(name in text for name in ("accuracy", *MEASURES, "size", "mean distance", "Rob(P)"))
    for group, row in result.by_group.iterrows():
        line, *_ = [line for line in lines if line.startswith(f"{group}  ")]
        assert f"{row['robustness']:.4g}" in line
        assert f"{row['lower']:.4g} to {row['upper']:.4g}" in line
        assert ("below" in line) == row["definition_5"]
        assert ("vulnerable" in line) == row["vulnerable"]
    assert max(map(len, lines)) <= 100


def test_small_numbers_do_not_print_as_zero():
    result = run(LogisticRegression().fit(DATA.X / 1000, DATA.y), X=DATA.X / 1000)
    text = str(result)
    variance = result.overall.loc["V_f", "value"]
    assert 0 < variance < 1e-3
    assert f"{variance:.4g}" in text


def test_columns_are_crossed():
    frame = pd.DataFrame({"race": RACE, "sex": np.where(np.arange(240) % 2, "f", "m")})
    result = run(groups=frame)
    assert result.by_group.index.names == ["race", "sex"]
    assert len(result.by_group) == 6
    assert result.by_group["size"].sum() == 240
    row, here = result.by_group.loc[("b", "f")], (frame["race"] == "b") & (frame["sex"] == "f")
    assert row["size"] == here.sum()
    assert row["accuracy"] == pytest.approx(CLF.score(DATA.X[here], DATA.y[here]))
    assert "race" in str(result)


def test_a_pipeline_over_a_frame_with_strings():
    frame = pd.DataFrame(DATA.X, columns=["x0", "x1", "x2"]).assign(city=RACE)
    numbers = ["x0", "x1", "x2"]
    encode = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), ["city"]))
    model = make_pipeline(encode, LogisticRegression()).fit(frame, DATA.y)
    result = run(model, frame, groups=frame["city"], threat_model=ThreatModel())
    inner = run(model[-1], model[0].transform(frame))
    assert_allclose(result.by_group["robustness"], inner.by_group["robustness"])
    assert (result.name, result.by_group.index.name) == ("Pipeline", "city")


@pytest.mark.parametrize("wrap", [list, pd.Series, pl.Series, pd.Categorical, torch.as_tensor])
def test_containers(wrap):
    result = run(y=DATA.y.tolist(), groups=wrap(DATA.groups.tolist()))
    assert_allclose(result.by_group["robustness"], run().by_group["robustness"])


def test_a_group_seen_by_no_model_just_works():
    groups = np.where(np.arange(240) < 9, "new", RACE)
    assert run(groups=groups).by_group.loc["new", "size"] == 9


def constant():
    model = LogisticRegression().fit(DATA.X, DATA.y)
    model.coef_ = 0 * model.coef_
    return model


def test_censored_samples():
    with pytest.warns(CensoredDistanceWarning, match="tau_max="):
        result = run(constant())
    assert np.isnan(result.overall.loc[list(MEASURES), "value"]).all()
    assert "censored" in result.status_line()
    assert "unknown" in str(result)
    assert not result.by_group[["vulnerable", "definition_5"]].any(axis=None)
    capped = run(constant(), tau_max=2.0)
    assert_allclose(capped.by_group["mean_distance"], 2.0)
    assert "capped at 2" in capped.method_line()


def test_groups_that_are_equally_robust_are_not_vulnerable():
    y = np.arange(120) % 2
    X = np.where(y, 9.0, -9.0)[:, None]
    model, groups = LogisticRegression().fit(X, y), np.arange(120) // 40
    result = audit(model, X, y, sensitive_features=groups, tau_max=0.1, confidence=None, examples=0)
    assert_allclose(result.by_group["robustness"], 0.1)  # and their mean is 0.10000000000000002
    assert not result.by_group[["vulnerable", "definition_5"]].any(axis=None)


def test_one_group_is_not_fair():
    with pytest.warns(UndefinedMetricWarning):
        result = run(groups=["all"] * 240)
    assert np.isnan(result.overall.loc["V_f", "value"])
    assert result.overall.loc["Rob(f)", "value"] > 0


def test_a_group_that_is_always_wrong():
    y = np.where(RACE == "a", 1 - CLF.predict(DATA.X), DATA.y)
    row = run(y=y).by_group.loc["a"]
    assert row["accuracy"] == row["robustness"] == 0
    assert np.isnan(row["mean_distance"])


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1, np.nan])
def test_confidence(confidence):
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        run(confidence=confidence)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"groups": RACE[:5]}, ValueError, "sensitive_features has 5 samples"),
        ({"groups": [None, *RACE[1:]]}, ValueError, r"is missing \(NaN or None\) for 1 of 240"),
        ({"groups": None}, TypeError, "sensitive_features is None"),
        ({"X": DATA.X[:5]}, ValueError, "inconsistent numbers of samples"),
        ({"X": DATA.X[:, :2]}, ValueError, "predict fails on rows of X"),
        ({"y": DATA.y + 1}, ValueError, "labels that the model does not know"),
        ({"confidence": 95}, ValueError, "confidence must be between 0 and 1; got 95"),
        ({"tau_max": -1.0}, ValueError, "tau_max must be a positive"),
        ({"method": "magic"}, ValueError, "method must be one of"),
        ({"threat_model": "l2"}, TypeError, "threat_model must be a ThreatModel"),
        ({"model": LinearRegression().fit(DATA.X, DATA.y)}, TypeError, "is a regressor"),
        ({"n_check": -1}, ValueError, "n_check must be a number of rows"),
        ({"examples": -1}, ValueError, "examples must be a number of rows"),
        ({"model": NEIGHBOURS, "certify": True}, ValueError, "needs a model with logits"),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_the_settings_are_told():
    result = run()
    plain = {"tau_max": None, "confidence": 0.95, "n_check": 100, "random_state": 0}
    assert plain.items() <= result.settings.items()
    assert np.array_equal(result.y_true, DATA.y)


def test_without_a_level_there_are_no_intervals():
    plain = audit(
        LogisticRegression().fit(DATA.X, DATA.y),
        DATA.X,
        DATA.y,
        sensitive_features=RACE,
        confidence=None,
    )
    assert plain.overall[["lower", "upper"]].isna().all(axis=None)
    assert plain.by_group[["lower", "upper"]].isna().all(axis=None)
    assert np.isfinite(plain.overall["value"]).all()
    assert "unknown" not in str(plain)


# --- Bounds from both sides


def net(seed=0):
    return MLPClassifier((8,), max_iter=200, random_state=seed, tol=1e-2).fit(DATA.X, DATA.y)


def test_certified_bounds_are_columns_around_the_values():
    result = run(net(), certify=True)
    bounds = robustness_bounds(
        DATA.y,
        result.distances.predicted,
        distance=result.distances.distance,
        lower=result.distances.lower,
        sensitive_features=RACE,
    )
    bounded = result.overall.loc[bounds.index]
    assert_frame_equal(bounded[["low", "high"]], bounds)
    assert result.overall.loc["accuracy", ["low", "high"]].isna().all()
    for table, column in ((bounded, "value"), (result.by_group, "robustness")):
        assert (table["low"] <= table[column]).all()
        assert (table[column] <= table["high"] * (1 + 1e-12)).all()
    assert_allclose(result.by_group["high"], result.by_group["robustness"])
    assert (result.by_group["low"] > 0.3 * result.by_group["high"]).all()
    text = str(result)
    low, high = result.overall.loc["V_f", ["low", "high"]]
    assert f"{low:.4g} to {high:.4g}" in text
    assert "certified" in text


def test_without_certify_there_are_no_such_columns():
    result = run(net())
    assert "low" not in result.overall
    assert "low" not in result.by_group
    assert "certified" not in str(result)
    with pytest.raises(ValueError, match="audit with certify=True"):
        result.ordering()


def test_groups_far_apart_are_provably_ordered():
    result = run(CLF, certify=True)  # exact distances: lower and upper bound meet
    rob = result.by_group["robustness"]
    ordering = result.ordering()
    for a in rob.index:
        for b in rob.index:
            assert ordering.loc[a, b] == (rob[a] < rob[b])
    assert "3 of 3 pairs of groups are provably ordered" in " ".join(str(result).split())


def test_an_unsupported_layer_is_named_and_bounds_nothing():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)).double()
    result = run(module, certify=True, n_check=0)
    assert np.isnan(result.distances.lower).all()
    assert (result.by_group["low"] == 0).all()
    assert any("GELU" in warning for warning in result.warnings)
    assert "GELU" in str(result)


# --- Models that only predict


@pytest.mark.parametrize("method", ["decision", "exact"])
def test_a_forest_is_audited_by_its_labels_or_leaves(method):
    result = run(FOREST, method=method)
    assert result.distances.method == method
    assert f"distance: {method}" in str(result)
    assert result.check is None
    correct = result.distances.predicted == DATA.y
    assert np.isfinite(result.distances.distance[correct]).all()
    rob = [np.where(correct, result.distances.distance, 0)[g == RACE].mean() for g in "abc"]
    assert_allclose(result.by_group["robustness"], rob)


def test_a_tree_is_audited_exactly():
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(DATA.X, DATA.y)
    result = run(tree, certify=True)
    assert result.distances.method == "exact"
    assert_allclose(result.by_group["low"], result.by_group["robustness"])


def test_rows_in_another_order_are_refused():
    X, y, groups = pd.DataFrame(DATA.X), pd.Series(DATA.y), pd.Series(DATA.groups)
    order = np.random.default_rng(0).permutation(len(X))
    expected = audit(CLF, DATA.X, DATA.y, sensitive_features=DATA.groups, confidence=None).overall
    for changed in ("y", "sensitive_features"):
        given = {"y": y, "sensitive_features": groups}
        given[changed] = given[changed].iloc[order]
        with pytest.raises(ValueError, match="another order"):
            audit(CLF, X, **given, confidence=None)
        given = {name: np.asarray(values) for name, values in given.items()}
        given[changed] = pd.Series(given[changed], index=order)
        with pytest.raises(ValueError, match=f"X and {changed} differ"):  # y is an array between
            audit(CLF, X, **given, confidence=None)
    result = audit(
        CLF, X.iloc[order], y.iloc[order], sensitive_features=groups.iloc[order], confidence=None
    )
    assert_frame_equal(result.overall, expected)


@pytest.mark.parametrize("measure", [run, partial(run, {"a": CLF, "b": CLF}, call=compare)])
def test_what_is_odd_of_groups_is_told_once(measure, tmp_path):
    groups = pd.Categorical(RACE, categories=["a", "b", "c", "unused"])
    with pytest.warns(GroupsWarning, match="unused") as record:
        result = measure(groups=groups)
    assert len(record) == 1
    result.to_html(tmp_path / "audit.html")  # says nothing again
    assert result.overall.notna().to_numpy().any()
    assert "unused" not in str(result)
