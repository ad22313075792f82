"""Distances of blocks of rows put together."""

from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from robfair import boundary_distance
from robfair.datasets import make_group_margins
from robfair.distance import join_distances


def test_blocks_are_those_of_all_rows():
    data = make_group_margins(n_samples=90, random_state=0)
    model = LogisticRegression().fit(data.X, data.y)
    whole = boundary_distance(model, data.X, y=data.y)
    cuts = [slice(0, 30), slice(30, 31), slice(31, 90)]
    joined = join_distances([boundary_distance(model, data.X[c], y=data.y[c]) for c in cuts])
    for name in ("distance", "lower"):  # the last bit of a sum depends on the rows beside it
        assert_allclose(getattr(joined, name), getattr(whole, name), 1e-12)
    for name in ("predicted", "status", "n_backward"):
        assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert joined.adversarial is None
    assert joined.method == "linear"


def test_warnings_are_told_once_and_their_counts_added():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    part = boundary_distance(model, [[0.0], [1.0]])
    first = replace(part, warnings_=("1 of 2 samples are censored: so.", "flat."))
    second = replace(part, warnings_=("2 of 2 samples are censored: so.",), lower=None)
    joined = join_distances([first, part, second])
    assert joined.warnings_ == ("3 of 4 samples are censored: so.", "flat.")
    assert_array_equal(np.isnan(joined.lower), [False] * 4 + [True] * 2)
