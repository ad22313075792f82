import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.tree import DecisionTreeClassifier

from robfair import boundary_distance
from robfair.adapters.trees import UnreadableTrees, is_tree_ensemble, read_trees
from tree_rows import edge_rows

TREE = DecisionTreeClassifier(max_depth=4, random_state=0)
FOREST = RandomForestClassifier(4, max_depth=4, random_state=0)
EXTRA = ExtraTreesClassifier(3, max_depth=4, random_state=1)
MEMBERS = [("tree", TREE), ("forest", FOREST), ("extra", EXTRA)]
VOTER = DecisionTreeClassifier(max_depth=4, max_features=2)
VOTERS = [(str(seed), clone(VOTER).set_params(random_state=seed)) for seed in range(4)]

AVERAGES = {
    "bagging": BaggingClassifier(TREE, 8, random_state=0),
    "pure leaves": BaggingClassifier(n_estimators=8, random_state=0),
    "some columns": BaggingClassifier(TREE, 8, max_features=0.5, random_state=0),
    "one column": BaggingClassifier(TREE, 8, max_features=1, random_state=0),
    "columns repeat": BaggingClassifier(TREE, 8, bootstrap_features=True, random_state=0),
    "a class is lacking": BaggingClassifier(TREE, 8, max_samples=4, random_state=0),
    "of forests": BaggingClassifier(FOREST, 3, max_features=0.5, random_state=0),
    "soft": VotingClassifier(MEMBERS, voting="soft"),
    "weighted": VotingClassifier(MEMBERS, voting="soft", weights=[3, 1, 0.5]),
    "one is dropped": VotingClassifier(
        [*MEMBERS, ("no", "drop")], voting="soft", weights=[1, 2, 3, 4]
    ),
    "of bagging": VotingClassifier([("a", BaggingClassifier(TREE, 3)), ("b", TREE)], voting="soft"),
}
VOTES = {
    "hard": VotingClassifier(VOTERS),
    "weighted votes": VotingClassifier(VOTERS, weights=[2, 1, 1, 0.5]),
}


def people(n_classes):
    X, y = make_classification(
        400, 6, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=0
    )
    return X, np.array(["left", "mid", "right"])[y]


def check(model, ensemble, X):
    labels = model.predict(X)
    assert not ensemble.differs(X, labels).any()
    assert np.mean(ensemble.predict(X) != labels) < 0.01  # ties, by the order of sums
    assert ensemble.rounding < 1e-12


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", AVERAGES)
def test_averages_of_probabilities(name, n_classes):
    model = AVERAGES[name].fit(*people(n_classes))
    assert is_tree_ensemble(model)
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 2000)
    own = model.predict_proba(X)
    own = own[:, 1:] - own[:, :1] if n_classes == 2 else own
    assert_allclose(ensemble.scores(X), own, rtol=0, atol=ensemble.rounding)
    check(model, ensemble, X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", VOTES)
def test_votes(name, n_classes):
    model = VOTES[name].fit(*people(n_classes))
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 2000)
    assert_array_equal(ensemble.predict(X), model.predict(X))  # ties of votes included
    check(model, ensemble, X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("depth", [1, 3])
def test_adaboost(depth, n_classes):
    tree = DecisionTreeClassifier(max_depth=depth)
    model = AdaBoostClassifier(tree, n_estimators=10, random_state=0).fit(*people(n_classes))
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 2000)
    own = model.decision_function(X)
    assert_allclose(ensemble.scores(X).squeeze(), own, rtol=0, atol=ensemble.rounding)
    check(model, ensemble, X)


BOOSTED = GradientBoostingClassifier(n_estimators=2)


@pytest.mark.parametrize(
    "model",
    [
        BaggingClassifier(LogisticRegression(), 2),
        VotingClassifier([("a", TREE), ("b", LogisticRegression())], voting="soft"),
        StackingClassifier([("a", TREE), ("b", LogisticRegression())]),
        AdaBoostClassifier(LogisticRegression(), n_estimators=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_does_not_consist_of_trees(model):
    model.fit(*people(2))
    assert not is_tree_ensemble(model)
    with pytest.raises(UnreadableTrees, match="is not a sum of trees that robfair reads"):
        read_trees(model)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (BaggingClassifier(BOOSTED, 2), "boosting turns its sum into a probability by a curve"),
        (VotingClassifier([("a", TREE), ("b", BOOSTED)], voting="soft"), "adds up probabilities"),
        (
            BaggingClassifier(make_pipeline(MinMaxScaler(), TREE), 2),
            "a Pipeline inside of bagging has steps of its own",
        ),
        (VotingClassifier([("a", TREE), ("b", FOREST)]), "counts votes"),
        (AdaBoostClassifier(FOREST, n_estimators=2), "counts votes"),
        (StackingClassifier([("a", TREE), ("b", BOOSTED)]), "adds up probabilities"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_trees_that_do_not_add_up(model, reason):
    X, y = people(2)
    model.fit(X, y)
    assert is_tree_ensemble(model)
    with pytest.raises(UnreadableTrees, match=reason):
        read_trees(model)
    found = boundary_distance(model, X[:2], budget=20)
    assert found.method == "decision"
    assert reason in found.warnings_[0]


def test_a_patched_member_is_not_read():
    model = BaggingClassifier(TREE, 2).fit(*people(2))
    model.estimators_[1].predict_proba = lambda X: np.ones((len(X), 2))
    with pytest.raises(UnreadableTrees, match=r"DecisionTreeClassifier.predict_proba is not"):
        read_trees(model)
