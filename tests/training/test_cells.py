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


def test_cells_of_one_sample_and_of_none():
    """The last cell is empty; of one sample the error is not known, and is next to nothing."""
    found, error = cells(True, [0, 0, 1, 0]).robustness(line([5.0], [0]))
    assert_allclose(found, [0, 0, 5, 0])
    assert_allclose(error, [(1e-12 * 25) ** 0.5] * 4)


def test_the_network_that_is_measured_is_that_of_the_epoch(monkeypatch):
    """Not the one that the training samples were put together with; and not on all samples."""
    monkeypatch.setattr("robfair.training._cells.MOST_ROWS", 4)
    monkeypatch.setattr("robfair.training._cells.RESPONSE_ROWS", 2)
    train = line([1.0, 2.0, 3.0, 4.0] * 2, np.repeat([0, 1], 4))
    twice = line([1.0], [0]).module
    with torch.no_grad():
        twice.bias += torch.tensor([-1.0, 1.0])  # each sample is further away by 1
    now, seen = replace(train, module=twice), []
    monkeypatch.setattr(
        CheapDistance,
        "distances",
        lambda self, some: seen.append(some) or np.ones(len(some.X)),
    )
    two = cells(False, [4, 4])
    two.robustness(now)
    found = CheapDistance.of
    monkeypatch.setattr(
        CheapDistance, "of", lambda self, some: seen.append(some) or found(self, some)
    )
    optimizer = torch.optim.SGD(twice.parameters(), lr=0.1)
    step = SimpleNamespace(module=twice, evaluator=train, optimizer=optimizer, n_batches=1)
    for _ in range(2):
        two.response(step, np.ones(2))
    assert [some.module is twice for some in seen] == [True] * 3
    assert [some.sizes().tolist() for some in seen] == [[2, 2]] * 3
    assert_array_equal(seen[1].X, seen[2].X)


def test_response_of_groups_inside_classes():
    """By hand, as above: three cells of the second class, where every sample is near."""
    evaluator = replace(line([1.0, 2.0, 4.0], [0, 1, 2]), n_groups=3)
    evaluator = replace(evaluator, train=evaluator)
    apart = Cells(3, True, np.array([0, 0, 0, 6, 3, 1]), CheapDistance(2, 1, 1.0))
    optimizer = torch.optim.SGD(evaluator.module.parameters(), lr=0.1)
    step = SimpleNamespace(
        module=evaluator.module, evaluator=evaluator, optimizer=optimizer, n_batches=7
    )
    base = np.array([np.nan] * 3 + [1.0, 2.0, 4.0])
    shares = np.array([0.6, 0.3, 0.1])
    squares = 2 * (1 / base[3:] / 2) ** 2 * shares
    found = apart.response(step, base)
    assert_allclose(found, 0.1 * 7 * np.prod(squares) ** (1 / 3), rtol=1e-4)
