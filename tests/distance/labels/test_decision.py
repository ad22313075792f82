"""Distances from labels alone: against closed forms, and what must hold for any model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification, make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from oracles import closed_form, network, predict_with, random_linear
from robfair import ThreatModel, boundary_distance
from robfair.distance.labels._decision import CHUNK, decision_distance

NORMS = [2, np.inf]
FEW = settings(max_examples=15, deadline=None)


class Counted:
    """Counts the rows that a function predicts."""

    def __init__(self, predict):
        self.predict, self.rows, self.calls = predict, 0, 0

    def __call__(self, X):
        self.rows += len(X)
        self.calls += 1
        return self.predict(X)


def search(predict, X, norm=2, background=None, **options):
    options = {"box": None, "mask": None, "budget": 1000, "random_state": 0, "n_jobs": 1} | options
    options.setdefault("progress", lambda n: None)
    return decision_distance(
        predict,
        X,
        predict(X),
        norm=norm,
        background=background,
        background_labels=None if background is None else predict(background),
        **options,
    )


def check(result, predict, X, norm=2, low=-np.inf, high=np.inf, mask=True):
    """Each point is flipped, at its distance, in the box and unmoved where it must be."""
    found = np.isfinite(result.distance)
    assert (result.distance > 0).all()
    assert np.isnan(result.points[~found]).all()
    points, start = result.points[found], X[found]
    assert (predict(points) != predict(start)).all()
    assert_allclose(np.linalg.norm(points - start, norm, axis=1), result.distance[found])
    assert ((points >= low) & (points <= high)).all()
    fixed = ~np.broadcast_to(mask, X.shape[1:])
    assert_array_equal(points[:, fixed], start[:, fixed])


# --- How near


def tree_distances(tree, X, norm):
    """Distance to the nearest leaf of another class: leaves are boxes."""
    t, label, out = tree.tree_, tree.predict(X), np.full(len(X), np.inf)

    def visit(node, low, high):
        if t.children_left[node] < 0:
            gap = np.linalg.norm(np.clip(X, low, high) - X, norm, axis=1)
            gap[label == tree.classes_[t.value[node].argmax()]] = np.inf
            np.minimum(out, gap, out=out)
            return
        j, cut = t.feature[node], t.threshold[node]
        mine = np.arange(X.shape[1]) == j
        visit(t.children_left[node], low, np.where(mine, np.minimum(high, cut), high))
        visit(t.children_right[node], np.where(mine, np.maximum(low, cut), low), high)

    visit(0, np.full(X.shape[1], -np.inf), np.full(X.shape[1], np.inf))
    return out


@pytest.mark.parametrize("norm", NORMS)
def test_decision_tree(norm):
    X, y = make_classification(600, 10, n_informative=6, random_state=0)
    tree = DecisionTreeClassifier(max_depth=6, random_state=0).fit(X, y)
    test = X[:100] + 0.1
    exact = tree_distances(tree, test, norm)
    result = search(tree.predict, test, norm, background=X)
    # float32 in the tree: a point may be flipped an ulp early.
    assert (result.distance >= exact * (1 - 1e-4) - 1e-6).all()
    assert result.distance.mean() <= 1.02 * exact.mean()
    check(result, tree.predict, test, norm)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("k", [2, 4])
def test_linear(k, norm):
    weight, bias, X = random_linear(np.random.default_rng(k), k, n=60)
    exact = closed_form(weight, bias, X, norm)
    background = np.random.default_rng(9).normal(size=(300, X.shape[1]))

    def predict(X):
        return (X @ weight.T + bias).argmax(axis=1)

    result = search(predict, X, norm, background)
    assert (result.distance >= exact * (1 - 1e-9)).all()
    assert (result.distance / exact).mean() <= 1.01
    check(result, predict, X, norm)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_support_vectors_against_a_polar_grid(norm):
    X, y = make_moons(200, noise=0.15, random_state=0)
    svc = SVC(gamma=2).fit(X, y)
    test = X[:12]
    label = svc.predict(test)[:, None]
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rays /= np.linalg.norm(rays, norm, axis=1)[:, None]

    def flipped(radius):  # (12, 360)
        points = test[:, None] + radius[..., None] * rays
        return svc.predict(points.reshape(-1, 2)).reshape(radius.shape) != label

    outer = np.full((len(test), len(angle)), np.inf)
    for radius in np.linspace(2, 0.04, 50):
        outer[flipped(np.full(outer.shape, radius))] = radius
    inner = outer - 0.04
    for _ in range(10):
        middle = (inner + outer) / 2
        beyond = flipped(np.where(np.isfinite(middle), middle, 0))
        inner, outer = np.where(beyond, inner, middle), np.where(beyond, middle, outer)
    exact = outer.min(axis=1)
    result = search(svc.predict, test, norm, background=X)
    assert (result.distance <= 1.02 * exact).all()
    assert (result.distance >= 0.995 * exact).all()
    check(result, svc.predict, test, norm)


@pytest.mark.parametrize("norm", NORMS)
def test_network_against_its_gradients(norm):
    module = network([12, 16, 16, 3], gain=1.5)
    predict, X = predict_with(module), np.random.default_rng(0).normal(size=(200, 12))
    gradients = boundary_distance(module, X[:60], method="deepfool", threat_model=ThreatModel(norm))
    result = search(predict, X[:60], norm, background=X)
    assert result.distance.mean() <= 1.02 * gradients.distance.mean()
    check(result, predict, X[:60], norm)


def test_single_features_go_back():
    # Only x0 > 1 matters, and the only start is far away in all the others.
    X, far = np.zeros((1, 6)), np.full((1, 6), 5.0)
    result = search(lambda X: X[:, 0] > 1, X, background=far, budget=100)
    assert_allclose(result.distance, 1, rtol=2e-3)
    assert_array_equal(result.points[0, 1:], 0)


def test_the_corner_of_a_box_is_the_distance():
    # Flipped where x0 + x1 > 1.5 in [0, 1]^2 with x0 stuck at 0.9: x1 has to go to 0.6.
    X, box = np.array([[0.9, 0.0]]), (np.zeros(2), np.ones(2))
    result = search(lambda X: X.sum(axis=1) > 1.5, X, background=np.ones((1, 2)), box=box,
                    mask=np.array([False, True]))  # fmt: skip
    assert_allclose(result.distance, 0.6, rtol=2e-3)
    small = search(lambda X: X.sum(axis=1) > 1.5, X, box=(np.zeros(2), np.array([1, 0.5])))
    assert_allclose(small.distance, [np.inf])


# --- What must hold


MODELS = {
    "linear": lambda X: np.where(X @ [1.0, -2.0, 0.5, 0.1] > 0.3, "yes", "no"),
    "curved": lambda X: (X**2).sum(axis=1).round().astype(int) % 3,
    "steps": lambda X: np.floor(2 * X).sum(axis=1) % 2,
}


@given(
    seed=st.integers(0, 2**32 - 1),
    norm=st.sampled_from(NORMS),
    name=st.sampled_from(sorted(MODELS)),
    boxed=st.booleans(),
    n_fixed=st.integers(0, 3),
    budget=st.integers(1, 150),
)
@FEW
def test_threat_model_and_budget(seed, norm, name, boxed, n_fixed, budget):
    rng = np.random.default_rng(seed)
    X, mask = rng.uniform(-1, 1, size=(12, 4)), rng.permutation(4) >= n_fixed
    box = (X.min(axis=0), X.max(axis=0)) if boxed else None
    predict = Counted(MODELS[name])
    labels = MODELS[name](X)
    result = decision_distance(
        predict, X, labels, norm=norm, box=box, mask=mask, background=None,
        background_labels=None, budget=budget, random_state=seed, n_jobs=1,
        progress=lambda n: None,
    )  # fmt: skip
    assert predict.rows == result.n_queries.sum()
    assert result.n_queries.max() <= budget
    low, high = box if boxed else (-np.inf, np.inf)
    check(result, MODELS[name], X, norm, low, high, mask)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_more_queries_do_not_hurt(norm):
    X, y = make_classification(400, 8, n_informative=5, random_state=1)
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    means = [
        search(forest.predict, X[:25], norm, background=X, budget=budget).distance.mean()
        for budget in (50, 200, 800)
    ]
    assert means[0] > means[1] > means[2]


@pytest.mark.parametrize("background", [None, np.zeros((5, 3))])
def test_constant_classifier_is_infinite(background):
    X = np.random.default_rng(0).normal(size=(7, 3))
    result = search(lambda X: np.full(len(X), "one"), X, background=background)
    assert_array_equal(result.distance, np.inf)
    assert np.isnan(result.points).all()


def test_without_a_sample_of_another_class():
    X = np.random.default_rng(0).normal(size=(10, 3)) * 0.1
    result = search(lambda X: X[:, 0] > 1, X)
    assert_allclose(result.distance, 1 - X[:, 0], rtol=0.02)
    alone = search(lambda X: X[:, 0] > 1, X[:1])
    assert_allclose(alone.distance, 1 - X[:1, 0], rtol=0.02)


@pytest.mark.parametrize("norm", NORMS)
def test_scale(norm):
    X = np.random.default_rng(3).normal(size=(200, 5))
    module = network([5, 8, 3])
    predict = predict_with(module)
    one = search(predict, X[:30], norm, background=X)
    hundred = search(lambda X: predict(X / 100), 100 * X[:30], norm, background=100 * X)
    assert_allclose(hundred.distance, 100 * one.distance, rtol=0.02)
    assert_allclose(hundred.distance.mean(), 100 * one.distance.mean(), rtol=1e-3)


@pytest.mark.slow
def test_deterministic_for_any_number_of_processes():
    X, y = make_moons(CHUNK + 40, noise=0.2, random_state=0)
    neighbours = KNeighborsClassifier(3).fit(X, y)
    done = []
    with parallel_config(backend="threading"):
        results = [
            search(neighbours.predict, X, budget=120, n_jobs=n_jobs, progress=done.append)
            for n_jobs in (1, 2)
        ]
    assert_array_equal(results[0].points, results[1].points)
    assert_array_equal(results[0].n_queries, results[1].n_queries)
    assert done == [CHUNK, 40] * 2
    # What a sample gets depends on its seed and place, not on its neighbours.
    part = search(neighbours.predict, X[:50], budget=120, background=X)
    assert_array_equal(part.points, results[0].points[:50])
    other = search(neighbours.predict, X[:50], budget=120, background=X, random_state=1)
    assert (other.points != part.points).any()


def test_calls_are_shared():
    X = np.random.default_rng(0).normal(size=(100, 4))
    predict = Counted(MODELS["linear"])
    result = search(predict, X)
    assert predict.calls < 0.02 * result.n_queries.sum()


def test_an_error_of_the_model_is_passed_on():
    def broken(X):
        raise RuntimeError("no connection")

    with pytest.raises(RuntimeError, match="no connection"):
        decision_distance(
            broken, np.zeros((2, 2)), np.array([0, 1]), norm=2, box=None, mask=None,
            background=None, background_labels=None, budget=10, random_state=0, n_jobs=1,
            progress=lambda n: None,
        )  # fmt: skip


def test_no_samples():
    result = search(lambda X: np.zeros(len(X)), np.zeros((0, 3)))
    assert result.distance.shape == (0,)
    assert result.points.shape == (0, 3)
