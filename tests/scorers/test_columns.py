"""Strata of a scorer: named, a column, a function or a Series, with metadata routing or without."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate

from robfair import boundary_distance
from robfair.datasets import make_group_margins
from robfair.metrics import (
    class_accuracy_unfairness,
    equalized_odds_unfairness,
    group_robustness,
    robustness_gini,
    robustness_variance,
)
from robfair.scorers import make_robustness_scorer

DATA = make_group_margins(240, n_features=3, random_state=0)
RACE = pd.Series(np.array(["a", "b", "c"])[DATA.groups], name="race")
X = pd.DataFrame(DATA.X, columns=["x0", "x1", "x2"]).assign(old=(np.arange(240) // 3) % 2)
Y = pd.Series(DATA.y)
STRATA = {
    "y_true": ("y_true", Y),
    "column": ("old", X["old"]),
    "number": (3, X["old"]),
    "function": (lambda X: X["old"] * 2, X["old"]),
    "Series": (X["old"].astype(str)[::-1], X["old"]),
}


def by_hand(strata, test, model):
    distance = boundary_distance(model, X.iloc[test])
    return -robustness_variance(
        Y.iloc[test], distance.predicted, distance=distance.distance,
        sensitive_features=RACE.iloc[test], standardize_by=strata.iloc[test],
    )  # fmt: skip


@pytest.mark.parametrize("routing", [True, False])
@pytest.mark.parametrize("source", STRATA)
def test_strata_in_cross_validation(source, routing):
    by, values = STRATA[source]
    scorer = make_robustness_scorer(
        robustness_variance, greater_is_better=False, standardize_by=by,
        groups=None if routing else RACE,
    )  # fmt: skip
    cv, model = KFold(3), LogisticRegression()
    with config_context(enable_metadata_routing=routing):
        params = {"params": {"sensitive_features": RACE}} if routing else {}
        found = cross_validate(
            model, X, Y, cv=cv, scoring=scorer, error_score="raise", **params
        )["test_score"]  # fmt: skip
    for score, (train, test) in zip(found, cv.split(X), strict=True):
        fitted = LogisticRegression().fit(X.iloc[train], Y.iloc[train])
        assert score == pytest.approx(by_hand(values, test, fitted))


def test_strata_in_a_search():
    scorer = make_robustness_scorer(
        robustness_gini, greater_is_better=False, groups=RACE, standardize_by="y_true"
    )
    search = GridSearchCV(
        LogisticRegression(), {"C": [0.01, 1.0]}, scoring=scorer, cv=2, error_score="raise"
    ).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert (scores < 0).all()
    assert search.best_index_ == np.argmax(scores)
    assert "standardize_by='y_true'" in repr(scorer)


def test_more_than_one_number_is_refused():
    for options in ({"control_features": "y_true"}, {"control_features": RACE}):
        with pytest.raises(TypeError, match="one number, and control_features= gives"):
            make_robustness_scorer(robustness_variance, **options)
    hidden = partial(robustness_variance, control_features="y_true")
    model = LogisticRegression().fit(X, Y)
    for metric in (hidden, group_robustness):
        with pytest.raises(TypeError, match="A scorer returns one number"):
            make_robustness_scorer(metric, groups=RACE)(model, X, Y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"standardize_by": ["x"] * 240}, "standardize_by must be the name or number of a column"),
        ({"standardise_by": "y_true"}, "takes no standardise_by=. Did you mean 'standardize_by'"),
        ({"sensitive_features": RACE}, "sensitive_features is passed by the scorer. Pass groups="),
        ({"distance": np.ones(240)}, "distance is passed by the scorer"),
    ],
)
def test_keywords_that_would_be_dropped_are_refused(options, message):
    with pytest.raises(TypeError, match=message):
        make_robustness_scorer(robustness_variance, **options)


def test_a_measure_without_strata_refuses_them():
    with pytest.raises(TypeError, match="accuracy_score takes no standardize_by="):
        make_robustness_scorer(accuracy_score, standardize_by="y_true")


def test_eou_as_if_the_groups_had_one_mix_of_ages():
    model = LogisticRegression().fit(X, Y)
    scorer = make_robustness_scorer(
        equalized_odds_unfairness, greater_is_better=False, groups=RACE, standardize_by="old"
    )
    expected = equalized_odds_unfairness(
        Y, model.predict_proba(X), sensitive_features=RACE, standardize_by=X["old"]
    )
    assert scorer(model, X, Y) == -expected


def test_strata_that_X_lacks():
    model = LogisticRegression().fit(X, Y)
    scorer = make_robustness_scorer(robustness_variance, groups=RACE, standardize_by="age")
    with pytest.raises(ValueError, match="standardize_by='age' is not a column of X"):
        scorer(model, X, Y)


def test_cau_is_standardised_by_a_column():
    model = LogisticRegression(C=0.01).fit(X, Y)
    scorer = make_robustness_scorer(
        class_accuracy_unfairness, greater_is_better=False, standardize_by="old"
    )
    right = pd.DataFrame({"right": model.predict(X) == Y, "y": Y, "old": X["old"]})
    accuracy = right.groupby(["y", "old"])["right"].mean().unstack() @ [0.5, 0.5]
    assert scorer(model, X, Y) == pytest.approx(-np.ptp(accuracy))
