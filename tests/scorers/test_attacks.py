"""Scorers that attack: what the metric gets, what is shared, and groups in place of classes."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import demographic_parity_difference
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair import NaturalClassifier, ThreatModel, _cache, get_scorer, get_scorer_names
from robfair.attacks import attack, least_eps
from robfair.datasets import make_group_margins
from robfair.exceptions import CensoredDistanceWarning, GroupsWarning
from robfair.metrics import class_robustness_unfairness, classifier_robustness
from robfair.scorers import (
    make_robustness_scorer,
    neg_cau_scorer,
    neg_cru_eps_scorer,
    neg_cru_s_scorer,
    neg_v_f_scorer,
)

DATA = make_group_margins(240, n_features=3, flip=0.1, random_state=0)
X = DATA.X + np.where(DATA.y == 0, 0.3, 0.0)[:, None]  # one class closer to the other
Y = DATA.y
RACE = np.array(["a", "b", "c"])[DATA.groups]
LINEAR = LogisticRegression().fit(X, Y)


NAMES = ["neg_cru_eps", "neg_cru_s"]
# Most tests compare the classes, and say so nowhere.
pytestmark = pytest.mark.filterwarnings("ignore:.* got no groups:robfair.exceptions.GroupsWarning")


def cru(**changes):
    return make_robustness_scorer(class_robustness_unfairness, greater_is_better=False, **changes)


@pytest.fixture
def attacks(monkeypatch):
    """The attacks that are made, with their number of samples, from an empty cache."""
    monkeypatch.setattr(_cache, "_RECENT", _cache._RecentResults())
    made = []

    def counted(function):
        def call(model, rows, *args, **options):
            made.append((function.__name__, len(rows)))
            return function(model, rows, *args, **options)

        return call

    monkeypatch.setattr(_cache, "attack", counted(attack))
    monkeypatch.setattr(_cache, "least_eps", counted(least_eps))
    return made


def network():
    return NaturalClassifier(hidden_layer_sizes=[6], max_epochs=5, lr=0.02, random_state=0)


def linear_eps(model, rows, norm=np.inf):
    """Least eps of a binary linear model: the distance in the dual norm."""
    dual = np.linalg.norm(model.coef_[0], 1 if norm == np.inf else 2)
    return np.abs(model.decision_function(rows)) / dual


def largest_gap(values, groups):
    means = [values[groups == name].mean() for name in np.unique(groups)]
    return max(means) - min(means)


@pytest.mark.parametrize("norm", [np.inf, 2])
@pytest.mark.parametrize("population", ["correct", "all"])
def test_closed_form_on_a_linear_model(norm, population):
    right = LINEAR.predict(X) == Y
    least = np.where(right, linear_eps(LINEAR, X, norm), 0)
    keep = right if population == "correct" else np.full(len(Y), True)
    options = {"population": population}
    if norm == 2:
        options["threat_model"] = ThreatModel(norm=2)
    nearest = np.sort(least)[80:160]
    at = np.argmax(np.diff(nearest))  # an attack need not be exact to the last digit
    eps = nearest[at : at + 2].mean()
    by_success = cru(attack_params={"eps": eps, "random_start": False}, **options)
    by_eps = cru(attack_params={"eps_max": 3 * eps}, eps_max=3 * eps, **options)
    for groups, args in ((Y, {}), (RACE, {"sensitive_features": RACE})):
        success = largest_gap((least <= eps)[keep], groups[keep])
        assert success > 0
        assert by_success(LINEAR, X, Y, **args) == pytest.approx(-success, abs=1e-12)
        expected = largest_gap(np.minimum(least, 3 * eps)[keep], groups[keep])
        assert by_eps(LINEAR, X, Y, **args) == pytest.approx(-expected, rel=0.05)


@pytest.mark.parametrize("model", [LINEAR, network().fit(X, Y)])
def test_ready_made_scorers_are_the_metrics(model):
    attacked = attack(model, X, Y, eps=0.1)
    least = least_eps(model, X, Y, eps_max=1.0, method="distance")
    for args in ({}, {"sensitive_features": RACE}):
        expected = class_robustness_unfairness(
            Y, attacked.predicted, success=attacked.success, **args
        )
        score = neg_cru_s_scorer(model, X, Y, **args)
        assert type(score) is float
        assert score == -expected
        expected = class_robustness_unfairness(
            Y, least.predicted, least_eps=least.eps, eps_max=1.0, **args
        )
        assert neg_cru_eps_scorer(model, X, Y, **args) == -expected


def test_string_labels_and_a_pipeline():
    names = np.array(["no", "yes"])[Y]
    frame = pd.DataFrame(X, columns=list("xyz"))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, names)
    scaled = model[0].transform(frame)
    least = np.where(model.predict(frame) == names, linear_eps(model[1], scaled), 0)
    right = least > 0
    expected = largest_gap((least <= 0.1)[right], Y[right])
    assert neg_cru_s_scorer(model, frame, names) == pytest.approx(-expected)
    expected = largest_gap(np.minimum(least, 1)[right], Y[right])
    assert neg_cru_eps_scorer(model, frame, names) == pytest.approx(-expected, rel=1e-3)


def test_scale():
    """Features and eps times 100: the same success rates, and 100 times the least eps."""
    large = copy.deepcopy(LINEAR)
    large.coef_ = LINEAR.coef_ / 100
    for eps in (0.1, 0.3):
        score = cru(attack_params={"eps": eps})(LINEAR, X, Y)
        assert cru(attack_params={"eps": 100 * eps})(large, 100 * X, Y) == pytest.approx(score)
        score = cru(attack_params={"eps_max": eps}, eps_max=eps)(LINEAR, X, Y)
        scaled = cru(attack_params={"eps_max": 100 * eps}, eps_max=100 * eps)(large, 100 * X, Y)
        assert scaled == pytest.approx(100 * score, rel=1e-3)


def test_censored_without_a_cap():
    scorer = cru(attack_params={"eps_max": 0.1})
    with pytest.warns(CensoredDistanceWarning, match="eps_max="):
        assert np.isnan(scorer(LINEAR, X, Y))


def test_a_model_without_gradients():
    forest = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, Y)
    assert -1 <= neg_cru_eps_scorer(forest, X[:40], Y[:40]) <= 0
    with pytest.raises(TypeError):
        neg_cru_s_scorer(forest, X, Y)


def success_metric(y_true, y_pred, *, success):
    return float(np.mean(success))


def combined_metric(y_true, y_pred, *, distance, least_eps):
    return float(np.nanmax(least_eps[least_eps > 0] / distance[least_eps > 0]))


def test_metrics_of_the_users_own():
    scorer = make_robustness_scorer(success_metric, attack_params={"eps": 0.2, "n_steps": 3})
    assert scorer(LINEAR, X, Y) == attack(LINEAR, X, Y, eps=0.2, n_steps=3).success.mean()
    # Both results: the L-inf distance is at least 1 / sqrt(3) of the L2 distance.
    scorer = make_robustness_scorer(
        combined_metric, attack_params={"eps_max": 99.0, "method": "distance"}
    )
    ratio = np.linalg.norm(LINEAR.coef_) / np.abs(LINEAR.coef_).sum()
    assert scorer(LINEAR, X, Y) == pytest.approx(ratio, rel=1e-3)


def optional_groups(y_true, y_pred, *, sensitive_features=("x",)):
    return float(len(set(sensitive_features)))


def test_a_metric_of_the_users_own_with_optional_groups():
    scorer = make_robustness_scorer(optional_groups)
    assert scorer(LINEAR, X, Y) == 1
    assert scorer(LINEAR, X, Y, sensitive_features=RACE) == 3


def test_one_attack_per_fold(attacks):
    scoring = {
        "classes": cru(attack_params={"eps": 0.2}),
        "all": cru(attack_params={"eps": 0.2}, population="all"),
        "groups": cru(attack_params={"eps": 0.2}, groups=lambda rows: rows[:, 0] > 0),
        "least": cru(attack_params={"eps_max": 0.5}, eps_max=0.5),
        "least_all": cru(attack_params={"eps_max": 0.5}, eps_max=0.2, population="all"),
    }
    found = cross_validate(LogisticRegression(), X, Y, cv=2, scoring=scoring)
    assert attacks == [("attack", 120), ("least_eps", 120)] * 2
    assert len({tuple(found[f"test_{name}"]) for name in scoring}) == 5


def test_changes_are_never_met_by_an_old_result(attacks):
    model = LogisticRegression().fit(X, Y)
    scorer = cru(attack_params={"eps": 0.2})
    scores = [scorer(model, X, Y), scorer(model, X, Y)]
    assert len(attacks) == 1
    model.coef_ *= 2.0
    model.intercept_ += 0.2
    scores.append(scorer(model, X, Y))
    scores.append(cru(attack_params={"eps": 0.3})(model, X, Y))
    other_norm = cru(attack_params={"eps": 0.3}, threat_model=ThreatModel(norm=2))
    scores.append(other_norm(model, X, Y))
    scores.append(scorer(model, 0.9 * X, Y))
    assert len(attacks) == 5
    assert len(set(scores)) == 5


def test_without_routing_the_classes_are_compared():
    found = cross_validate(
        LogisticRegression(), X, Y, cv=KFold(3), return_estimator=True,
        scoring={"s": neg_cru_s_scorer, "eps": neg_cru_eps_scorer, "cau": neg_cau_scorer},
    )  # fmt: skip
    for fold, (_, test) in enumerate(KFold(3).split(X)):
        model = found["estimator"][fold]
        assert found["test_s"][fold] == neg_cru_s_scorer(model, X[test], Y[test])
        assert found["test_eps"][fold] == neg_cru_eps_scorer(model, X[test], Y[test])


@pytest.mark.parametrize("name", NAMES)
def test_groups_that_do_not_arrive_are_told(name):
    scorer = get_scorer(name)
    with pytest.warns(GroupsWarning, match=r"got no groups.*enable_metadata_routing=True"):
        by_class = scorer(LINEAR, X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scorer(LINEAR, X, Y, sensitive_features=Y) == by_class
        assert scorer.set_score_request(sensitive_features=False)(LINEAR, X, Y) == by_class


def test_with_routing_the_groups_that_are_passed_are_compared():
    by_class = get_scorer("neg_cru_s").set_score_request(sensitive_features=False)
    scoring = {"race": neg_cru_s_scorer, "class": by_class, "v_f": neg_v_f_scorer}
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            LogisticRegression(), X, Y, cv=KFold(2), scoring=scoring, return_estimator=True,
            params={"sensitive_features": RACE},
        )  # fmt: skip
        alone = cross_validate(LogisticRegression(), X, Y, cv=KFold(2), scoring=neg_cru_s_scorer)
    for fold, (_, test) in enumerate(KFold(2).split(X)):
        model = found["estimator"][fold]
        race = neg_cru_s_scorer(model, X[test], Y[test], sensitive_features=RACE[test])
        classes = neg_cru_s_scorer(model, X[test], Y[test])
        assert race != classes
        assert found["test_race"][fold] == race
        assert found["test_class"][fold] == alone["test_score"][fold] == classes


def test_search_with_a_metric_of_fairlearn_beside():
    parity = make_scorer(demographic_parity_difference, greater_is_better=False)
    with config_context(enable_metadata_routing=True):
        parity.set_score_request(sensitive_features=True)
        search = GridSearchCV(
            LogisticRegression(), {"C": [1e-3, 1.0]}, cv=2, refit="neg_cru_s",
            scoring={**{name: get_scorer(name) for name in NAMES}, "dp": parity},
        ).fit(X, Y, sensitive_features=RACE)  # fmt: skip
        score = search.score(X, Y, sensitive_features=RACE)
    results = search.cv_results_
    assert search.best_index_ == np.argmax(results["mean_test_neg_cru_s"])
    for name in NAMES:
        assert len(set(results[f"mean_test_{name}"])) == 2
    assert np.isfinite(results["mean_test_dp"]).all()
    best = search.best_estimator_
    assert score == neg_cru_s_scorer(best, X, Y, sensitive_features=RACE)


def test_requests():
    for scorer in (neg_cru_s_scorer, neg_cru_eps_scorer):
        assert scorer.get_metadata_routing().score.requests == {"sensitive_features": True}
    bound = cru(attack_params={"eps": 0.1}, groups=0)
    assert bound.get_metadata_routing().score.requests == {}


@pytest.mark.parametrize(
    "copier", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_names_and_copies(copier):
    assert set(NAMES) <= set(get_scorer_names())
    scorer = copier(get_scorer("neg_cru_eps"))
    assert repr(scorer) == (
        "make_robustness_scorer(class_robustness_unfairness, greater_is_better=False, "
        "attack_params={'eps_max': 1.0, 'method': 'distance'}, eps_max=1.0)"
    )
    assert scorer(LINEAR, X, Y) == neg_cru_eps_scorer(LINEAR, X, Y)
    again = copier(get_scorer("neg_cru_s"))
    assert repr(again).endswith("greater_is_better=False, attack_params={'eps': 0.1})")
    assert again(LINEAR, X, Y) == neg_cru_s_scorer(LINEAR, X, Y)


CRU = class_robustness_unfairness


@pytest.mark.parametrize(
    ("metric", "changes", "message"),
    [
        (CRU, {}, r"takes success or least_eps, and got attack_params=\{\}\. Pass .*\"eps\": "),
        (CRU, {"attack_params": {"n_steps": 3}}, r"got attack_params=\{'n_steps': 3\}"),
        (CRU, {"attack_params": {"eps": 1, "eps_max": 1}}, r'\{"eps": \.\.\.\} or \{"eps_max"'),
        (
            success_metric,
            {"attack_params": {"eps_max": 1}},
            r'takes success, .*\{"eps": \.\.\.\}\.',
        ),
        (
            classifier_robustness,
            {"attack_params": {"eps": 1}},
            "takes no result of an attack, .*Leave them out",
        ),
        (CRU, {"attack_params": {"eps": 1}, "method": "paper"}, "method= .*attack_params="),
        (
            CRU,
            {"attack_params": {"eps": 1}, "distance_params": {"max_iter": 3}},
            "distance_params=",
        ),
    ],
)
def test_wrong_options(metric, changes, message):
    with pytest.raises(TypeError, match=message):
        make_robustness_scorer(metric, **changes)


def test_wrong_values_reach_the_attack():
    with pytest.raises(ValueError, match="eps"):
        cru(attack_params={"eps": -1})(LINEAR, X, Y)
    with pytest.raises(TypeError, match="n_stepz"):
        cru(attack_params={"eps": 1, "n_stepz": 3})(LINEAR, X, Y)


def test_a_function_of_x_that_forgets_to_return():
    scorer = cru(attack_params={"eps": 0.1}, groups=lambda rows: None)
    with pytest.raises(TypeError, match=r"returned None\. Return the groups"):
        scorer(LINEAR, X, Y)


@pytest.mark.slow
@pytest.mark.parametrize("model", [network(), LogisticRegression()])
def test_a_parallel_search_finds_the_same(model):
    """Scorers, results of attacks and groups go to other processes and come back."""
    scoring = {
        "eps": neg_cru_eps_scorer,
        "s": neg_cru_s_scorer,
        "race": cru(attack_params={"eps": 0.3}, groups=pd.Series(RACE)),
    }
    frame = pd.DataFrame(X)
    found = [
        cross_validate(model, frame, Y, scoring=scoring, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2)
    ]
    for name in scoring:
        np.testing.assert_array_equal(*(each[f"test_{name}"] for each in found))
        assert np.isfinite(found[0][f"test_{name}"]).all()
