import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from robfair import ThreatModel, boundary_distance
from robfair.adapters.trees import UnreadableTrees, is_tree_ensemble, read_trees
from tree_rows import edge_rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
Y = np.where(X[:, 0] + X[:, 1] * X[:, 2] + RNG.normal(scale=0.5, size=300) > 0.4, "yes", "no")
MODELS = {
    "forest": RandomForestClassifier(10, random_state=0),
    "small forest": RandomForestClassifier(10, max_depth=4, random_state=0),
    "bagging": BaggingClassifier(n_estimators=10, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=8),
    "hist": HistGradientBoostingClassifier(max_iter=8),
}


def calibrated(model, y=Y, **options):
    return CalibratedClassifierCV(model, ensemble=False, **options).fit(X, y)


def check(model, ties=1e-2):
    assert is_tree_ensemble(model)
    ensemble = read_trees(model)
    rows = np.concatenate([edge_rows(ensemble, 2000), X])
    labels = model.predict(rows)
    assert len(set(labels)) == 2
    assert not ensemble.differs(rows, labels).any()
    assert np.mean(ensemble.predict(rows) != labels) < ties


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frozen", [False, True])
def test_predicts_what_the_calibrated_classifier_does(name, frozen):
    model = MODELS[name]
    if frozen:  # a slope of the other sign: calibrated on the opposite labels
        model = FrozenEstimator(model.fit(X, Y))
        check(calibrated(model, np.where(Y == "yes", "no", "yes")))
    check(calibrated(model))


@pytest.mark.parametrize("method", ["isotonic", "temperature"])
@pytest.mark.parametrize("name", MODELS)
def test_other_curves(name, method):
    if method == "temperature":
        pytest.importorskip("sklearn", minversion="1.8")
    model = calibrated(MODELS[name], method=method)
    check(model, ties=0.05)  # votes of ten full trees are often even
    if method == "isotonic":  # one half, and no more, over a stretch of what is said
        curve = model.calibrated_classifiers_[0].calibrators[0]
        at = int((curve.y_thresholds_ <= 0.5).sum())
        curve.y_thresholds_[at - 1 : at + 1] = 0.5
        curve._build_f(curve.X_thresholds_, curve.y_thresholds_)
        check(model, ties=0.05)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("module", ["xgboost", "lightgbm"])
def test_other_libraries(module, method):
    library = pytest.importorskip(module)
    if module == "xgboost":
        booster = library.XGBClassifier(n_estimators=8, n_jobs=1)
    else:
        booster = library.LGBMClassifier(n_estimators=8, n_jobs=1, verbose=-1)
    check(calibrated(booster, (Y == "yes").astype(int), method=method))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("positive", [None, "yes", "no"])
@pytest.mark.parametrize("name", ["small forest", "bagging", "boosting", "hist"])
def test_thresholds_on_calibrated_probabilities(name, positive, method):
    inner = calibrated(MODELS[name], method=method)
    for threshold in (0.3, 0.5, 0.6):
        options = {"threshold": threshold, "pos_label": positive}
        check(FixedThresholdClassifier(FrozenEstimator(inner), **options).fit(X, Y), ties=0.05)


def test_a_threshold_on_a_curve_that_falls():
    inner = FrozenEstimator(MODELS["hist"].fit(X, Y))
    inner = FrozenEstimator(calibrated(inner, np.where(Y == "yes", "no", "yes")))
    for positive in ("yes", "no"):
        fixed = FixedThresholdClassifier(inner, threshold=0.4, pos_label=positive)
        check(fixed.fit(X, Y))


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_a_threshold_on_a_level_stretch_of_the_curve(positive):
    """Whole stretches of scores have the same probability: one of them is the threshold itself."""
    inner = calibrated(MODELS["boosting"], method="isotonic")
    levels = np.unique(inner.calibrated_classifiers_[0].calibrators[0].y_thresholds_)
    levels = levels[1:-1]  # beyond these there is one class
    assert len(levels) > 3
    for level in levels if positive == "yes" else 1 - levels:
        fixed = FixedThresholdClassifier(
            FrozenEstimator(inner), threshold=level, pos_label=positive
        )
        check(fixed.fit(X, Y))


def test_a_tuned_threshold():
    model = TunedThresholdClassifierCV(calibrated(MODELS["hist"], method="isotonic"), cv=3)
    check(model.fit(X, Y))


def test_a_threshold_on_a_temperature():
    pytest.importorskip("sklearn", minversion="1.8")
    inner = FrozenEstimator(calibrated(MODELS["hist"], method="temperature"))
    check(FixedThresholdClassifier(inner, threshold=0.5).fit(X, Y))
    with pytest.raises(UnreadableTrees, match="a temperature has changed"):
        read_trees(FixedThresholdClassifier(inner, threshold=0.4).fit(X, Y))


def test_distances_are_proven():
    model = calibrated(GradientBoostingClassifier(n_estimators=3, max_depth=1))
    result = boundary_distance(model, X[:20], threat_model=ThreatModel(2))
    assert set(result.status) == {"exact"}
    points = result.adversarial
    assert_allclose(np.linalg.norm(points - X[:20], axis=1), result.distance)
    assert (model.predict(points) != model.predict(X[:20])).all()


def flat():
    model = calibrated(RandomForestClassifier(3, max_depth=1, random_state=0), method="isotonic")
    curve = model.calibrated_classifiers_[0].calibrators[0]
    curve.y_thresholds_ = curve.y_thresholds_ * 0.1
    return model


def one_sided():
    model = calibrated(RandomForestClassifier(3, max_depth=1, random_state=0))
    model.calibrated_classifiers_[0].calibrators[0].b_ = 50.0
    assert len(set(model.predict(X))) == 1
    return model


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (calibrated(AdaBoostClassifier(n_estimators=3)), "not a sum"),
        (one_sided(), "one class"),
        (flat(), "one class"),
        (
            FixedThresholdClassifier(calibrated(MODELS["hist"]), threshold=1.0).fit(X, Y),
            "its threshold of 1 leaves one class",
        ),
    ],
)
def test_refuses_what_is_no_threshold_on_the_sum(model, reason):
    with pytest.raises(UnreadableTrees, match=reason):
        read_trees(model)


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(MODELS["hist"], cv=2),  # an average of two
        CalibratedClassifierCV(MODELS["hist"], ensemble=False),
    ],
)
def test_other_calibrations_are_no_trees(model):
    assert is_tree_ensemble(model) is False  # the last is not fitted
    if model.ensemble is True:
        assert not is_tree_ensemble(model.fit(X, Y))
    multi = np.digitize(X[:, 0], [-0.5, 0.5])
    assert not is_tree_ensemble(calibrated(HistGradientBoostingClassifier(max_iter=2), multi))
