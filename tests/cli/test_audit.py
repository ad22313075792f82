"""``robfair audit``: what it prints and writes is what `robfair.audit` finds."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import ThreatModel, audit, discover_groups
from robfair.cli import main
from robfair.datasets import load_adult

TREES = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
ADAM = "sklearn.neural_network._stochastic_optimizers.AdamOptimizer"


def only(text):
    """The one JSON document in a text."""
    document = json.loads(text)
    assert list(document) == ["robfair", "data", "audits", "fail_if"]
    return document


def overall(document, title):
    return document["audits"][title]["overall"]


def load(files, name):
    return skops.io.load(files / name)


def test_the_numbers_are_those_of_the_library(shell_audit, files, people):
    code, out, err = shell_audit("logistic.skops", "people.csv", "--json", "--quiet")
    assert (code, err) == (0, "")
    expected = audit(
        load(files, "logistic.skops"), people, people["income"], sensitive_features=people["race"]
    )
    found = json.dumps(overall(only(out), "race"))
    for measure, value in expected.overall["value"].items():
        assert repr(float(value)) in found, measure


def test_text_goes_to_stdout(shell_audit):
    options = ("logistic.skops", "people.csv", "--seed", "7")  # of which no result is kept yet
    code, out, err = shell_audit(*options)
    assert code == 0
    assert "240 rows of people.csv" in out
    assert "logistic.skops, groups by race" in out
    assert re.search(r"^V_f +\d", out, re.MULTILINE)
    assert "larger than the error of sampling" in " ".join(out.split())
    assert err == ""  # a bar is for terminals alone
    assert shell_audit(*options, "--quiet") == (0, out, "")


def test_a_table_is_attacked_by_rows_that_could_exist(shell_audit, people):
    found = only(shell_audit("logistic.skops", "people.csv", "--quiet", "--json")[1])
    settings = found["audits"]["race"]["settings"]
    assert settings["mutable"] == "age, hours, job"
    assert settings["space"] == "the columns of X"
    code, out, _ = shell_audit("logistic.skops", "people.csv", "--quiet", "--space", "features")
    assert code == 0
    assert "ThreatModel(norm=2)\n" in out
    words = ("logistic.skops", "people.csv", "--mutable", "age", "--space", "features")
    assert "leave out one of them" in shell_audit(*words)[2]


def test_csv_and_parquet_give_the_same(shell_audit):
    options = ("--quiet", "--json", "--no-rows")
    csv, parquet = (
        shell_audit("logistic.skops", f"people.{kind}", *options)[1] for kind in ("csv", "parquet")
    )
    assert only(csv)["audits"]["race"]["by_group"] == only(parquet)["audits"]["race"]["by_group"]


@pytest.mark.parametrize("way", [("race,sex",), ("race", "--sensitive", "sex")])
def test_several_columns_are_audited_each_and_crossed_on_request(shell_audit, way):
    by, *more = way
    _, out, _ = shell_audit("logistic.skops", "people.csv", *more, "--json", "--quiet", by=by)
    assert list(only(out)["audits"]) == ["race", "sex"]
    _, out, _ = shell_audit(
        "logistic.skops", "people.csv", *more, "--json", "--quiet", "--cross", by=by
    )
    assert list(only(out)["audits"]) == ["race", "sex", "race x sex"]
    assert len(only(out)["audits"]["race x sex"]["by_group"]) == 4


def test_groups_are_compared_within_the_target_or_a_column(shell_audit, files, people):
    options = ("logistic.skops", "people.csv", "--json", "--quiet")
    plain = only(shell_audit(*options)[1])["audits"]["race"]
    assert plain["control_features"] == ["label"]
    found = only(shell_audit(*options, "--control", "sex")[1])["audits"]["race"]
    expected = audit(
        load(files, "logistic.skops"), people, people["income"],
        sensitive_features=people["race"], control_features=people["sex"],
    )  # fmt: skip
    assert found["control_features"] == ["sex"]
    rows = [row["robustness"] for row in found["by_label"]]
    assert rows == expected.by_label["robustness"].tolist()
    assert "within control features:" in shell_audit(
        "logistic.skops", "people.csv", "--quiet", "--control", "sex"
    )[1]  # fmt: skip
    code, _, err = shell_audit(*options, "--control", "age,hours")
    assert code == 2
    assert "--control age x hours has" in err
    code, _, err = shell_audit(*options, "--control", "sexx")
    assert code == 2
    assert "--control names 'sexx'" in err


def test_a_favourable_label_is_found_as_it_is_written(shell_audit, people):
    label = str(people["income"].iloc[0])
    options = ("logistic.skops", "people.csv", "--json", "--quiet", "--favorable")
    found = only(shell_audit(*options, label)[1])["audits"]["race"]
    assert found["settings"]["favorable_label"] == people["income"].iloc[0]
    sizes = [row["size"] for row in found["favorable"]]
    assert sum(sizes) == len(people)
    code, _, err = shell_audit(*options, "grant")
    assert code == 2
    assert "--favorable names 'grant', which is not a label of --target. There are" in err


def test_jobs_are_those_of_the_audit(shell_audit, monkeypatch):
    taken = {}

    def note(*arguments, **options):
        taken.update(options)
        raise ValueError("enough")

    monkeypatch.setattr("robfair.auditing.audit", note)
    assert "enough" in shell_audit("plain.skops", "people.csv", "--jobs", "2", "--quiet")[2]
    assert taken["n_jobs"] == 2


def test_a_sample_is_random_seeded_and_said(shell_audit, people):
    options = ("--max-rows", "100", "--json", "--quiet")
    first, again, other = (
        only(shell_audit("logistic.skops", "people.csv", *options, "--seed", seed)[1])
        for seed in "112"
    )
    assert first["audits"]["race"]["by_group"] == again["audits"]["race"]["by_group"]
    assert first["audits"]["race"]["by_group"] != other["audits"]["race"]["by_group"]
    assert first["data"] == "100 of 240 rows of people.csv, drawn at random with seed 1"
    sizes = [group["size"] for group in first["audits"]["race"]["by_group"]]
    assert sum(sizes) == 100
    whole = only(
        shell_audit("logistic.skops", "people.csv", "--max-rows", "999", "--json", "--quiet")[1]
    )
    assert whole["data"] == "240 rows of people.csv"


def test_thresholds_set_the_exit_code(shell_audit):
    code, out, err = shell_audit("logistic.skops", "people.csv", "--fail-if", "gap > 99", "--quiet")
    assert (code, err) == (0, "")
    conditions = ("--fail-if", "gap > 99", "--fail-if", "accuracy < 0.99")
    code, again, err = shell_audit("logistic.skops", "people.csv", *conditions, "--quiet")
    assert (code, again) == (1, out)
    assert re.fullmatch(
        r"robfair: by race, accuracy is 0\.\d+, 0\.\d+ below the limit of accuracy < 0\.99\.\n", err
    )
    code, out, _ = shell_audit("logistic.skops", "people.csv", *conditions, "--quiet", "--json")
    assert code == 1
    assert [found["crossed"] for found in only(out)["fail_if"]] == [False, True]
    code, _, err = shell_audit(
        "logistic.skops", "people.csv", *conditions, "--quiet", by="race,sex"
    )
    assert code == 1
    assert "by race" in err
    assert "by sex" in err


def test_sizes_and_metrics_are_told_by_group(shell_audit):
    options = ("--eps", "0.2,1", "--metrics", "selection_rate,roc_auc_score")
    _, out, _ = shell_audit("logistic.skops", "people.csv", *options, "--json", "--quiet")
    result = only(out)["audits"]["race"]
    assert {row["eps"] for row in result["by_eps"]} == {0.2, 1.0}
    assert list(result["metrics"]["all"]) == ["selection_rate", "roc_auc_score"]
    code, _, err = shell_audit("logistic.skops", "people.csv", "--metrics", "selecton_rate")
    assert code == 2
    assert "Did you mean 'selection_rate'?" in err


@pytest.mark.slow
def test_a_measure_that_is_nan_is_crossed(shell_audit):
    # hours alone, in a narrow box of the data, cannot flip everybody.
    options = ("--mutable", "hours", "--fail-if", "v_f > 1000")
    code, out, err = shell_audit("logistic.skops", "people.csv", *options, "--quiet", "--json")
    assert code == 1
    assert "V_f is NaN (see the warnings), and counts as crossing v_f > 1000" in err
    assert "robfair: warning:" in err
    assert only(out)["fail_if"][0]["value"] is None
    code, out, _ = shell_audit(
        "logistic.skops", "people.csv", *options, "--tau-max", "5", "--quiet"
    )
    assert code == 0


@pytest.mark.slow
def test_mutable_columns_of_a_pipeline(shell_audit, files, people, tmp_path):
    people, few = people[:50], tmp_path / "few.csv"
    people.to_csv(few, index=False)
    _, out, _ = shell_audit(
        *("logistic.skops", few, "--mutable", "hours,job", "--tau-max", "4"),
        *("--json", "--quiet"),
    )
    model = load(files, "logistic.skops")
    threat = ThreatModel.from_transformer(model[:-1], people[list(model.feature_names_in_)],
                                          mutable=["hours", "job"])  # fmt: skip
    expected = audit(model, people, people["income"], sensitive_features=people["race"],
                     threat_model=threat, tau_max=4)  # fmt: skip
    assert repr(float(expected.overall.loc["V_f", "value"])) in json.dumps(
        overall(only(out), "race")
    )
    assert re.search(r"hours \d+ -> \d+|job \w+ -> \w+", out)
    _, same, _ = shell_audit(
        *("logistic.skops", few, "--immutable", "age", "--tau-max", "4"),
        *("--json", "--quiet", "--no-rows"),
    )
    assert only(same)["audits"]["race"]["by_group"] == only(out)["audits"]["race"]["by_group"]
    assert "->" not in same


@pytest.mark.parametrize(
    ("norm", "moves", "named"),
    [
        ("2", ("--mutable", "hours"), {"mutable": "hours"}),
        ("inf", ("--immutable", "age"), {"sensitive_features": "age"}),
        ("inf", (), {}),
    ],
)
def test_mutable_columns_and_norm_of_a_plain_model(shell_audit, files, people, norm, moves, named):
    _, out, _ = shell_audit(
        "plain.skops", "people.csv", *moves, "--norm", norm, "--json", "--quiet"
    )
    expected = audit(
        load(files, "plain.skops"),
        people[["age", "hours"]],
        people["income"],
        sensitive_features=people["race"],
        # Of integers: these two columns are whole numbers.
        threat_model=ThreatModel.from_frame(people[["age", "hours"]], norm=float(norm), **named),
    )
    assert repr(float(expected.overall.loc["V_f", "value"])) in json.dumps(
        overall(only(out), "race")
    )


def test_a_model_without_names_takes_features_or_all_columns(shell_audit, people, tmp_path):
    named = shell_audit(
        "plain.skops", "people.csv", "--json", "--quiet", "--no-rows", "--space", "features"
    )
    bare = shell_audit(
        "bare.skops", "people.csv", "--features", "age,hours", "--json", "--quiet", "--no-rows"
    )
    groups = [only(out)["audits"]["race"]["by_group"] for _, out, _ in (named, bare)]
    assert groups[0] == groups[1]
    people[["age", "hours", "income"]].to_csv(tmp_path / "narrow.csv", index=False)
    code, _, _ = shell_audit(
        "bare.skops", tmp_path / "narrow.csv", "--quiet", "--max-rows", "200", by="hours"
    )
    assert code == 0


def test_labels_are_read_as_the_model_has_them(shell_audit, files, people, tmp_path):
    # 0 and 1 in a CSV, "0" and "1" in the model.
    coded = people.assign(income=(people["income"] == "high").astype(int))
    coded.to_csv(tmp_path / "coded.csv", index=False)
    model = LogisticRegression().fit(people[["age", "hours"]], coded["income"].astype(str))
    skops.io.dump(model, tmp_path / "text.skops")
    code, out, _ = shell_audit(tmp_path / "text.skops", tmp_path / "coded.csv", "--quiet", "--json")
    assert code == 0
    named = shell_audit("plain.skops", "people.csv", "--quiet", "--json")[1]
    for measure, found in overall(only(named), "race").items():
        assert overall(only(out), "race")[measure]["value"] == pytest.approx(found["value"])


def test_declared_categories_that_no_row_has_are_no_groups(shell_audit, people, tmp_path):
    races = pd.CategoricalDtype(["a", "b", "nobody"])
    people.astype({"race": races}).to_parquet(tmp_path / "declared.parquet")
    code, out, _ = shell_audit("plain.skops", tmp_path / "declared.parquet", "--quiet", "--json")
    assert code == 0
    assert len(only(out)["audits"]["race"]["by_group"]) == 2
    assert "null" not in json.dumps(overall(only(out), "race")["V_f"])


def test_semicolons_a_byte_order_mark_and_latin_1(shell_audit, people, tmp_path):
    expected = overall(
        only(shell_audit("plain.skops", "people.csv", "--quiet", "--json")[1]), "race"
    )
    people.to_csv(tmp_path / "excel.csv", sep=";", index=False, encoding="utf-8-sig")
    _, out, _ = shell_audit("plain.skops", tmp_path / "excel.csv", "--quiet", "--json")
    assert overall(only(out), "race") == expected
    foreign = people.replace({"race": {"a": "é", "b": "ü"}})
    foreign.to_csv(tmp_path / "latin.csv", index=False, encoding="latin-1")
    _, out, _ = shell_audit("plain.skops", tmp_path / "latin.csv", "--quiet", "--json",
                    "--encoding", "latin-1")  # fmt: skip
    assert overall(only(out), "race") == expected


@pytest.mark.slow
def test_reports(shell_audit, tmp_path):
    code, _, err = shell_audit("plain.skops", "people.csv", "--html", str(tmp_path / "one.html"))
    assert code == 0
    assert f"report: {tmp_path / 'one.html'}" in err
    assert "plain.skops, groups by race" in (tmp_path / "one.html").read_text(encoding="utf-8")
    shell_audit(
        "plain.skops", "people.csv", "--cross", "--html", str(tmp_path / "all.html"), by="race,sex"
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        "one.html", "all-race.html", "all-sex.html", "all-race-x-sex.html",
    }  # fmt: skip


def test_certified_bounds(shell_audit):
    _, out, _ = shell_audit("plain.skops", "people.csv", "--certify", "--quiet")
    assert "certified" in out
    assert "pairs of groups are provably ordered" in out


@pytest.fixture(scope="module")
def adult(tmp_path_factory):
    """Pipelines on UCI Adult, by people who have never heard of robfair."""
    files = tmp_path_factory.mktemp("adult")
    train, test = load_adult(split="train"), load_adult(split="test")
    test.frame.iloc[:300].to_csv(files / "adult.csv", index=False)
    classifiers = {
        "logistic": LogisticRegression(max_iter=1000),
        "network": MLPClassifier([16], solver="adam", max_iter=300, tol=0.01, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=10, random_state=0),
        "search": GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1]}, cv=2),
    }
    for name, classifier in classifiers.items():
        encode = make_column_transformer(
            (StandardScaler(), ["age", "education-num", "hours-per-week"]),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["occupation", "sex"]),
        )
        model = make_pipeline(encode, classifier).fit(train.data[:2000], train.target[:2000])
        skops.io.dump(model, files / f"{name}.skops")
    return files


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method", "trust"),
    [
        ("logistic", "linear", ()),
        ("network", "auto", (ADAM,)),
        ("boosting", "exact", (TREES,)),
        (
            "search",
            "linear",
            (
                "sklearn.metrics._scorer._PassthroughScorer",
                "sklearn.model_selection._split.StratifiedKFold",
            ),
        ),
    ],
)
def test_models_that_were_not_trained_with_robfair(adult, capsys, name, method, trust):
    words = ["audit", str(adult / f"{name}.skops"), str(adult / "adult.csv"), "--target", "income",
             "--sensitive", "sex", "--html", str(adult / f"{name}.html"),
             "--max-rows", "40", "--tau-max", "10"]  # fmt: skip
    if trust:
        assert main(words) == 2
        text = capsys.readouterr().err
        flags = re.search(r"add: (.*)", text)[1].split()
        assert flags == [word for each in trust for word in ("--trust", each)]
        words += flags
    assert main([*words, "--quiet", "--json"]) == 0
    found = only(capsys.readouterr().out)["audits"]["sex"]
    assert np.isfinite(found["overall"]["V_f"]["value"])
    assert found["method"] == method
    assert (adult / f"{name}.html").stat().st_size > 10_000


def test_discover_searches_all_columns_but_the_target(shell_audit, files, people):
    code, out, _ = shell_audit("logistic.skops", "people.csv", "--discover", "--json", "--quiet")
    assert code == 0
    found = only(out)["audits"]["race"]["discovered"]
    expected = discover_groups(
        load(files, "logistic.skops"),
        people,
        people["income"],
        columns=pd.read_csv(files / "people.csv").drop(columns="income"),
    )
    assert found["n_searched"] == expected.attrs["n_searched"] > 50
    assert [row["condition"] for row in found["tested"]] == expected["condition"].tolist()
    _, text, _ = shell_audit("logistic.skops", "people.csv", "--discover", "--quiet")
    assert "Subgroups that nobody named" in text
