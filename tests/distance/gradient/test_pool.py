"""Which rows are in the pool, and what it says of other rows."""

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles import network
from robfair._problem import Problem
from robfair.adapters import LogitModel
from robfair.distance.gradient._descent import Nearest
from robfair.distance.gradient._pool import ROWS, Pool, feature_scale, pool_rows
from robfair.threat import ThreatModel


def make_problem(X):
    return Problem(LogitModel(network([4, 8, 3])), X, None, 3, ThreatModel(), 64)


def make_pool(x, label, mask=None, flipped=None):
    distance = torch.ones(len(x)) if flipped is None else torch.where(flipped, 1.0, torch.inf)
    return Pool(x, label, Nearest(x + 1, distance), mask)


def choose(X):
    problem = make_problem(X)
    return pool_rows(problem, X, feature_scale(problem, X))


def test_the_pool_follows_from_the_rows_not_from_their_order():
    X = np.random.default_rng(0).normal(size=(500, 4))
    chosen = choose(X)
    assert len(np.unique(chosen, axis=0)) == len(chosen) == ROWS
    order = np.random.default_rng(1).permutation(len(X))
    assert_array_equal(choose(X[order]), chosen)
    assert_array_equal(choose(np.concatenate([X, X])), chosen)
    for unit in (128, 100, np.array([1e-3, 1, 7, 1e6])):
        assert_allclose(choose(X * unit), chosen * unit)
    few = X[:20]
    assert_array_equal(np.sort(choose(few), axis=0), np.sort(few, axis=0))
    assert_array_equal(choose(np.zeros((3, 4))), np.zeros((1, 4)))


def test_rivals_are_the_nearest_of_each_class_first():
    rng = np.random.default_rng(0)
    x, label = (
        torch.from_numpy(rng.normal(size=(60, 3))),
        torch.from_numpy(rng.integers(4, size=60)),
    )
    mask = torch.tensor([True, True, False])
    pool = make_pool(x, label, mask)
    sizes, places = pool.rivals(x[:10], label[:10], 5)
    for i in range(10):
        apart = np.linalg.norm((x - x[i]).numpy()[:, :2], axis=1)
        others = [c for c in range(4) if c != label[i]]
        ranked = [np.sort(apart[label.numpy() == c]) for c in others]
        nearest, second = np.sort([each[0] for each in ranked]), np.sort([e[1] for e in ranked])
        assert_allclose(sizes[i], [*nearest, *second[:2]])
        assert_allclose(apart[places[i]], sizes[i])
        assert (label[places[i]] != label[i]).all()
    # All of one class: no way leads to another.
    alone = make_pool(x, torch.zeros_like(label), mask)
    assert alone.rivals(x[:3], torch.zeros(3, dtype=torch.int64), 2)[0].isinf().all()
    # Only the mutable features lead anywhere.
    assert_array_equal(pool.ways(x[:2], torch.tensor([5, 6]))[:, 2], [0, 0])


def test_similar_rows_are_of_the_same_class_flipped_and_others():
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(40, 3)))
    label, flipped = torch.arange(40) % 2, torch.arange(40) % 5 > 0
    pool = make_pool(x, label, flipped=flipped)
    donors = pool.similar(x[:6], label[:6], 4)
    for i in range(6):
        apart = np.linalg.norm((x - x[i]).numpy(), axis=1)
        of_use = (label == label[i]).numpy() & flipped.numpy() & (np.arange(40) != i)
        assert_array_equal(donors[i], np.flatnonzero(of_use)[np.argsort(apart[of_use])][:4])
    few = make_pool(x[:3], torch.zeros(3, dtype=torch.int64)).similar(x[:1], label[:1], 4)
    assert_array_equal(few[0, 2:], [-1] * (few.shape[1] - 2))
