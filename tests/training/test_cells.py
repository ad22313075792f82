"""Groups, or groups inside classes, as cells."""

from dataclasses import replace
from types import SimpleNamespace

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


def line(distance, groups):
    """Samples at such distances of the line s(x) = 2 x, all of the second class."""
    rule = torch.nn.Linear(1, 2)
    rule.weight = torch.nn.Parameter(torch.tensor([[-1.0], [1.0]]))
    rule.bias = torch.nn.Parameter(torch.zeros(2))
    X = np.array(distance, dtype=np.float32)[:, None]
    train = GroupEvaluator(
        rule, X, np.ones(len(X), np.intp), np.array(groups), 2, "auto", ThreatModel()
    )
    return replace(train, train=train)


def test_robustness_is_the_mean_distance():
    """Wrong samples count 0, far ones the cap, and a cell without samples is 0."""
    distance, groups = [1.0, 2.0, -3.0, *[1.0] * 6, 100.0], np.repeat([0, 1], [3, 7])
    found, error = cells(True, [0, 0, 3, 7]).robustness(line(distance, groups))
    cap = CAP * np.clip(distance, 0, None).mean()
    assert_allclose(found, [0, 0, 1, (6 + cap) / 7], rtol=1e-5)
    assert_allclose(error[2:], [np.std([1, 2, 0], ddof=1) / 3**0.5, (cap - 1) / 7], rtol=1e-4)


def test_response_of_a_line():
    """By hand: at x = 0 only the biases move the boundary, each by 1/2; one sample is too far."""
    evaluator = line([1.0, 2.0, 10.0, 2.0, 2.0], [0, 0, 0, 1, 1])
    optimizer = torch.optim.SGD(evaluator.module.parameters(), lr=0.1)
    step = SimpleNamespace(
        module=evaluator.module, evaluator=evaluator, optimizer=optimizer, n_batches=7
    )
    found = cells(False, [3, 2]).response(step, np.array([1.0, 2.0]))
    squares = [2 * (2 / 3 / 2) ** 2 * 3 / 5, 2 * (1 / 2 / 2) ** 2 * 2 / 5]
    assert_allclose(found, 0.1 * 7 * np.prod(squares) ** 0.5, rtol=1e-4)


def test_differences_inside_classes_do_not_count_between_them():
    values, error = np.array([1.0, 1.01, 5.0, 5.01]), np.full(4, 0.02)
    assert cells(False, [9, 9]).differ(values[1:3], error[1:3])
    assert not cells(True, [9] * 4).differ(values, error)
    assert not cells(True, [9, 9, 9, 0]).differ(np.array([1.0, 1.01, 5.0, 9.0]), error)
