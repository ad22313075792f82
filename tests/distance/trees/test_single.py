"""Exact distances of decision trees, against every cell of the grid that the thresholds make."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

from robfair.distance.trees._single import tree_distance

NORMS = [2, np.inf]
SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=30, deadline=None)
KINDS = st.sampled_from([DecisionTreeClassifier, ExtraTreeClassifier])


def distances(tree, X, norm=2, box=None, mask=None):
    return tree_distance(tree, X, norm=norm, box=box, mask=mask, progress=lambda n: None)


def problem(seed, kind=DecisionTreeClassifier, n_features=None, scale=1.0, offset=0.0):
    """A fitted tree and samples; some features are rounded, so that samples meet thresholds."""
    rng = np.random.default_rng(seed)
    n_features = n_features or int(rng.integers(1, 4))
    X = rng.normal(size=(60, n_features)) * scale + offset
    X[:, 0] = np.round(X[:, 0] * 2) / 2
    y = rng.integers(0, rng.integers(2, 5), 60)
    tree = kind(max_leaf_nodes=int(rng.integers(2, 15)), random_state=0).fit(X, y)
    samples = np.concatenate([X[:15], rng.normal(size=(15, n_features)) * scale + offset])
    return rng, tree, samples


def grid_distances(tree, X, norm, box, mask):
    """Nearest point of another label, of the sample's coordinates and those beside thresholds.

    A coordinate of the nearest point is that of the sample, or lies at a threshold: at the float32
    number before or after it, or at the wall of the box between these.
    """
    nodes = tree.tree_
    out = np.full(len(X), np.inf)
    own = tree.predict(X)
    for i, x in enumerate(X):
        axes = []
        for feature, value in enumerate(x):
            if mask is not None and not mask[feature]:
                axes.append([value])
                continue
            at = nodes.threshold[(nodes.feature == feature)].astype(np.float32)
            beside = [np.nextafter(at, np.float32(side)) for side in (-np.inf, np.inf)]
            axis = np.concatenate([[value], at, *beside]).astype(float)
            axes.append(axis if box is None else axis.clip(box[0][feature], box[1][feature]))
        points = np.array(list(product(*(np.unique(axis) for axis in axes))))
        other = tree.predict(points) != own[i]
        if other.any():
            out[i] = np.linalg.norm(points[other] - x, norm, axis=1).min()
    return out


def check_points(tree, X, distance, points, norm, box, mask):
    hit = np.isfinite(distance)
    assert np.isnan(points[~hit]).all()
    assert (distance > 0).all()
    if not hit.any():
        return
    for rounded in (points[hit], points[hit].astype(np.float32)):
        assert (tree.predict(rounded) != tree.predict(X[hit])).all()
    assert_allclose(np.linalg.norm(points - X, norm, axis=1)[hit], distance[hit], rtol=1e-12)
    if box is not None:
        assert (points[hit] >= box[0]).all()
        assert (points[hit] <= box[1]).all()
    if mask is not None:
        assert_array_equal(points[hit][:, ~mask], X[hit][:, ~mask])


def room(rng, X, boxed, masked):
    box = (X.min(axis=0) - 0.1, X.max(axis=0)) if boxed else None
    if boxed:
        box[0][rng.random(X.shape[1]) < 0.3] = -np.inf
    return box, rng.random(X.shape[1]) < 0.6 if masked else None


@given(
    seed=SEEDS, kind=KINDS, norm=st.sampled_from(NORMS), boxed=st.booleans(), masked=st.booleans()
)
@FEW
def test_equals_the_grid(seed, kind, norm, boxed, masked):
    rng, tree, X = problem(seed, kind)
    box, mask = room(rng, X, boxed, masked)
    distance, points = distances(tree, X, norm, box, mask)
    check_points(tree, X, distance, points, norm, box, mask)
    # The grid knows a threshold to half a unit in the last place of float32.
    assert_allclose(distance, grid_distances(tree, X, norm, box, mask), rtol=0, atol=1e-6)


@given(seed=SEEDS, norm=st.sampled_from(NORMS), boxed=st.booleans(), masked=st.booleans())
@FEW
def test_no_random_point_is_nearer(seed, norm, boxed, masked):
    rng, tree, X = problem(seed, n_features=8)
    box, mask = room(rng, X, boxed, masked)
    distance, points = distances(tree, X, norm, box, mask)
    check_points(tree, X, distance, points, norm, box, mask)
    for x, d, label in zip(X, distance, tree.predict(X), strict=True):
        reach = 1.2 * d if np.isfinite(d) else 10.0
        tried = x + rng.uniform(-reach, reach, size=(300, 8)) * (rng.random((300, 8)) < 0.4)
        tried = tried if mask is None else np.where(mask, tried, x)
        tried = tried if box is None else tried.clip(*box)
        flipped = tried[tree.predict(tried) != label]
        assert (np.linalg.norm(flipped - x, norm, axis=1) >= d * (1 - 1e-12)).all()


@pytest.mark.parametrize("norm", NORMS)
def test_by_hand(norm):
    # Class 1 where x0 > 1.5 and x1 > 0.5.
    X = np.array([[1.0, 0], [1, 1], [2, 0], [2, 1]])
    tree = DecisionTreeClassifier(random_state=0).fit(X, [0, 0, 0, 1])
    samples = np.array([[0.5, -0.5], [0, 3], [1.5, 0.75], [3, 0.5], [2, 1], [7, 0.75]])
    expected = [np.linalg.norm([1, 1], norm), 1.5, 0, 0, 0.5, 0.25]
    distance, points = distances(tree, samples, norm)
    # float32 rounds down what is less than half a unit above a threshold.
    assert_allclose(distance, expected, rtol=2e-7, atol=1.2e-7)
    assert (distance > 0).all()
    check_points(tree, samples, distance, points, norm, None, None)
    distance, points = distances(tree, samples, norm, mask=np.array([False, True]))
    assert_allclose(distance, [np.inf, np.inf, np.inf, 0, 0.5, 0.25], rtol=2e-7, atol=1.2e-7)
    assert np.isnan(points[:3]).all()
    low, high = np.array([-1, -1]), np.array([7, 1.25])
    distance, points = distances(tree, samples[[0]], norm, (low, np.array([1.5, 2])))
    assert_array_equal(distance, [np.inf])  # the closed box ends where class 1 begins
    distance, points = distances(tree, samples[[0, 4]], norm, (low, high))
    assert_allclose(distance, [np.linalg.norm([1, 1], norm), 0.5], rtol=2e-7)
    check_points(tree, samples[[0, 4]], distance, points, norm, (low, high), None)


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("norm", NORMS)
def test_the_boundary_is_that_of_predict_to_the_last_bit(norm, offset):
    """A hair nearer on the way to the point, the tree still predicts the sample's label."""
    _, tree, X = problem(3, n_features=1, offset=offset)
    distance, points = distances(tree, X, norm)
    check_points(tree, X, distance, points, norm, None, None)
    before = np.nextafter(points, X)
    assert_array_equal(tree.predict(before), tree.predict(X))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [2.0**-6, 128.0])
