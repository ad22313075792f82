"""The cheap distance of an evaluator's samples: a linear rule, whose distances are known."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair.datasets import make_group_margins
from robfair.threat import ThreatModel
from robfair.training import GroupEvaluator
from robfair.training._cheap_distance import CAP, CheapDistance

DATA = make_group_margins(90, n_features=4, flip=(0.1, 0.0, 0.3), random_state=3)


@pytest.fixture
def evaluator():
    module = nn.Linear(4, 2).double()
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.stack([0 * DATA.coef, DATA.coef])))
        module.bias.copy_(torch.tensor([0.0, DATA.intercept], dtype=torch.float64))
    return GroupEvaluator(module, DATA.X, DATA.y, DATA.groups, 3, "auto", ThreatModel())


@pytest.mark.parametrize(
    ("n_classes", "n_starts", "expected"), [(2, 4, (1, 3)), (10, 4, (3, 1)), (10, 2, (2, 0))]
)
def test_starts(n_classes, n_starts, expected):
    cheap = CheapDistance(n_classes, n_starts, 1.0)
    assert (cheap.n_rivals, cheap.n_random) == expected


def test_distances_of_a_linear_rule(evaluator):
    cheap = CheapDistance(2, 4, 1.0)
    right = (DATA.X @ DATA.coef + DATA.intercept > 0) == DATA.y
    assert_allclose(cheap.distances(evaluator), np.where(right, 1, -1) * DATA.distance, rtol=1e-9)
    accuracy, robustness = cheap.quality(evaluator)
    assert accuracy == pytest.approx(right.mean())
    capped = np.where(right, np.minimum(DATA.distance, CAP), 0)
    means = [capped[DATA.groups == group].mean() for group in range(3)]
    assert robustness == pytest.approx(np.mean(means))
    assert_allclose(cheap.agreement(evaluator, cheap.strong(evaluator)), (1, 1), atol=1e-6)


def test_a_constant_distance_agrees_with_nothing(evaluator, monkeypatch):
    monkeypatch.setattr(GroupEvaluator, "distances", lambda self, cap: np.ones(len(self.X)))
    cheap = CheapDistance(2, 4, 1.0)
    assert cheap.agreement(evaluator, cheap.strong(evaluator))[0] == 0
