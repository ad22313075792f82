"""`compare`: the audits of several models, side by side."""

import inspect

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair import NaturalClassifier, ThreatModel, audit, compare
from robfair.datasets import make_group_margins
from robfair.metrics import AUDIT_MEASURES

DATA = make_group_margins(120, n_features=3, flip=(0.2, 0.0, 0.0), random_state=0)
RACE = np.array(["a", "b", "c"])[DATA.groups]
MODELS = {
    "logistic": LogisticRegression(),
    "scaled": make_pipeline(StandardScaler(), RidgeClassifier()),
    "net": NaturalClassifier(hidden_layer_sizes=[6], max_epochs=8, lr=0.02, random_state=0),
}
MODELS = {name: model.fit(DATA.X, DATA.y) for name, model in MODELS.items()}
OPTIONS = {"tau_max": 4.0, "confidence": 0.9, "threat_model": ThreatModel()}


@pytest.fixture(scope="module")
def result():
    return compare(MODELS, DATA.X, DATA.y, sensitive_features=RACE, **OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_each_row_is_an_audit(result, name):
    alone = audit(MODELS[name], DATA.X, DATA.y, sensitive_features=RACE, **OPTIONS)
    assert result.audits[name].name == name
    assert result.overall.loc[name].tolist() == alone.overall["value"].tolist()
    assert result.by_group.loc[name].equals(alone.by_group)
    assert result.audits[name].overall.equals(alone.overall)


def test_tables(result):
    assert result.overall.index.tolist() == list(MODELS)
    assert result.overall.columns.tolist() == [m.symbol for m in AUDIT_MEASURES]
    assert result.to_frame().equals(result.overall)
    assert len(result.by_group) == 9
    assert result.by_group.index.names[0] == "model"
    product = result.by_group["accuracy"] * result.by_group["mean_distance"]
    assert_allclose(product, result.by_group["robustness"])


def test_the_print(result):
    text = str(result)
    assert repr(result) == text
    assert "Rob(P) of each group, with its 90 % interval:" in text
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == list(MODELS)
    method = "distance: linear, ThreatModel(norm=2), capped at 4"
    assert lines.count(f"logistic, scaled: {method}") == 1
    assert "net: distance: auto, ThreatModel(norm=2), capped at 4" in lines
    for name, found in result.audits.items():
        assert f"{found.overall.loc['V_f', 'value']:.4g}" in text
        assert f"{name}: {found.status_line()}" in lines
        row = found.by_group.loc["a"]
        assert f"{row['robustness']:.4g} ({row['lower']:.4g} to {row['upper']:.4g})" in text


def test_subgroups_that_nobody_named():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 2))
    weak = rng.random(1200) < 0.2
    X[:, 0] *= np.where(weak, 0.1, 1.0)  # near the boundary
    y = (X[:, 0] > 0).astype(int)
    columns = pd.DataFrame({"region": np.where(weak, "north", "south"), "z": rng.random(1200)})
    models = {
        "all rows": LogisticRegression().fit(X, y),
        "half": LogisticRegression().fit(X[::2], y[::2]),
    }
    keywords = {"sensitive_features": rng.integers(0, 2, 1200)}
    result = compare(models, X, y, discover=columns, **keywords)
    for name, model in models.items():
        alone = audit(model, X, y, discover=columns, **keywords).discovered
        pd.testing.assert_frame_equal(result.discovered.loc[name], alone)
        assert result.discovered.loc[name]["condition"].iloc[0] == "region = north"
        for text in (str(result), result.to_markdown()):
            assert f"{name}: Subgroups that nobody named" in text
    with pytest.raises(ValueError, match="X is a ndarray, which does not name its columns"):
        compare(models, X, y, discover=True, **keywords)
    assert compare(models, X, y, **keywords).discovered is None


def test_it_is_reproducible(result):
    again = compare(MODELS, DATA.X, DATA.y, sensitive_features=RACE, **OPTIONS)
    assert str(again) == str(result)


def test_one_model_and_names_that_are_not_strings():
    result = compare(
        {1: MODELS["logistic"]}, DATA.X, DATA.y, sensitive_features=RACE
    )  # fmt: skip
    assert result.overall.index.tolist() == ["1"]


def test_a_model_called_size():
    """The names of models are the user's; the table keeps the sizes of the groups all the same."""
    result = compare({"size": MODELS["logistic"]}, DATA.X, DATA.y, sensitive_features=RACE)
    rob = result.audits["size"].by_group["robustness"]
    group_rows = [line for line in str(result).splitlines() if line[:2] in ("a ", "b ", "c ")]
    assert len(group_rows) == 3
    for line, value in zip(group_rows, rob, strict=True):
        assert " 40 " in line
        assert f"{value:.4g}" in line


@pytest.mark.parametrize("models", [[MODELS["net"]], MODELS["net"], None, "net"])
def test_models_must_be_a_mapping(models):
    with pytest.raises(TypeError, match="models must map names to models; got a"):
        compare(models, DATA.X, DATA.y, sensitive_features=RACE)


def test_errors_of_the_audits():
    with pytest.raises(ValueError, match="models is empty"):
        compare({}, DATA.X, DATA.y, sensitive_features=RACE)
    with pytest.raises(ValueError, match="confidence must be between"):
        compare(MODELS, DATA.X, DATA.y, sensitive_features=RACE, confidence=2)
    with pytest.raises(ValueError, match="sensitive_features has 3 samples"):
        compare(MODELS, DATA.X, DATA.y, sensitive_features=RACE[:3])
    with pytest.raises(TypeError, match="cannot get labels from a model of type str"):
        compare({"a": "b"}, DATA.X, DATA.y, sensitive_features=RACE)


def test_options_reach_the_audits_and_have_the_same_defaults():
    ours, theirs = (inspect.signature(function).parameters for function in (compare, audit))
    shared = {name: p.default for name, p in theirs.items() if p.default is not p.empty}
    del shared["name"]
    assert {name: ours[name].default for name in shared} == shared
    result = compare(
        {"net": MODELS["net"]}, DATA.X, DATA.y, sensitive_features=RACE, n_check=0,
        method="strong", budget=120, batch_size=7, random_state=3,
    )  # fmt: skip
    settings = result.audits["net"].settings
    assert settings["distance_options"] == {"budget": 120, "batch_size": 7}
    assert settings["random_state"] == 3
