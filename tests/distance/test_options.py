"""Options of a distance: their ranges, what another method may share, what a search gets."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from torch import nn

from oracles import network
from robfair import boundary_distance
from robfair.distance import DistanceOptions, measure_distance

X = np.random.default_rng(0).normal(size=(12, 3))
RELU = network([3, 16, 3], nn.ReLU)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *((name, 0, ValueError) for name in ("budget", "batch_size", "max_iter", "n_candidates")),
        *((name, 1.5, TypeError) for name in ("budget", "batch_size", "max_iter", "n_candidates")),
        *(("time_limit", value, ValueError) for value in (0, -1.0, np.nan)),
        *(("overshoot", value, ValueError) for value in (0.0, -1.0, np.nan, np.inf)),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(name, value, error):
    with pytest.raises(error, match=name if error is ValueError else "integer"):
        DistanceOptions(**{name: value})


def test_another_method_gets_what_means_the_same_to_it():
    given = DistanceOptions(
        budget=50, time_limit=1.0, background=X, batch_size=5, max_iter=3, overshoot=0.1,
        n_candidates=1, random_state=7, n_jobs=2,
    )  # fmt: skip
    shared = given.for_another_method()
    assert vars(shared) == vars(DistanceOptions()) | {
        "background": X, "batch_size": 5, "random_state": 7, "n_jobs": 2,
    }  # fmt: skip


def test_one_object_is_the_same_as_its_keywords():
    options = {"batch_size": 5, "max_iter": 1, "overshoot": 0.3, "n_candidates": 1}
    one = measure_distance(RELU, X, method="deepfool", options=DistanceOptions(**options))
    other = boundary_distance(RELU, X, method="deepfool", **options)
    assert_array_equal(one.distance, other.distance)
    assert_array_equal(one.n_forward, other.n_forward)
    # Each of them arrives: without it the numbers are others.
    for name in ("max_iter", "overshoot", "n_candidates"):
        fewer = {key: value for key, value in options.items() if key != name}
        without = boundary_distance(RELU, X, method="deepfool", **fewer)
        changed = without.distance != one.distance
        assert (changed | (without.n_backward != one.n_backward)).any(), name