def test_distances_scale_with_the_features(norm, scale):
    _, tree, X = problem(4, n_features=3)
    _, scaled_tree, _ = problem(4, n_features=3)
    scaled_tree.fit(X * scale, tree.predict(X))
    tree.fit(X, tree.predict(X))
    distance, points = distances(tree, X, norm)
    scaled_distance, scaled_points = distances(scaled_tree, X * scale, norm)
    assert_allclose(scaled_distance, distance * scale, rtol=1e-12)
    assert_allclose(scaled_points, points * scale, rtol=1e-12)


def test_one_leaf_reaches_nothing():
    tree = DecisionTreeClassifier(random_state=0).fit([[0.0], [1.0]], [1, 1])
    distance, points = distances(tree, np.zeros((3, 1)))
    assert_array_equal(distance, np.full(3, np.inf))
    assert np.isnan(points).all()


def test_a_tied_leaf_counts_as_the_class_that_it_predicts():
    # Rows: 0 alone is class 0 for sure, the rest of the first half is a tie, the end is class 1.
    X = np.array([[0.0], [0.0], [1.0], [1.0], [5.0], [5.0], [5.0]])
    tree = DecisionTreeClassifier(random_state=0).fit(X, [0, 0, 0, 1, 1, 1, 1])
    distance, points = distances(tree, np.array([[0.0], [5.0]]))
    assert_allclose(distance, [3, 2], rtol=1e-6)
    assert_array_equal(tree.predict(points), [1, 0])


def test_string_labels_missing_values_and_progress():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.where(X[:, 0] > 0, "yes", "no")
    X[rng.random(300) < 0.3, 1] = np.nan
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    samples, done = np.tile(np.nan_to_num(X), (20, 1)), []
    distance, points = tree_distance(
        tree, samples, norm=2, box=None, mask=None, progress=done.append
    )
    assert len(done) > 1
    assert sum(done) == len(samples)
    assert_allclose(distance, np.abs(samples[:, 0] - tree.tree_.threshold[0]), atol=1e-7)
    check_points(tree, samples, distance, points, 2, None, None)


def test_errors():
    X = np.eye(3)
    with pytest.raises(TypeError, match="fitted on 2 outputs"):
        distances(DecisionTreeClassifier(random_state=0).fit(X, np.eye(3, 2, dtype=int)), X)
    with pytest.raises(TypeError, match="got a DecisionTreeRegressor"):
        distances(DecisionTreeRegressor().fit(X, [0, 1, 2]), X)
