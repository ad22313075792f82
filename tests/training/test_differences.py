"""Common means by hand, and the level of the test for a difference."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from robfair.training._differences import common_means, groups_differ


def test_common_means():
    values = np.array([[1.0, 2.0, 9.0], [4.0, 6.0, 8.0], [0.0, 0.0, 0.0]])
    there = np.array([[True, True, False], [True, True, True], [True, True, True]])
    found = common_means(values, there)
    assert_allclose(found, np.repeat([[1.5], [6.0], [0.006]], 3, axis=1))


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_the_level_of_the_test(unit):
    rng = np.random.default_rng(0)
    errors = unit * np.array([[0.1, 0.3, 1.0, 0.2], [0.5, 0.1, 0.1, 0.1]])
    there = np.array([[True] * 4, [True, True, False, False]])
    level = [[[1.0], [5.0]] + errors * rng.standard_normal((2, 4)) for _ in range(2_000)]
    found = np.mean([groups_differ(values, errors, there) for values in level])
    assert abs(found - 0.05) < 0.015
    assert groups_differ(level[0] + [[unit, 0, 0, 0], [0] * 4], errors, there)
    assert not groups_differ(level[0][:, :1], errors[:, :1], there[:, :1])  # nothing to compare
