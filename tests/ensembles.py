"""Small ensembles of trees, and the nearest flipped points by trying every cell."""

from itertools import product

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)

from robfair import ThreatModel
from robfair.adapters.trees import read_trees
from robfair.distance.tabular import TableSpace
from robfair.distance.trees import EnsembleBudget, ensemble_distance
from robfair.distance.trees._compile import compile_ensemble
from robfair.distance.trees._costs import RowCosts
from robfair.distance.trees._greedy import Incumbents
from robfair.distance.trees._groups import find_groups
from robfair.distance.trees._pool import Objective, Pool
from robfair.threat import Block


def small_ensemble(seed, n_classes=None, n_features=None):
    """A generator, a fitted model and samples, some of which lie on splits."""
    rng = np.random.default_rng(seed)
    n_features = n_features or int(rng.integers(1, 4))
    n_classes = n_classes or int(rng.integers(2, 5))
    X = rng.normal(size=(60, n_features)) * 10.0 ** rng.integers(-3, 4)
    X[:, 0] = np.round(X[:, 0] * 2) / 2
    y = rng.integers(0, n_classes, 60)
    kind = [RandomForestClassifier, ExtraTreesClassifier, GradientBoostingClassifier][seed % 3]
    n_trees = int(rng.integers(1, 5)) if n_classes == 2 or seed % 3 < 2 else 2
    leaves = int(rng.integers(2, 5))
    model = kind(n_estimators=n_trees, max_leaf_nodes=leaves, random_state=seed).fit(X, y)
    return rng, model, np.concatenate([X[:6], rng.normal(size=(4, n_features)) * X.std()])


def search(model, X, threat_model=None, budget=1e5, ensemble=None, **options):
    """The nearest points of samples under a threat model."""
    labels = model.predict(X)
    ensemble = read_trees(model) if ensemble is None else ensemble
    return ensemble_distance(
        ensemble,
        TableSpace(ThreatModel() if threat_model is None else threat_model, X, X.dtype),
        np.searchsorted(ensemble.classes, labels),
        Flips(model, labels),
        budget=EnsembleBudget(budget),
        **options,
    )


class Flips:
    """Whether a model predicts points differently from samples; processes can have it."""

    def __init__(self, model, labels):
        self.model, self.labels = model, labels

    def __call__(self, rows, points):
        return self.model.predict(points) != self.labels[rows]


def try_cells(model, X, threat_model, splits):
    """The least distance over all cells that the splits of each column make.

    A coordinate of the nearest point is that of the sample, or the number at a split or after it,
    or a side of the box.
    """
    box, mask = threat_model.box(X.shape[1:]), threat_model.mask(X.shape[1:])
    own, nearest = model.predict(X), np.full(len(X), np.inf)
    for i, x in enumerate(X):
        axes = []
        for j, value in enumerate(x):
            after = np.nextafter(splits[j], np.inf)
            axis = np.concatenate([[value], splits[j], after])
            if mask is not None and not mask[j]:
                axis = axis[:1]
            elif box is not None:
                axis = axis.clip(box[0][j], box[1][j])
            axes.append(np.unique(axis))
        points = np.array(list(product(*axes)))
        other = model.predict(points) != own[i]
        if other.any():
            nearest[i] = np.linalg.norm(points[other] - x, threat_model.norm, axis=1).min()
    return nearest


def splits_of(ensemble, n_features):
    """The distinct splits of each column."""
    return [np.unique(ensemble.split[ensemble.feature == j]) for j in range(n_features)]


def parts(seed, threat_model=None, rows=10, **kwargs):
    """The model, the ensemble, its compiled form, and the costs of samples."""
    rng, model, X = small_ensemble(seed, **kwargs)
    ensemble = read_trees(model)
    X = X[:rows]
    space = TableSpace(ThreatModel() if threat_model is None else threat_model, X, X.dtype)
    compiled = compile_ensemble(ensemble, find_groups(ensemble, space), has_missing=False)
    return rng, ensemble, compiled, RowCosts(compiled, space, np.arange(len(X)))


def two_class_objective(ensemble, compiled, labels):
    """The objective of samples of the class 0 or 1."""
    sign = np.where(labels == 0, 1.0, -1.0)
    column = np.zeros(len(labels), dtype=np.intp)
    value, sums = compiled.value, compiled.sums_scores
    return Objective(value, sums, column, None, sign, sign * ensemble.base[0])


def random_bins(rng, compiled, n):
    """Points, by bins that are drawn at random."""
    n_bins = compiled.layout.n_bins
    return (rng.random((n, len(n_bins))) * n_bins).astype(np.intp)


def table_forest(seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(0, 9, 80) * 0.5 + 0.1, np.eye(5)[rng.integers(0, 5, 80)]])
    y = (X[:, 0] + X[:, 1:] @ [0, 3, 1, 2, 4] > 4).astype(int)
    model = RandomForestClassifier(6, max_depth=4, random_state=0).fit(X, y)
    threat_model = ThreatModel(
        np.inf, bounds="data", categories=[Block(range(1, 6))], unit=2.0,
        integer=[0.5, 0, 0, 0, 0, 0], category_cost=0.7,
    ).bind(X)  # fmt: skip
    return model, TableSpace(threat_model, X, X.dtype)


def pool_of(seed, radius, is_l2=True):
    rng, ensemble, compiled, costs = parts(seed, n_classes=2, n_features=3)
    n = len(costs.own)
    labels = rng.integers(0, 2, n)
    objective = two_class_objective(ensemble, compiled, labels)
    pool = Pool(costs, np.arange(n), np.full(n, radius), objective, is_l2)
    return rng, ensemble, costs, labels, pool


def margins(ensemble, costs, labels, bins):
    scores = ensemble.scores(costs.points(np.arange(len(bins)), bins))[:, 0]
    return np.where(labels == 0, scores, -scores)


def incumbents(n, n_groups, sure, ask=None):
    bins = np.zeros((n, n_groups), dtype=np.intp)
    return Incumbents(np.full(n, np.inf), bins, sure, np.arange(n) % 2 == 0, ask)
