"""The cheap distance of an evaluator's samples: a linear rule, whose distances are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from torch import nn

from robfair.datasets import make_group_margins
from robfair.threat import ThreatModel
from robfair.training import GroupEvaluator
from robfair.training import _cheap_distance as module_of_cheap
from robfair.training._cheap_distance import CAP, N_STEPS, CheapDistance

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


@pytest.fixture
def searches(monkeypatch):
    """Options of the searches."""
    seen, search = [], module_of_cheap.nearest_boundary

    def spy(module, X, y, **options):
        seen.append(options)
        return search(module, X, y, **options)

    monkeypatch.setattr(module_of_cheap, "nearest_boundary", spy)
    return seen


def test_what_is_searched(evaluator, searches):
    evaluator = replace(evaluator, threat_model=ThreatModel(bounds=(-9, 9)))
    cheap = CheapDistance(2, 4, 0.3)
    cheap.of(evaluator)
    cheap.of(evaluator)
    one, again = searches
    assert one["threat_model"] is evaluator.threat_model
    assert (one["scale"], one["n_rivals"], one["n_steps"]) == (0.3, 1, N_STEPS)
    assert one["noise"].shape == (3, *DATA.X.shape)
    assert one["noise"].dtype == torch.float64
    assert torch.equal(one["noise"], again["noise"])
    assert one["noise"].std().item() == pytest.approx(1, abs=0.1)


def test_quality_takes_one_start_and_the_cap(evaluator, searches):
    robustness = CheapDistance(2, 4, 0.1).quality(evaluator)[1]
    assert [(each["noise"], each["n_rivals"]) for each in searches] == [(None, 1)]
    right = (DATA.X @ DATA.coef + DATA.intercept > 0) == DATA.y
    capped = np.where(right, np.minimum(DATA.distance, CAP * 0.1), 0)
    means = [capped[DATA.groups == group].mean() for group in range(3)]
    assert robustness == pytest.approx(np.mean(means))


def test_agreement_by_hand(evaluator, monkeypatch):
    """Both up to the cap; "strong" is asked for no more than that."""
    seen = []
    monkeypatch.setattr(
        GroupEvaluator, "distances", lambda self, cap: seen.append((self.method, cap))
    )
    cheap = CheapDistance(2, 4, 0.1)
    cheap.strong(evaluator)
    assert seen == [("strong", pytest.approx(CAP * 0.1))]
    right = (DATA.X @ DATA.coef + DATA.intercept > 0) == DATA.y
    ours = np.where(right, np.minimum(DATA.distance, CAP * 0.1), 0)
    theirs = np.random.default_rng(0).uniform(size=len(ours))
    expected = stats.pearsonr(ours, theirs).statistic, ours.mean() / theirs.mean()
    assert_allclose(cheap.agreement(evaluator, theirs), expected, rtol=1e-6)
