"""Tables of integers, categories and continuous features, and all rows an attacker may make."""

from itertools import chain, product

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from oracles import linear_distances
from robfair import ThreatModel

NORMS = [2, np.inf]
KINDS = (3, 4)  # categories of each block


def table(seed, n, n_integers=2, n_continuous=0, norm=2, **rules):
    """Samples of integers, continuous features and two blocks, and a threat model for them."""
    rng = np.random.default_rng(seed)
    parts = [rng.integers(-2, 3, size=(n, n_integers)), rng.normal(size=(n, n_continuous))]
    n_numbers, blocks = n_integers + n_continuous, []
    for k in KINDS:
        first = n_numbers + sum(map(len, blocks))
        blocks.append(range(first, first + k))
        parts.append(np.eye(k)[rng.integers(k, size=n)])
    X = np.concatenate(parts, axis=1)
    unit = np.where(np.arange(X.shape[1]) < n_numbers, rng.uniform(0.7, 2, X.shape[1]), 1)
    rules = {
        "bounds": (-4, 4),
        "categories": blocks,
        "integer": np.arange(X.shape[1]) < n_integers,
        "unit": unit,
    } | rules
    return X, ThreatModel(norm, **rules)


def discrete_rows(x, threat_model):
    """Return all rows that whole steps and categories make of a sample."""
    blocks, mutable = threat_model.blocks, threat_model.mask(x.shape)
    mutable = np.ones(len(x), dtype=bool) if mutable is None else mutable
    choices = []
    for j in np.flatnonzero(threat_model.spacing(x.shape)):
        choices.append([[v] for v in np.arange(-4, 5)] if mutable[j] else [[x[j]]])
    columns = [*([j] for j in np.flatnonzero(threat_model.spacing(x.shape)))]
    for block in blocks:
        at = list(block.columns)
        columns.append(at)
        choices.append(block.codes.tolist() if mutable[at[0]] else [x[at].tolist()])
    values = np.array([list(chain(*choice)) for choice in product(*choices)])
    rows = np.repeat(x[None], len(values), axis=0)
    rows[:, list(chain(*columns))] = values
    return rows


def enumerated(predict, X, threat_model):
    """Least cost of all rows that are predicted differently; no feature is continuous."""
    out = np.full(len(X), np.inf)
    for i, x in enumerate(X):
        rows = discrete_rows(x, threat_model)
        rows = rows[predict(rows) != predict(x[None])]
        costs = threat_model.cost(np.repeat(x[None], len(rows), axis=0), rows)
        out[i] = costs.min(initial=np.inf)
    return out


def enumerated_linear(weight, bias, X, threat_model):
    """Least cost for an affine model, by the closed form in each row that steps can make."""
    unit = threat_model.units(X.shape[1:])
    free = threat_model.numeric(X.shape[1:]) & (threat_model.spacing(X.shape[1:]) == 0)
    low, high = -4 / unit, 4 / unit
    out, label = np.full(len(X), np.inf), (X @ weight.T + bias).argmax(axis=1)
    for i, x in enumerate(X):
        rows = discrete_rows(x, threat_model)
        cost = threat_model.cost(np.repeat(x[None], len(rows), axis=0), rows)
        flipped = (rows @ weight.T + bias).argmax(axis=1) != label[i]
        for j in np.argsort(cost):
            if cost[j] >= out[i]:
                break
            z, w = rows[j : j + 1] / unit, weight * unit
            left = 0 if flipped[j] else linear_distances(
                w, bias, z, threat_model.norm, low, high, free
            )[0]  # fmt: skip
            joined = np.linalg.norm([cost[j], left], threat_model.norm)
            out[i] = min(out[i], joined)
    return out


def check(result, X, threat_model, predict, rtol=1e-9):
    """Each row is valid, predicted differently and costs what is said."""
    found = np.isin(result.status, ["found", "exact"])
    assert_array_equal(found, np.isfinite(result.distance))
    assert_array_equal(result.predicted, predict(X))
    assert np.isnan(result.adversarial[~found]).all()
    if not found.any():
        return
    points, start = result.adversarial[found], X[found]
    assert threat_model.valid(start, points).all()
    assert (predict(points) != result.predicted[found]).all()
    assert_allclose(threat_model.cost(start, points), result.distance[found], rtol=rtol)
    assert (result.distance[found] > 0).all()


def people(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(17, 90, n),
            "income": rng.lognormal(1, 1, n),
            "job": rng.choice(["clerk", "nurse", "cook"], n),
            "race": pd.Categorical(rng.choice(["x", "y"], n)),
            "member": rng.random(n) < 0.5,
        },
        index=np.arange(n) * 3,
    )


def encoder(numeric=None, categorical=None, **options):
    return make_column_transformer(
        (StandardScaler() if numeric is None else numeric, ["age", "income"]),
        (OneHotEncoder() if categorical is None else categorical, ["job", "race", "member"]),
        **options,
    )


def dense(rows):
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)
