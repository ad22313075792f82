"""Scorers by themselves: their numbers, where groups come from, and what is shared or fresh."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair import NaturalClassifier, ThreatModel, boundary_distance, get_scorer
from robfair import _cache as module_under_test
from robfair.datasets import make_group_margins
from robfair.distance import measure_distance
from robfair.exceptions import CensoredDistanceWarning, UndefinedMetricWarning
from robfair.metrics import (
    class_accuracy_unfairness,
    classifier_robustness,
    equalized_odds_unfairness,
    robustness_gap,
    robustness_variance,
    worst_group_robustness,
)
from robfair.scorers import (
    make_robustness_scorer,
    neg_cau_scorer,
    neg_eou_scorer,
    neg_v_f_scorer,
    rob_scorer,
)

DATA = make_group_margins(180, n_features=3, flip=0.05, random_state=0)
RACE = np.array(["a", "b", "c"])[DATA.groups]
FRAME = pd.DataFrame(DATA.X, columns=["x0", "x1", "x2"], index=np.arange(180) * 3 + 5)
WITH_RACE = FRAME.assign(race=DATA.groups)
LINEAR = LogisticRegression().fit(DATA.X, DATA.y)
ROB = classifier_robustness(
    DATA.y,
    LINEAR.predict(DATA.X),
    distance=boundary_distance(LINEAR, DATA.X).distance,
    sensitive_features=RACE,
)


@pytest.fixture
def passes(monkeypatch):
    """Sizes of the distance computations that are made, from an empty cache."""
    monkeypatch.setattr(module_under_test, "_RECENT", module_under_test._RecentResults())
    made = []

    def counted(model, X, y, **options):
        made.append(len(X))
        return measure_distance(model, X, y, **options)

    monkeypatch.setattr(module_under_test, "measure_distance", counted)
    return made


def network(**changes):
    settings = {"hidden_layer_sizes": [6], "max_epochs": 5, "lr": 0.02, "random_state": 0}
    return NaturalClassifier(**{**settings, **changes})


@pytest.mark.parametrize("model", [LINEAR, network().fit(DATA.X, DATA.y)])
def test_numbers_are_the_metrics(model):
    found = boundary_distance(model, DATA.X, y=DATA.y)
    args = {"distance": found.distance, "sensitive_features": RACE}
    expected = {
        rob_scorer: classifier_robustness(DATA.y, found.predicted, **args),
        neg_v_f_scorer: -robustness_variance(DATA.y, found.predicted, **args),
        neg_cau_scorer: -class_accuracy_unfairness(DATA.y, model.predict(DATA.X)),
        neg_eou_scorer: -equalized_odds_unfairness(
            DATA.y, model.predict_proba(DATA.X), sensitive_features=RACE
        ),
    }
    for scorer, value in expected.items():
        score = scorer(model, DATA.X, DATA.y, sensitive_features=RACE)
        assert type(score) is float
        assert score == pytest.approx(value)


def test_options_of_the_distance_and_the_metric():
    sup = ThreatModel(norm=np.inf)
    scorer = make_robustness_scorer(
        worst_group_robustness, method="paper", threat_model=sup,
        distance_params={"max_iter": 7}, tau_max=0.1,
    )  # fmt: skip
    found = boundary_distance(LINEAR, DATA.X, method="paper", threat_model=sup, max_iter=7)
    expected = worst_group_robustness(
        DATA.y, found.predicted, distance=found.distance, sensitive_features=RACE, tau_max=0.1
    )
    assert scorer(LINEAR, DATA.X, DATA.y, sensitive_features=RACE) == pytest.approx(expected)
    assert repr(scorer).startswith(
        "make_robustness_scorer(worst_group_robustness, method='paper', threat_model=ThreatModel("
    )


def test_ways_to_bind_groups():
    lookup = pd.Series(RACE, index=FRAME.index).sample(frac=1, random_state=0)
    model = LogisticRegression().fit(FRAME, DATA.y)
    for groups in (lambda X: RACE, lookup, pd.concat([lookup, pd.Series({-1: "z"})])):
        scorer = make_robustness_scorer(classifier_robustness, groups=groups)
        assert scorer(model, FRAME, DATA.y) == pytest.approx(ROB)
    part = np.arange(180) % 3 == 0
    scorer = make_robustness_scorer(classifier_robustness, groups=lookup)
    by_hand = rob_scorer(model, FRAME[part], DATA.y[part], sensitive_features=RACE[part])
    assert scorer(model, FRAME[part], DATA.y[part]) == by_hand


@pytest.mark.parametrize(
    ("X", "groups"),
    [
        (WITH_RACE, "race"),
        (WITH_RACE, 3),
        (WITH_RACE, -1),
        (WITH_RACE.to_numpy(), 3),
        (WITH_RACE.to_numpy().tolist(), 3),
        (pl.DataFrame(WITH_RACE), "race"),
        (pl.DataFrame(WITH_RACE), 3),
    ],
)
def test_groups_from_a_column_of_any_container(X, groups):
    model = LogisticRegression().fit(X, DATA.y)
    scorer = make_robustness_scorer(classifier_robustness, groups=groups)
    expected = rob_scorer(model, X, DATA.y, sensitive_features=DATA.groups)
    assert scorer(model, X, DATA.y) == expected


def test_no_groups_names_the_three_ways():
    with pytest.raises(ValueError, match="got none") as error:
        neg_v_f_scorer(LINEAR, DATA.X, DATA.y)
    text = str(error.value)
    for part in ("enable_metadata_routing=True", 'groups="race"', "function of X", "pandas Series"):
        assert part in text
    assert "(1)" in text
    assert "(3)" in text
    assert neg_cau_scorer(LINEAR, DATA.X, DATA.y) <= 0  # the classes are its groups


def test_bound_and_passed():
    scorer = make_robustness_scorer(robustness_gap, groups="race")
    with pytest.raises(ValueError, match=r"bound to groups='race' and was also passed"):
        scorer(LINEAR, DATA.X, DATA.y, sensitive_features=RACE)


def test_binding_errors():
    race = pd.Series(RACE, index=FRAME.index)

    def score(groups, X=FRAME):
        return make_robustness_scorer(classifier_robustness, groups=groups)(LINEAR, X, DATA.y)

    with pytest.raises(ValueError, match=r"'rase' is not a column of X \(\['x0', 'x1', 'x2'\]"):
        score("rase")
    with pytest.raises(ValueError, match=r"'race' is not a column of X .X has no columns"):
        score("race", DATA.X)
    with pytest.raises(ValueError, match="index is not unique"):
        score(pd.concat([race, race.iloc[:1]]))
    with pytest.raises(ValueError, match=r"lacks 3 of the 180 rows of X, first index .*5"):
        score(race.iloc[3:])
    with pytest.raises(ValueError, match="X is a ndarray without one"):
        score(race, DATA.X)
    with pytest.raises(ValueError, match="X is a polars DataFrame without one"):
        score(race, pl.DataFrame(FRAME))
    for bad in (race.to_numpy(), list(RACE), 1.5):
        with pytest.raises(TypeError, match="groups must be the name or number of a column"):
            score(bad)
    for bad in (lambda X: RACE[:5], lambda X: None):
        with pytest.raises((ValueError, TypeError), match=r"sensitive_features|returned None"):
            score(bad)


def test_one_group_is_nan_with_a_warning():
    for scorer in (neg_v_f_scorer, neg_eou_scorer):
        with pytest.warns(UndefinedMetricWarning, match="NaN"):
            assert np.isnan(scorer(LINEAR, DATA.X, DATA.y, sensitive_features=["a"] * 180))


def test_censored_distances():
    constant = LogisticRegression().fit(DATA.X, DATA.y)
    constant.coef_ = 0 * constant.coef_
    for scorer in (rob_scorer, neg_v_f_scorer):
        with pytest.warns(CensoredDistanceWarning, match="tau_max="):
            assert np.isnan(scorer(constant, DATA.X, DATA.y, sensitive_features=RACE))
    capped = make_robustness_scorer(classifier_robustness, tau_max=2.0)
    accuracy = constant.score(DATA.X, DATA.y)
    score = capped(constant, DATA.X, DATA.y, sensitive_features=RACE)
    assert score == pytest.approx(2 * accuracy, rel=0.05)


def own_metric(y_true, y_pred):
    return float(np.mean(np.asarray(y_true) == y_pred))


def own_proba_metric(y_true, y_proba):
    return float(y_proba[np.arange(len(y_true)), y_true].mean())


def own_distance_metric(y_true, y_pred, *, distance, quantile):
    return float(np.nanquantile(distance, quantile))


def test_metrics_of_the_users_own():
    """A metric is passed what its signature names, and nothing else."""
    assert make_robustness_scorer(own_metric)(LINEAR, DATA.X, DATA.y) == LINEAR.score(
        DATA.X, DATA.y
    )
    scorer = make_robustness_scorer(own_distance_metric, quantile=0.5)
    found = boundary_distance(LINEAR, DATA.X, y=DATA.y).distance
    assert scorer(LINEAR, DATA.X, DATA.y) == pytest.approx(np.nanmedian(found))


def test_a_probability_metric_of_the_users_own():
    scorer = make_robustness_scorer(own_proba_metric)
    expected = own_proba_metric(DATA.y, LINEAR.predict_proba(DATA.X))
    assert scorer(LINEAR, DATA.X, DATA.y) == pytest.approx(expected)


CAP = {"tau_max": 9.0}  # a sample without a boundary is not what these tests are about
FIVE = {
    "rob": make_robustness_scorer(classifier_robustness, groups="race", **CAP),
    "v_f": make_robustness_scorer(
        robustness_variance, groups="race", greater_is_better=False, **CAP
    ),
    "worst": make_robustness_scorer(worst_group_robustness, groups=3, **CAP),
    "gap": make_robustness_scorer(robustness_gap, groups=lambda X: X["race"], **CAP),
    "cau": neg_cau_scorer,
}


@pytest.mark.slow
@pytest.mark.parametrize("steps", [[], [StandardScaler()], [StandardScaler(), PCA(3)]])
@pytest.mark.parametrize("frame", [WITH_RACE, WITH_RACE.astype({"race": "int8"}).copy()])
def test_one_distance_pass_per_fold(passes, steps, frame):
    model = make_pipeline(*steps, network()) if steps else network()
    found = cross_validate(model, frame, DATA.y, cv=3, scoring=FIVE)
    assert passes == [60, 60, 60]
    assert {f"test_{name}" for name in FIVE} <= set(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        MLPClassifier([4], max_iter=2000, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
)
def test_one_distance_pass_for_models_of_scikit_learn(passes, model):
    """Their module is built anew at each call; its content is what has to be compared."""
    cross_validate(model, WITH_RACE, DATA.y, cv=2, scoring=FIVE)
    assert passes == [90, 90]


def test_forward_passes_are_those_of_one_distance_pass():
    model = network().fit(DATA.X, DATA.y)
    rows = []
    hook = model.module_.register_forward_hook(lambda part, args, out: rows.append(len(args[0])))
    try:
        boundary_distance(model, DATA.X, y=DATA.y)
        once = sum(rows)
        rows.clear()
        model_scores = [
            make_robustness_scorer(metric)(model, DATA.X, DATA.y, sensitive_features=RACE)
            for metric in (classifier_robustness, robustness_gap, worst_group_robustness)
        ]
    finally:
        hook.remove()
    assert np.isfinite(model_scores).all()
    # A lambda as a hook cannot be pickled: there is no content to compare, and nothing is shared.
    assert sum(rows) in (once, 3 * once)


def rob(model, X=DATA.X, y=DATA.y):
    return rob_scorer(model, X, y, sensitive_features=RACE)


def fresh(model, X=DATA.X, y=DATA.y):
    found = boundary_distance(model, X, y=y)
    return classifier_robustness(
        y, found.predicted, distance=found.distance, sensitive_features=RACE
    )


def test_a_repeated_call_is_free_and_equal(passes):
    model = network().fit(DATA.X, DATA.y)
    assert rob(model) == rob(model)
    assert passes == [180]
    assert rob(copy.deepcopy(model)) == rob(model)


@pytest.mark.parametrize("model", [LogisticRegression(), network()])
def test_changes_are_never_met_by_an_old_result(passes, model):
    X, y = DATA.X.copy(), DATA.y.copy()
    model.fit(X, y)
    values = [rob(model, X, y)]
    X *= 1.5  # in place: the same object
    values.append(rob(model, X, y))
    assert values[-1] == fresh(model, X, y)
    y[:20] = 1 - y[:20]
    values.append(rob(model, X, y))
    assert values[-1] == fresh(model, X, y)
    model.set_params(**{"C": 0.01} if "C" in model.get_params() else {"max_epochs": 7}).fit(X, y)
    values.append(rob(model, X, y))
    assert values[-1] == fresh(model, X, y)
    if hasattr(model, "module_"):
        with torch.no_grad():
            model.module_[0].weight[0] *= 1.5
    else:
        model.coef_ *= 2.0
        model.intercept_ += 0.1
    values.append(rob(model, X, y))
    assert values[-1] == fresh(model, X, y)
    assert len(set(values)) == len(values) == len(passes)


def test_a_changed_transformer_or_option_is_computed_anew(passes):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(DATA.X, DATA.y)
    first = rob(model)
    model[0].scale_ = model[0].scale_ * 2
    assert rob(model) != first
    sup = make_robustness_scorer(classifier_robustness, threat_model=ThreatModel(norm=np.inf))
    assert sup(model, DATA.X, DATA.y, sensitive_features=RACE) < rob(model)
    assert len(passes) == 3  # the last one was remembered


@pytest.mark.parametrize(
    "copier", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_copies(copier):
    groups = pd.Series(RACE, index=FRAME.index)
    scorer = make_robustness_scorer(
        robustness_variance, greater_is_better=False, groups=groups, tau_max=3.0, ddof=1
    )
    again = copier(scorer)
    assert (
        repr(again)
        == repr(scorer)
        == (
            "make_robustness_scorer(robustness_variance, greater_is_better=False, groups=Series, "
            "tau_max=3.0, ddof=1)"
        )
    )
    model = LogisticRegression().fit(FRAME, DATA.y)
    assert_allclose(again(model, FRAME, DATA.y), scorer(model, FRAME, DATA.y))
    alias = get_scorer("rob").set_score_request(sensitive_features="race")
    assert copier(alias).get_metadata_routing().score.requests == {"sensitive_features": "race"}
