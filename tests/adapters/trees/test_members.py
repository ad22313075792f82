"""Soft votes over Pipelines, and stacks with a linear end, against what they predict themselves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from robfair import boundary_distance
from robfair.adapters import as_labels, of_array
from robfair.adapters.trees import UnreadableTrees, is_tree_ensemble, read_trees
from tree_rows import edge_rows

FOREST = RandomForestClassifier(5, max_depth=4, random_state=0)
EXTRA = ExtraTreesClassifier(4, max_depth=4, random_state=1)
BAGS = BaggingClassifier(n_estimators=3, max_features=4, random_state=2)
BOOSTED = GradientBoostingClassifier(n_estimators=2)


def scaled(model):
    return make_pipeline(StandardScaler(), clone(model))


def soft(*members, **options):
    return VotingClassifier(_named(members), voting="soft", **options)


def stack(*members, **options):
    return StackingClassifier(_named(members), cv=2, **options)


def _named(members):
    return [(str(place), member) for place, member in enumerate(members)]


MODELS = {
    "soft": lambda: soft(scaled(FOREST), EXTRA, weights=[2, 1]),
    "soft, nested": lambda: soft(FOREST, soft(scaled(BAGS), EXTRA)),
    "soft, all behind": lambda: make_pipeline(MinMaxScaler((-2, 1)), soft(scaled(FOREST), EXTRA)),
    "stack": lambda: stack(FOREST, EXTRA, BAGS),
    "stack, one is dropped": lambda: stack(EXTRA, "drop", DecisionTreeClassifier(max_depth=3)),
    "stack, behind": lambda: stack(scaled(FOREST), soft(scaled(EXTRA), FOREST)),
    "stack, ridge": lambda: stack(FOREST, scaled(EXTRA), final_estimator=RidgeClassifier()),
    "stack, SVC": lambda: stack(FOREST, EXTRA, final_estimator=LinearSVC(random_state=0)),
}


def people(n_classes):
    X, y = make_classification(
        400, 6, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=0
    )
    return X, np.array(["left", "mid", "right"])[y]


def source(model, X):
    """Return what trees are read from, in the features that are perturbed."""
    labels = as_labels(model)
    return of_array(labels, labels.inputs(X)).estimator


def own_scores(model, X):
    """Return what a model adds up, as an ensemble has it."""
    if hasattr(model, "final_estimator_"):
        scores = model.decision_function(X)
        return scores[:, None] if scores.ndim == 1 else scores
    p = model.predict_proba(X)
    return p[:, 1:] - p[:, :1] if p.shape[1] == 2 else p


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_scores_and_labels(name, n_classes):
    X, y = people(n_classes)
    model = MODELS[name]().fit(X, y)
    read_from = source(model, X)
    assert is_tree_ensemble(read_from)
    ensemble = read_trees(read_from)
    if name == "soft, all behind":  # the input of the last step is what is perturbed
        model = model[-1]
    rows = edge_rows(ensemble, 2000)
    labels = model.predict(rows)
    assert len(set(labels)) == n_classes
    assert_allclose(ensemble.scores(rows), own_scores(model, rows), rtol=0, atol=ensemble.rounding)
    assert not ensemble.differs(rows, labels).any()
    assert ensemble.rounding < 1e-10


@pytest.mark.parametrize("name", MODELS)
def test_distances_are_proven(name):
    X, y = people(2)
    model = MODELS[name]().fit(X, y)
    for rows in (X[:6], X[:6].astype(np.float32)):
        found = boundary_distance(model, rows)
        assert set(found.status) == {"exact"}
        if name != "soft, all behind":
            assert (model.predict(found.adversarial) != model.predict(rows)).all()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda: CalibratedClassifierCV(scaled(FOREST), ensemble=False, cv=2),
        lambda: FixedThresholdClassifier(scaled(BOOSTED), threshold=0.4),
        lambda: make_pipeline(
            MinMaxScaler(), FixedThresholdClassifier(scaled(FOREST), threshold=0.6)
        ),
    ],
    ids=["calibrated", "threshold", "steps on both sides"],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_wrappers_around_pipelines_that_are_given_numbers(wrap, dtype):
    X, y = people(2)
    model = wrap().fit(X, y)
    X = X.astype(dtype)
    ensemble = read_trees(source(model, X))
    last = model[-1] if hasattr(model, "steps") else model
    rows = edge_rows(ensemble, 2000).astype(dtype)
    assert not ensemble.differs(rows, last.predict(rows)).any()
    assert boundary_distance(model, X[:4]).method == "exact"


def test_equal_votes_go_to_the_first_class():
    """Two trees that contradict each other everywhere: each sum is a tie."""
    X, y = people(2)
    tree = DecisionTreeClassifier(random_state=0).fit(X, y == "left")
    other = DecisionTreeClassifier(random_state=0).fit(X, y != "left")
    model = soft(make_pipeline(MinMaxScaler(), tree), other).fit(X, y)
    model.estimators_ = [make_pipeline(FrozenEstimator(tree)), other]
    ensemble = read_trees(source(model, X))
    assert_array_equal(ensemble.scores(X), 0)
    assert_array_equal(ensemble.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (stack(FOREST, BOOSTED), "boosting turns its sum into a probability by a curve"),
        (soft(scaled(FOREST), BOOSTED), "boosting turns its sum"),
        (BaggingClassifier(scaled(FOREST), 2), "a Pipeline inside of bagging"),
        (stack(FOREST, passthrough=True), "linear in their probabilities and sees nothing else"),
        (stack(FOREST, stack_method="predict"), "goes through a classifier of its own"),
        (stack(FOREST, final_estimator=KNeighborsClassifier()), "a classifier of its own"),
    ],
)
def test_what_does_not_add_up(model, reason):
    X, y = people(2)
    model.fit(X, y)
    assert is_tree_ensemble(source(model, X))
    with pytest.raises(UnreadableTrees, match=reason):
        read_trees(source(model, X))
    found = boundary_distance(model, X[:2], budget=20)
    assert found.method == "decision"
    assert reason in found.warnings_[0]


def test_a_member_that_lacks_a_class():
    X, y = people(3)
    two = clone(FOREST).fit(X[y != "mid"], y[y != "mid"])
    model = StackingClassifier(_named([two, clone(EXTRA).fit(X, y)]), cv="prefit").fit(X, y)
    with pytest.raises(UnreadableTrees, match="not all of its members know all of its classes"):
        read_trees(model)
    assert boundary_distance(model, X[:2], budget=20).method == "decision"


def test_a_patched_end_is_not_read():
    class Strict(LogisticRegression):
        def decision_function(self, X):
            return super().decision_function(X) - 1

    X, y = people(2)
    model = stack(FOREST, final_estimator=Strict()).fit(X, y)
    with pytest.raises(UnreadableTrees, match=r"Strict\.decision_function is not that of"):
        read_trees(model)
