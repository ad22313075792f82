"""Threat models that are bound to samples, and checked against them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from customers import X, table
from robfair import ThreatModel
from robfair.threat import Block


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (ThreatModel(bounds=(np.zeros(4), 1)), r"bounds of shape \(4,\) do not fit"),
        (ThreatModel(mutable=[True, False]), r"mutable of shape \(2,\) do not fit"),
    ],
)
def test_shapes_must_fit_the_samples(model, match):
    with pytest.raises(ValueError, match=match):
        model.check(np.zeros((5, 3)))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"categories": [[2, 3, 9]]}, r"a block has column 9.*have 6 features"),
        ({"mutable": [True, True, True, False, True, True]}, r"only some of the columns \(2, 3, 4"),
        ({"unit": [1, 2]}, r"unit of shape \(2,\) do not fit"),
        ({"integer": [1, 2]}, r"integer of shape \(2,\) do not fit"),
        ({"bounds": ([50, 0, 0, 0, 0, 0], 1e5)}, "feature 0, where X runs from 20 to 40"),
    ],
)
def test_check_finds_what_does_not_fit_the_samples(changes, match):
    table().check(X)
    with pytest.raises(ValueError, match=match):
        table(**changes).check(X)


def test_check_finds_a_sample_without_a_category():
    x = X.copy()
    x[1, 4] = 0
    with pytest.raises(ValueError, match=r"row 1 holds no category in the block columns \[2, 3, 4"):
        table().check(x)


def test_check_names_the_feature_that_leaves_the_box():
    X = np.array([[0.0, 0.5, 1.0], [0.2, 3.0, -1.0]])
    message = r"in 2 feature\(s\); the first is feature 1.*0.5 to 3 .* are \[0, 1\]"
    with pytest.raises(ValueError, match=message):
        ThreatModel(bounds=(0, 1)).check(X)
    with pytest.raises(ValueError, match="feature 0"):
        ThreatModel(bounds=(0.5, 2)).check(np.array([[0], [1]]))
    with pytest.raises(ValueError, match="feature 2"):
        ThreatModel(bounds=([0, 0, 0], np.inf)).check(X)
    ThreatModel(bounds=([0, 0, -1], [0.2, 3, 1])).check(X)  # the walls belong to the box
    ThreatModel(bounds=(-np.inf, np.inf)).check(X)


def test_float32_samples_may_define_their_own_box():
    X = np.array([[0.1, -0.3], [0.7, 0.9]], dtype=np.float32)
    ThreatModel(bounds=([0.1, -0.3], [0.7, 0.9])).check(X)  # float32(0.1) > 0.1
    ThreatModel(bounds=(0, 0.1)).check(X[:1, :1])
    with pytest.raises(ValueError, match="feature 0"):
        ThreatModel(bounds=(0.1 + 1e-6, 1)).check(X[:, :1])


def test_bounds_of_the_data():
    model = table(bounds="data", integer=[False] * 6)
    assert repr(model).startswith("ThreatModel(norm=2, bounds='data', categories=2, integer=0 of 6")
    model.check(X)
    with pytest.raises(ValueError, match=r"call threat_model\.bind\(X\) first"):
        model.box((6,))
    bound = model.bind(X)
    sides = [[20, 1e4, *[-np.inf] * 4], [40, 3e4, *[np.inf] * 4]]
    assert_array_equal(bound.bounds, sides)
    assert_array_equal(bound.box((6,)), sides)
    assert bound.bind(X[:1]) is bound
    images = np.random.default_rng(0).normal(size=(4, 2, 3))
    low, high = ThreatModel(bounds="data").bind(images).box((2, 3))
    assert_array_equal(low, images.min(axis=0).ravel())
    assert_array_equal(high, images.max(axis=0).ravel())
    with pytest.raises(ValueError, match="an integer feature with a fractional box"):
        ThreatModel(bounds="data", integer=True).bind([[0.5], [1]])
    codes = Block((0,), [[0.5], [1.5]])  # have no box of their own
    ThreatModel(bounds="data", integer=True, categories=[codes]).bind([[0.5, 3], [1.5, 3]])
