"""A table with every kind of column, its threat model, and samples of it."""

import numpy as np
from hypothesis import settings

from robfair import ThreatModel
from robfair.threat import Block

NORMS = [2, np.inf]
FEW = settings(max_examples=30, deadline=None)
# Two integers, a continuous feature, a dropped category and an ordinal code.
BLOCKS = (Block((3, 4), [[0, 0], [1, 0], [0, 1]]), Block((5,), [[-1.5], [0], [4]]))


def rules(norm=2, **others):
    return ThreatModel(
        norm,
        **{
            "bounds": ([-1, -2, -3, 0, 0, 0], [2, 1, 3, 1, 1, 1]),
            "categories": BLOCKS,
            "integer": [1, 0.5, 0, 0, 0, 0],
            "unit": [2, 0.7, 3, 1, 1, 1],
            "category_cost": 0.8,
        }
        | others,
    )


def samples(rng, n=8):
    X = np.empty((n, 6))
    X[:, 0], X[:, 1] = rng.integers(-1, 3, n), rng.integers(-4, 3, n) / 2
    X[:, 2] = rng.uniform(-3, 3, n)
    for block in BLOCKS:
        X[:, list(block.columns)] = block.codes[rng.integers(len(block.codes), size=n)]
    return X
