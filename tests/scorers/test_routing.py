"""Scorers inside scikit-learn: searches and cross-validation, with metadata routing and without."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fairlearn.metrics import demographic_parity_difference
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair import FarmurClassifier, boundary_distance, get_scorer
from robfair.datasets import make_group_margins
from robfair.exceptions import GroupsWarning, UndefinedMetricWarning
from robfair.metrics import classifier_robustness, robustness_variance
from robfair.scorers import make_robustness_scorer, neg_eou_scorer, neg_v_f_scorer, rob_scorer

DATA = make_group_margins(240, n_features=3, random_state=0)
X, Y = DATA.X, DATA.y
RACE = np.array(["a", "b", "c"])[DATA.groups]
PATIENT = np.arange(240) // 4
SCORING = {"rob": rob_scorer, "v_f": neg_v_f_scorer}

# Tiny networks leave a sample without a boundary now and then: that is what tau_max is for.
CAPPED = {
    "rob": make_robustness_scorer(classifier_robustness, tau_max=9.0),
    "v_f": make_robustness_scorer(robustness_variance, greater_is_better=False, tau_max=9.0),
}


def farmur(**changes):
    settings = {
        "hidden_layer_sizes": [6], "max_epochs": 2, "retrain_epochs": 1, "n_steps": 2,
        "lr": 0.02, "batch_size": 32, "validation_fraction": 0.3, "random_state": 0,
    }  # fmt: skip
    return FarmurClassifier(**{**settings, **changes})


def parity():
    scorer = make_scorer(demographic_parity_difference, greater_is_better=False)
    return scorer.set_score_request(sensitive_features=True)


def test_the_search_of_the_design():
    """Groups for fit and for the scorers, beside a metric of fairlearn."""
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            farmur(), {"beta": [1, 6]}, scoring={**CAPPED, "dp": parity()}, refit="v_f", cv=2
        ).fit(X, Y, groups=RACE, sensitive_features=RACE)
        assert np.isfinite(search.score(X, Y, sensitive_features=RACE))
    results = search.cv_results_
    assert search.best_index_ == np.argmax(results["mean_test_v_f"])
    assert search.best_estimator_.groups_.tolist() == ["a", "b", "c"]
    assert (results["mean_test_rob"] > 0).all()
    assert (results["mean_test_v_f"] < 0).all()
    assert np.isfinite(results["mean_test_dp"]).all()
    assert search.best_params_["beta"] in (1, 6)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_folds_are_scored_as_by_hand(n_jobs):
    cv = KFold(3)
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            LogisticRegression(), X, Y, cv=cv, scoring=SCORING, n_jobs=n_jobs,
            params={"sensitive_features": RACE},
        )  # fmt: skip
    for fold, (train, test) in enumerate(cv.split(X)):
        model = LogisticRegression().fit(X[train], Y[train])
        distance = boundary_distance(model, X[test])
        args = {"distance": distance.distance, "sensitive_features": RACE[test]}
        expected = classifier_robustness(Y[test], distance.predicted, **args)
        assert found["test_rob"][fold] == pytest.approx(expected)
        expected = -robustness_variance(Y[test], distance.predicted, **args)
        assert found["test_v_f"][fold] == pytest.approx(expected)


def test_groups_reach_fit_and_scorers_in_parallel():
    found = []
    for n_jobs in (1, 2):
        with config_context(enable_metadata_routing=True):
            scores = cross_validate(
                farmur(), X, Y, cv=2, scoring=CAPPED, n_jobs=n_jobs,
                params={"groups": RACE, "sensitive_features": RACE},
            )  # fmt: skip
        found.append((scores["test_rob"], scores["test_v_f"]))
    assert_array_equal(*found)


@pytest.mark.parametrize("wrap", [np.asarray, list, pd.Series, pl.Series, pd.Categorical])
def test_containers_of_groups(wrap):
    with config_context(enable_metadata_routing=True):
        scores = [
            cross_validate(
                LogisticRegression(), X, Y, cv=2, scoring=rob_scorer,
                params={"sensitive_features": race},
            )["test_score"]
            for race in (RACE, wrap(RACE))
        ]  # fmt: skip
    assert_array_equal(*scores)


def test_columns_of_groups_are_sliced_with_x():
    frame = pd.DataFrame(
        {"race": RACE, "sex": np.arange(240) % 2}, index=[f"id{i}" for i in range(240)]
    )
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            LogisticRegression(), pd.DataFrame(X), Y, cv=2, scoring=SCORING,
            params={"sensitive_features": frame},
        )  # fmt: skip
    assert np.isfinite(found["test_v_f"]).all()


def test_groups_of_the_wrong_length():
    """scikit-learn passes them whole: the scorer has to notice."""
    with config_context(enable_metadata_routing=True), pytest.raises(ValueError, match="samples"):
        cross_validate(
            LogisticRegression(), X, Y, cv=2, scoring=SCORING, error_score="raise",
            params={"sensitive_features": RACE[:-3]},
        )  # fmt: skip


def test_routing_off_without_groups_names_the_three_ways():
    with pytest.raises(ValueError, match="turn on metadata routing"):
        cross_validate(LogisticRegression(), X, Y, scoring=SCORING, error_score="raise")


def test_routing_off_and_bound_to_a_column():
    frame = pd.DataFrame(X).assign(race=DATA.groups).rename(columns=str)
    scoring = {
        name: make_robustness_scorer(scorer.metric, groups="race", greater_is_better=name == "rob")
        for name, scorer in SCORING.items()
    }
    model = make_pipeline(StandardScaler(), LogisticRegression())
    off = cross_validate(model, frame, Y, cv=3, scoring=scoring)
    with config_context(enable_metadata_routing=True):
        on = cross_validate(model, frame, Y, cv=3, scoring=scoring)
        passed = cross_validate(
            model, frame, Y, cv=3, scoring=SCORING, params={"sensitive_features": DATA.groups}
        )
    for name in ("test_rob", "test_v_f"):
        assert_array_equal(off[name], on[name])
        assert_array_equal(off[name], passed[name])


def test_routing_off_drops_groups_with_a_warning():
    search = GridSearchCV(farmur(), {"beta": [1.0]}, cv=GroupKFold(2))
    with pytest.warns(GroupsWarning, match=r"got no groups[\s\S]*metadata routing"):
        search.fit(X, Y, groups=PATIENT)
    assert search.best_estimator_.groups_.tolist() == [0, 1]


def test_routing_off_with_the_other_name():
    """sensitive_features= does reach fit; and classes as groups can be meant."""
    race = farmur()
    with warnings.catch_warnings():
        warnings.simplefilter("error", GroupsWarning)
        search = GridSearchCV(race, {"beta": [1.0]}, cv=2).fit(X, Y, sensitive_features=RACE)
        assert search.best_estimator_.groups_.tolist() == ["a", "b", "c"]
        search = GridSearchCV(race, {"beta": [1.0]}, cv=2).fit(X, Y, sensitive_features=Y)
        assert search.best_estimator_.groups_.tolist() == [0, 1]


def test_folds_by_patient_and_fairness_by_race_with_routing():
    with config_context(enable_metadata_routing=True):
        clf = farmur().set_fit_request(groups="race")
        scoring = {name: clone(s, safe=False) for name, s in CAPPED.items()}
        for scorer in scoring.values():
            scorer.set_score_request(sensitive_features="race")
        found = cross_validate(
            clf, X, Y, cv=GroupKFold(3), scoring=scoring, return_indices=True,
            return_estimator=True, params={"groups": PATIENT, "race": RACE},
        )  # fmt: skip
    assert np.isfinite(found["test_rob"]).all()
    check_patients(found)


def test_folds_by_patient_and_fairness_by_race_without_routing():
    frame = pd.DataFrame(X, index=np.arange(240) + 1000).rename(columns=str)
    race = pd.Series(RACE, index=frame.index)
    scorer = make_robustness_scorer(classifier_robustness, groups=race, tau_max=9.0)
    found = cross_validate(
        farmur(), frame, Y, cv=GroupKFold(3), groups=PATIENT, params={"groups": race},
        scoring={"rob": scorer}, return_indices=True, return_estimator=True,
    )  # fmt: skip
    assert np.isfinite(found["test_rob"]).all()
    check_patients(found)


def check_patients(found):
    for indices in zip(found["indices"]["train"], found["indices"]["test"], strict=True):
        assert set(PATIENT[indices[0]]).isdisjoint(PATIENT[indices[1]])
    for clf in found["estimator"]:
        assert clf.groups_.tolist() == ["a", "b", "c"]


def test_a_fold_with_one_group_is_nan_and_never_fair():
    by_race = np.argsort(RACE, kind="stable")
    with config_context(enable_metadata_routing=True), pytest.warns(UndefinedMetricWarning):
        found = cross_validate(
            LogisticRegression(), X[by_race], Y[by_race], cv=KFold(3),
            scoring={"v_f": neg_v_f_scorer, "eou": neg_eou_scorer, "rob": rob_scorer},
            params={"sensitive_features": RACE[by_race]},
        )  # fmt: skip
    assert np.isnan(found["test_v_f"]).all()
    assert np.isnan(found["test_eou"]).all()
    assert np.isfinite(found["test_rob"]).all()


def test_aliases():
    scorer = get_scorer("rob").set_score_request(sensitive_features="race")
    with config_context(enable_metadata_routing=True):
        found, plain = (
            cross_validate(LogisticRegression(), X, Y, cv=2, scoring=s, params={name: RACE})
            for s, name in ((scorer, "race"), (rob_scorer, "sensitive_features"))
        )
        assert_array_equal(found["test_score"], plain["test_score"])
        with pytest.raises(TypeError, match="sensitive_features"):
            cross_validate(
                LogisticRegression(), X, Y, scoring=scorer, params={"sensitive_features": RACE}
            )


def test_a_bound_scorer_requests_nothing():
    bound = make_robustness_scorer(classifier_robustness, groups=0)
    assert bound.get_metadata_routing().score.requests == {}
    unbound = make_robustness_scorer(classifier_robustness)
    assert unbound.get_metadata_routing().score.requests == {"sensitive_features": True}


def test_sample_weight_does_not_reach_the_scorers():
    scorer = make_robustness_scorer(classifier_robustness, groups=lambda rows: rows[:, 0] > 0)
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring={"rob": scorer}, refit=False)
    with pytest.warns(UserWarning, match="does not support sample_weight"):
        search.fit(X, Y, sample_weight=np.ones(240))
    assert np.isfinite(search.cv_results_["mean_test_rob"]).all()


def test_a_pipeline_with_groups_for_its_last_step():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), farmur())
        found = cross_validate(
            model, pd.DataFrame(X).rename(columns=str), Y, cv=2, scoring=CAPPED,
            return_estimator=True, params={"groups": RACE, "sensitive_features": RACE},
        )  # fmt: skip
    assert np.isfinite(found["test_v_f"]).all()
    assert found["estimator"][0][-1].groups_.tolist() == ["a", "b", "c"]


def test_clone_of_a_search_keeps_its_scorers():
    scorer = get_scorer("neg_v_f").set_score_request(sensitive_features="race")
    search = clone(GridSearchCV(LogisticRegression(), {"C": [1]}, scoring={"v": scorer}, refit="v"))
    requests = search.scoring["v"].get_metadata_routing().score.requests
    assert requests == {"sensitive_features": "race"}
    assert "robustness_variance" in repr(search)


def test_scoring_of_string_labels():
    names = np.array(["no", "yes"])[Y]
    with config_context(enable_metadata_routing=True):
        scores = [
            cross_validate(
                LogisticRegression(), X, y, cv=3, params={"sensitive_features": RACE},
                scoring={**SCORING, "eou": neg_eou_scorer},
            )
            for y in (Y, names)
        ]  # fmt: skip
    for name in ("test_rob", "test_v_f", "test_eou"):
        assert_allclose(scores[0][name], scores[1][name])
