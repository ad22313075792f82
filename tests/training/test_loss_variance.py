"""LossVariance: its gradient is that of mean loss and variance, and no group's loss is raised."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from robfair import AdversarialClassifier
from robfair.datasets import make_group_margins
from robfair.training import GroupPlan, Losses, LossVariance

GROUPS = torch.tensor([0, 0, 0, 1, 1, 3])  # group 2 is not in the batch


def losses(factors, weight=None):
    """Losses of six samples that depend on parameters, half natural and half robust."""
    every = torch.ones(6, dtype=torch.bool)
    half = factors * torch.tensor([0.2, 0.4, 0.3, 0.25, 0.35, 0.5])
    return Losses(half, half, every, every, weight)


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2, 1, 3, 1, 2])])
def test_the_gradient_is_that_of_mean_and_variance(weight):
    strategy = LossVariance(alpha=0.7)
    plan = strategy.on_epoch(0, strategy.start(GroupPlan.uniform(4, 0.1, 6.0)), None)
    ours = torch.ones(6, dtype=torch.float64, requires_grad=True)
    batch = losses(ours, weight)
    changed = strategy.on_batch(plan, batch.detach(), GROUPS)
    changed.of(GROUPS).reduce(batch).backward()
    assert bool((changed.natural_weight[[0, 1, 3]] > 0).all())

    theirs = torch.ones(6, dtype=torch.float64, requires_grad=True)
    w = torch.ones(6) if weight is None else weight
    total = losses(theirs).natural * 2
    means = [(w * total)[g == GROUPS].sum() / w[g == GROUPS].sum() for g in (0, 1, 3)]
    ((w * total).sum() / w.sum() + 0.7 * torch.stack(means).var(correction=0)).backward()
    assert_allclose(ours.grad, theirs.grad, rtol=1e-6)


def test_no_group_is_trained_to_have_a_greater_loss():
    strategy = LossVariance(alpha=50.0)
    plan = strategy.on_epoch(0, strategy.start(GroupPlan.uniform(4, 0.1, 6.0)), None)
    weights = strategy.on_batch(plan, losses(torch.ones(6)), GROUPS).natural_weight
    assert weights[0] == 0  # the group with the least loss
    assert weights[3] > 1


def test_training_is_plain_before_it_begins_and_with_alpha_0():
    data = make_group_margins(60, random_state=0)
    settings = {
        "hidden_layer_sizes": [6], "n_steps": 2, "batch_size": 32, "max_epochs": 2,
        "random_state": 0,
    }  # fmt: skip
    probabilities = [
        AdversarialClassifier(strategy=strategy, **settings)
        .fit(data.X, data.y, groups=data.groups)
        .predict_proba(data.X)
        for strategy in (None, LossVariance(0.0), LossVariance(begin=2), LossVariance())
    ]
    assert_allclose(probabilities[1], probabilities[0], rtol=1e-5)
    assert np.array_equal(probabilities[2], probabilities[0])
    assert not np.allclose(probabilities[3], probabilities[0], rtol=1e-3)


def test_its_weight_is_1_by_default():
    assert LossVariance().alpha == 1


@pytest.mark.parametrize("alpha", [-1.0, float("nan"), float("inf")])
def test_an_alpha_that_drives_groups_apart_is_an_error(alpha):
    with pytest.raises(ValueError, match="alpha must be finite and not negative"):
        LossVariance(alpha).start(GroupPlan.uniform(2, 0.1, 6.0))
