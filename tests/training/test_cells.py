"""Groups, or groups inside classes, as cells."""

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from robfair import ThreatModel
from robfair.training import GroupEvaluator
from robfair.training._cells import Cells
from robfair.training._cheap_distance import CAP, CheapDistance


def cells(within_labels, sizes):
    return Cells(2, within_labels, np.array(sizes), CheapDistance(2, 1, 1.0))


def test_numbers_and_rows():
    y, groups = np.array([0, 1, 2, 2]), np.array([1, 0, 0, 1])
    assert_array_equal(cells(False, [1, 1]).of(y, groups), groups)
    apart = cells(True, [1] * 6)
    assert_array_equal(apart.of(y, groups), [1, 2, 4, 5])
    assert_array_equal(apart.rows(np.arange(6)), [[0, 1], [2, 3], [4, 5]])


def test_spread_by_hand():
    """Gaps to the mean of the class; the cell without samples takes no part."""
    robustness = np.array([1.0, 3.0, 5.0, 9.0])
    assert_allclose(cells(True, [4, 4, 4, 0]).common(robustness), [2, 2, 5, 5])
    assert_allclose(cells(True, [4, 4, 4, 0]).spread(robustness), (0.25 + 0.25 + 0) / 3)


def test_robustness_is_the_mean_distance():
    """On a line, where distances are known: wrong samples count 0, far ones the cap."""
    rule = torch.nn.Linear(1, 2, bias=False)
    rule.weight = torch.nn.Parameter(torch.tensor([[-1.0], [1.0]]))
    distance = np.array([1.0, 2.0, -3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 100.0])
    groups = np.repeat([0, 1], [3, 7])
    train = GroupEvaluator(
        rule, distance[:, None].astype(np.float32), np.ones(10, np.intp), groups, 2, "auto",
        ThreatModel(),
    )  # fmt: skip
    found, error = cells(False, [3, 7]).robustness(
        GroupEvaluator(**{**vars(train), "train": train})
    )
    cap = CAP * np.clip(distance, 0, None).mean()
    assert_allclose(found, [1, (6 + cap) / 7], rtol=1e-5)
    assert_allclose(error[0], np.std([1, 2, 0], ddof=1) / 3**0.5, rtol=1e-5)
