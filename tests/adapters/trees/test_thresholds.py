import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from robfair.adapters.trees import UnreadableTrees, is_tree_ensemble, read_trees
from tree_rows import edge_rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
Y = np.where(X[:, 0] + X[:, 1] * X[:, 2] + RNG.normal(scale=0.5, size=300) > 0, "yes", "no")
MODELS = {
    "forest": RandomForestClassifier(10, random_state=0),  # many ties, which are exact
    "small forest": RandomForestClassifier(10, max_depth=4, random_state=0),
    "bagging": BaggingClassifier(n_estimators=10, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=8),
    "exponential": GradientBoostingClassifier(n_estimators=8, loss="exponential"),
    "hist": HistGradientBoostingClassifier(max_iter=8),
}


def check(model):
    assert is_tree_ensemble(model)
    ensemble = read_trees(model)
    rows = np.concatenate([edge_rows(ensemble, 2000), X])
    labels = model.predict(rows)
    assert not ensemble.differs(rows, labels).any()
    if not ensemble.rounding:
        assert_array_equal(ensemble.predict(rows), labels)
    assert len(set(labels)) == 2
    assert ensemble.rounding < 1e-3
    return ensemble


@pytest.mark.parametrize("positive", [None, "yes", "no"])
@pytest.mark.parametrize("threshold", [0.4, 0.5, 0.6])
@pytest.mark.parametrize("name", MODELS)
def test_thresholds_of_probabilities(name, threshold, positive):
    inner = FrozenEstimator(MODELS[name].fit(X, Y))
    fixed = FixedThresholdClassifier(inner, threshold=threshold, pos_label=positive)
    check(fixed.fit(X, Y))


@pytest.mark.parametrize(
    ("library", "name", "settings"),
    [
        ("xgboost", "XGBClassifier", {"n_estimators": 8, "n_jobs": 1}),
        ("lightgbm", "LGBMClassifier", {"n_estimators": 8, "verbose": -1, "n_jobs": 1}),
        ("lightgbm", "LGBMClassifier", {"n_estimators": 8, "verbose": -1, "sigmoid": 2.0}),
    ],
)
def test_thresholds_of_boosters(library, name, settings):
    model = getattr(pytest.importorskip(library), name)(**settings)
    codes = (Y == "yes").astype(int)
    for threshold in (0.4, 0.6):
        check(FixedThresholdClassifier(model, threshold=threshold).fit(X, codes))


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_a_threshold_of_scores(positive):
    fixed = FixedThresholdClassifier(
        HistGradientBoostingClassifier(max_iter=8), threshold=0.4, pos_label=positive,
        response_method="decision_function",
    )  # fmt: skip
    check(fixed.fit(X, Y))


def test_a_threshold_that_rows_meet():
    """Another order of the sum may give such rows either label, and that is told."""
    inner = MODELS["hist"].fit(X, Y)
    scores = inner.decision_function(X)
    for row in range(20):
        fixed = FixedThresholdClassifier(
            FrozenEstimator(inner), threshold=scores[row], response_method="decision_function"
        ).fit(X, Y)
        ensemble = read_trees(fixed)
        assert not ensemble.differs(X, fixed.predict(X)).any()


@pytest.mark.slow
def test_a_tuned_threshold():
    for positive in ("yes", "no"):
        scorer = make_scorer(f1_score, pos_label=positive)
        tuned = TunedThresholdClassifierCV(MODELS["boosting"], scoring=scorer, cv=3).fit(X, Y)
        check(tuned)
    assert_array_equal(read_trees(tuned).classes, ["no", "yes"])


def test_unreadable():
    linear = FixedThresholdClassifier(LogisticRegression()).fit(X, Y)
    assert not is_tree_ensemble(linear)
    ada = FixedThresholdClassifier(AdaBoostClassifier(n_estimators=3), threshold=0.4).fit(X, Y)
    with pytest.raises(UnreadableTrees, match="probabilities of AdaBoostClassifier that are not"):
        read_trees(ada)
    lightgbm = pytest.importorskip("lightgbm")
    mean = lightgbm.LGBMClassifier(
        n_estimators=8, boosting="rf", bagging_freq=1, bagging_fraction=0.5, verbose=-1
    )
    fixed = FixedThresholdClassifier(mean, threshold=0.4).fit(X, (Y == "yes").astype(int))
    with pytest.raises(UnreadableTrees, match="probabilities of LGBMClassifier that are not"):
        read_trees(fixed)  # the logit of 0.4 is that of the mean, and the scores are sums
    above = FixedThresholdClassifier(RandomForestClassifier(3), threshold=1.5).fit(X, Y)
    with pytest.raises(UnreadableTrees, match=r"its threshold of 1\.5 leaves one class"):
        read_trees(above)
    above.predict = lambda X: np.full(len(X), "yes")
    with pytest.raises(UnreadableTrees, match=r"FixedThresholdClassifier.predict is not that of"):
        read_trees(above)
