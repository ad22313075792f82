"""Rows at which a misread threshold shows."""

import numpy as np


def edge_rows(ensemble, n, *, missing=0.0, codes=None, seed=0):
    """Return random rows, half of whose values lie on a split, or on a neighbour of one.

    Parameters
    ----------
    ensemble : Ensemble
        Its splits are met, their neighbours in float64, and those in float32.
    n : int
        The number of rows.
    missing : float, default=0.0
        The share of values that are NaN.
    codes : dict, default=None
        For columns of categories: the values that are met.
    seed : int, default=0
        The seed.
    """
    rng = np.random.default_rng(seed)
    inner = np.flatnonzero((ensemble.feature >= 0) & (ensemble.left_set < 0))
    X = rng.normal(scale=2, size=(n, ensemble.n_features))
    for column in range(ensemble.n_features):
        splits = ensemble.split[inner[ensemble.feature[inner] == column]]
        splits = splits[np.isfinite(splits)]
        if len(splits):
            rows = np.flatnonzero(rng.random(n) < 0.5)
            X[rows, column] = _near(rng.choice(splits, len(rows)), rng)
    X[rng.random(X.shape) < 0.05] = 0
    for column, values in (codes or {}).items():
        X[:, column] = rng.choice(values, n)
    X[rng.random(X.shape) < missing] = np.nan
    return X


@np.errstate(over="ignore")
def _near(splits, rng):
    single = splits.astype(np.float32)
    near = np.stack(
        [
            splits,
            np.nextafter(splits, np.inf),
            np.nextafter(splits, -np.inf),
            single,
            np.nextafter(single, np.float32(np.inf)),
            np.nextafter(single, np.float32(-np.inf)),
        ]
    )
    return near[rng.integers(len(near), size=len(splits)), np.arange(len(splits))]
