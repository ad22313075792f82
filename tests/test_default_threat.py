"""The threat model where the user names none, through all doors that a model enters by."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from robfair import ThreatModel, audit, boundary_distance, compare
from robfair._default_threat import default_threat_model, sensitive_columns
from robfair._groups import encode_groups
from robfair.attacks import attack, least_eps
from robfair.metrics import robustness_variance
from robfair.plotting import GroupRobustnessDisplay
from robfair.scorers import make_robustness_scorer
from tables import encoder, people

X = people(120)
y = ((X["age"] > 50) ^ (X["job"] == "cook") ^ (X["income"] > 4)).to_numpy().astype(int)
PIPE = make_pipeline(encoder(), LogisticRegression()).fit(X, y)
NAMED = ThreatModel.from_transformer(PIPE[:-1], X)
NO_RACE = ThreatModel.from_transformer(PIPE[:-1], X, sensitive_features="race")
FLOATS = X[["income"]].assign(wealth=X["income"] ** 2)


def test_rows_that_could_exist():
    found = boundary_distance(PIPE, X)
    assert found.threat_model == NAMED
    assert_array_equal(found.distance, boundary_distance(PIPE, X, threat_model=NAMED).distance)
    flipped = np.isfinite(found.distance)
    assert flipped.any()
    rows = found.as_rows().drop(columns="changed")[flipped].astype(X.dtypes)
    assert (PIPE.predict(rows) != found.predicted[flipped]).all()
    assert rows["income"].between(X["income"].min(), X["income"].max()).all()


def test_fractions_are_asked_for_by_name():
    named = boundary_distance(PIPE, X, threat_model=ThreatModel())
    last = boundary_distance(PIPE[-1], PIPE[0].transform(X))
    assert_array_equal(named.distance, last.distance)
    assert set(named.status) == {"exact"}


@pytest.mark.parametrize("wrap", ["search", "nested", "nested twice"])
def test_pipelines_in_pipelines_and_searches(wrap):
    if wrap == "search":
        model = GridSearchCV(PIPE, {"logisticregression__C": [1.0]}, cv=2).fit(X, y)
    elif wrap == "nested":
        model = make_pipeline(encoder(), make_pipeline(StandardScaler(with_mean=False), PIPE[-1]))
    else:
        model = make_pipeline(FunctionTransformer(), make_pipeline(PIPE))
    found = boundary_distance(model.fit(X, y), X)
    assert found.threat_model.mutable_columns == tuple(X.columns)
    flipped = np.isfinite(found.distance)
    rows = found.as_rows().drop(columns="changed")[flipped].astype(X.dtypes)
    assert (model.predict(rows) != found.predicted[flipped]).all()


def test_numbers_that_need_not_be_whole_stay_as_they_were():
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(FLOATS, y)
    assert boundary_distance(scaled, FLOATS).threat_model == ThreatModel()
    for model, rows in [(PIPE[-1], PIPE[0].transform(X)), (scaled[-1], FLOATS.to_numpy())]:
        assert boundary_distance(model, rows).threat_model == ThreatModel()
    whole = FLOATS.round().astype(int)
    whole_numbers = make_pipeline(StandardScaler(), LogisticRegression()).fit(whole, y)
    found = boundary_distance(whole_numbers, whole)
    assert found.threat_model.mutable_columns == ("income", "wealth")
    changed = found.as_rows()[np.isfinite(found.distance)]
    assert (changed["income"] == changed["income"].round()).all()
    # An encoder makes a category of whatever it takes.
    codes = FLOATS.assign(income=(X["age"] % 3).astype(float))
    coded = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["income"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(codes, y)
    assert len(boundary_distance(coded, codes).threat_model.blocks) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrapper",
    [
        CalibratedClassifierCV(PIPE, cv=2),
        FixedThresholdClassifier(PIPE, threshold=0.55),
        TunedThresholdClassifierCV(PIPE, cv=2),
        VotingClassifier([("a", PIPE), ("b", PIPE)]),
        FrozenEstimator(PIPE),
        GridSearchCV(CalibratedClassifierCV(PIPE, cv=2), {"method": ["sigmoid"]}, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_wrappers_are_measured_in_the_columns(wrapper):
    model = wrapper.fit(X, y)
    found = boundary_distance(model, X.iloc[:8], budget=60)
    assert "age" in found.threat_model.mutable_columns
    assert found.threat_model.table is not None
    flipped = np.isfinite(found.distance)
    assert flipped.any()
    rows = found.as_rows().drop(columns="changed")[flipped].astype(X.dtypes)
    assert (model.predict(rows) != found.predicted[flipped]).all()


def test_the_range_of_x_and_of_the_background():
    few = X.iloc[:30]
    found = boundary_distance(PIPE, few, background=X)
    both = ThreatModel.from_transformer(PIPE[:-1], pd.concat([few, X], ignore_index=True))
    assert found.threat_model == both
    assert boundary_distance(PIPE, few).threat_model != both


def test_the_groups_do_not_change():
    race = X["race"]
    result = audit(PIPE, X, y, sensitive_features=race, tau_max=9)
    assert result.distances.threat_model == NO_RACE
    told = "Rows that could exist; may change: age, income, job, member (the default for a table"
    assert told in " ".join(str(result).split())
    assert result.settings["space"] == "the columns of X"
    assert result.settings["threat_model_by_default"]
    named = audit(PIPE, X, y, sensitive_features=race, tau_max=9, threat_model=NO_RACE)
    assert not named.settings["threat_model_by_default"]
    assert "the default" not in str(named)
    assert_array_equal(named.distances.distance, result.distances.distance)
    both = compare({"a": PIPE}, X, y, sensitive_features=race, tau_max=9)
    assert both.audits["a"].distances.threat_model == NO_RACE

    v_f = result.overall.loc["V_f", "value"]
    scorer = make_robustness_scorer(robustness_variance, tau_max=9)
    assert scorer(PIPE, X, y, sensitive_features=race) == v_f
    scorer = make_robustness_scorer(robustness_variance, tau_max=9, groups="race")
    assert scorer(PIPE, X, y) == v_f
    display = GroupRobustnessDisplay.from_estimator(PIPE, X, y, sensitive_features=race, tau_max=9)
    assert_allclose(display.by_group["robustness"], result.by_group["robustness"])


@pytest.mark.parametrize(
    ("features", "names"),
    [
        (X["race"], ["race"]),
        (X["race"].to_numpy(), ["race"]),
        (X["race"].map({"x": 0, "y": 1}).tolist(), ["race"]),
        (X[["job", "race"]], ["job", "race"]),
        (X[["job", "race"]].to_numpy(), ["job", "race"]),
        (pd.cut(X["age"], [0, 30, 99]), ["age"]),
        (encode_groups(X[["job", "race"]], len(X)), ["job", "race"]),
        (pd.Series(y, name="other"), []),
        (np.zeros(len(X)), []),
        (None, []),
    ],
)
def test_columns_of_the_groups(features, names):
    assert sensitive_columns(features, X) == names


def test_few_rows_part_alike_by_chance():
    few = X.iloc[:5]
    assert sensitive_columns(few["member"].map({True: "m", False: "n"}).to_numpy(), few) == []
    assert sensitive_columns(few["member"], few) == ["member"]


def test_columns_that_cannot_be_read_stay_and_are_named():
    gaps = X.assign(income=X["income"].where(X["age"] > 30), wealth=X["income"] * X["age"])
    numbers = ["income", "wealth"]
    model = make_pipeline(
        make_column_transformer((KNNImputer(), numbers), (OneHotEncoder(), ["job", "race"])),
        LogisticRegression(max_iter=1000),
    ).fit(gaps, y)
    found = boundary_distance(model, gaps)
    assert found.threat_model.mutable_columns == ("job", "race")
    (line,) = [text for text in found.warnings_ if "not every column" in text]
    assert "'income' is mixed with 'wealth' by 'knnimputer'" in line
    mixed = make_pipeline(
        make_column_transformer((PCA(1), ["age", "income"]), (OneHotEncoder(), ["job"])),
        LogisticRegression(),
    ).fit(X, y)
    found = boundary_distance(mixed, X)
    assert found.threat_model.mutable_columns == ("job",)
    assert "'age' is mixed with 'income'" in " ".join(found.warnings_)
    job = ThreatModel.from_transformer(mixed[:-1], X, mutable="job")
    named = boundary_distance(mixed, X, threat_model=job)
    assert_array_equal(named.distance, found.distance)
    assert not any("not every column" in text for text in named.warnings_)


def test_free_text_is_no_category():
    words = np.array(["one", "two", "three"])
    text = [" ".join(words[[i % 3, i // 3 % 3, i // 9 % 3]]) + f" {i}" for i in range(len(X))]
    notes = X.assign(note=text)
    model = make_pipeline(
        make_column_transformer(
            (CountVectorizer(vocabulary=words), "note"), (OneHotEncoder(), ["job"])
        ),
        LogisticRegression(),
    ).fit(notes, y)
    found = boundary_distance(model, notes)
    assert found.threat_model.mutable_columns == ("job",)
    assert "'note' holds more than 50 values, which no encoder knows" in found.warnings_[-1]


def test_texts_alone_are_changed_behind_their_transformer_and_that_is_said():
    texts = pd.DataFrame({"note": [f"w{i} label{label}" for i, label in enumerate(y)]})
    encode = make_column_transformer((CountVectorizer(), "note"), sparse_threshold=0)
    model = make_pipeline(encode, LogisticRegression()).fit(texts, y)
    with pytest.warns(UserWarning, match=r"no column can be read; 'note' holds more than 50"):
        found = boundary_distance(model, texts)
    asked = boundary_distance(model, texts, threat_model=ThreatModel())  # and nothing is said
    assert_array_equal(found.distance, asked.distance)


def test_a_category_that_the_encoder_ignores_is_one_of_those_in_x():
    encode = encoder(categorical=OneHotEncoder(handle_unknown="ignore"))
    model = make_pipeline(encode, LogisticRegression()).fit(
        X[X["job"] != "cook"], y[X["job"] != "cook"]
    )
    found = boundary_distance(model, X)
    assert [len(block.codes) for block in found.threat_model.blocks] == [3, 2, 2]
    flipped = np.isfinite(found.distance)
    rows = found.as_rows().drop(columns="changed")[flipped].astype(X.dtypes)
    assert (model.predict(rows) != found.predicted[flipped]).all()


def test_gaps_that_transformers_leave_stay_gaps():
    gaps = FLOATS.mask(FLOATS["income"] > 3.5)
    model = make_pipeline(
        StandardScaler(), HistGradientBoostingClassifier(max_iter=4, random_state=0)
    ).fit(gaps, y)
    found = boundary_distance(model, gaps)
    moved = found.as_rows()[["income", "wealth"]]
    assert found.method == "exact"
    flipped = np.isfinite(found.distance)
    assert flipped.any()
    assert_array_equal(moved[flipped].isna(), gaps[flipped].isna())


def test_one_gap_that_reaches_the_last_step_is_enough():
    values = np.random.default_rng(0).normal(size=(3000, 2))
    values[::2, 0] = values[1501, 1] = np.nan  # of the first column all are filled
    table = pd.DataFrame(values, columns=["filled", "left"])
    fill = make_column_transformer((SimpleImputer(), ["filled"]), ("passthrough", ["left"]))
    model = make_pipeline(fill, HistGradientBoostingClassifier(max_iter=2, max_depth=1))
    model.fit(table, values[:, 1] > 0)
    assert default_threat_model(model, table).is_mixed


def test_catboost_is_given_its_codes_as_integers():
    library = pytest.importorskip("catboost")
    codes = make_column_transformer(
        (OrdinalEncoder(dtype=int), ["job"]), (StandardScaler(), ["income"])
    ).set_output(transform="pandas")
    model = make_pipeline(
        codes,
        library.CatBoostClassifier(
            iterations=4, depth=2, cat_features=[0], verbose=False, allow_writing_files=False,
            max_ctr_complexity=1, thread_count=1,
        ),
    ).fit(X, y)  # fmt: skip
    assert boundary_distance(model, X[["job", "income"]]).method == "exact"


def test_what_needs_the_last_step_says_how_to_get_it():
    out = r"threat_model=robfair.ThreatModel\(\), or --space features in a shell, changes the input"
    network = make_pipeline(encoder(), MLPClassifier((4,), max_iter=2000, random_state=0)).fit(X, y)
    for options in ({"certify": True}, {"method": "deepfool"}):
        with pytest.raises(ValueError, match=out):
            boundary_distance(network, X, **options)
    assert boundary_distance(PIPE, X, threat_model=ThreatModel(), certify=True).lower is not None
    with pytest.raises(ValueError, match=r"leave out n_steps. .*ThreatModel\(norm=numpy.inf\)"):
        attack(PIPE, X, y, eps=0.5, n_steps=3)


def test_attacks_make_rows_that_could_exist():
    result = attack(PIPE, X, y, eps=0.5)
    linf = ThreatModel.from_transformer(PIPE[:-1], X, norm=np.inf)
    assert result.threat_model == linf
    assert linf.valid(PIPE[0].transform(X), result.adversarial).all()
    d = boundary_distance(PIPE, X, y=y, threat_model=linf)
    assert_array_equal(result.success, (d.distance <= 0.5) | (d.status == "skipped"))
    assert_allclose(
        least_eps(PIPE, X, y, eps_max=9, method="distance").eps,
        np.where(d.status == "skipped", 0, d.distance),
    )


def test_models_that_only_predict_behind_an_encoder():
    whole = X.drop(columns="income")  # of steps and categories alone, which no rounding blurs
    encode = make_column_transformer(
        (StandardScaler(), ["age"]), (OneHotEncoder(), ["job", "race", "member"])
    )
    forest = make_pipeline(encode, RandomForestClassifier(20, random_state=0)).fit(whole, y)
    found = boundary_distance(forest, whole.iloc[:20])
    flipped = np.isfinite(found.distance)
    assert flipped.any()
    rows = found.as_rows().drop(columns="changed")[flipped].astype(whole.dtypes)
    assert (forest.predict(rows) != found.predicted[flipped]).all()
