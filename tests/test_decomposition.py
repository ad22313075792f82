"""Kitagawa's parts by hand, on two groups and two labels."""

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from robfair._decomposition import decompose
from robfair._groups import Groups


def groups(codes):
    return Groups(np.array(codes), pd.RangeIndex(2))


def test_groups_that_differ_in_their_mix_alone():
    # Label 0 lies at 4, label 1 at 1; shares of label 1: 0.25 and 0.75, in the mean of both 0.5.
    label = [0, 0, 0, 1, 0, 1, 1, 1]
    values = np.where(np.equal(label, 0), 4.0, 1.0)
    table = decompose(np.ones(8, dtype=bool), values, groups([0] * 4 + [1] * 4), groups(label))
    assert_allclose(table["difference"], [0.75, -0.75])
    assert_allclose(table["label_mix"], [0.75, -0.75])
    assert_allclose(table[["accuracy", "distance"]], 0)


def test_accuracy_and_distance_share_what_they_make_together():
    # Accuracy 1 and 0.5, distance 2 and 4, so that both groups have Rob(P) 2. The reference has
    # accuracy 0.75 and distance 2 / 0.75: (1 - 0.75) * (2 + 8 / 3) / 2 = 7 / 12.
    right = np.array([1, 1, 1, 0], dtype=bool)
    values = np.array([2.0, 2.0, 4.0, 0.0])
    table = decompose(right, values, groups([0, 0, 1, 1]), groups([0] * 4))
    assert_allclose(table["difference"], 0, atol=1e-15)
    assert_allclose(table["accuracy"], [7 / 12, -10 / 12])
    assert_allclose(table["distance"], [-7 / 12, 10 / 12])
