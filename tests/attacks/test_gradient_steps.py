"""Restarts, budgets of single samples, and what is said where nothing moves."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from oracles import network, predict_with
from robfair.attacks import attack

NORMS = [2, np.inf]
NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
CLEAN = predict_with(NET)(X)
Y = np.where(np.arange(40) % 7 == 0, (CLEAN + 1) % 3, CLEAN)  # some are wrong


@pytest.mark.slow
def test_more_restarts_and_no_random_start():
    success = [
        attack(NET, X, eps=0.3, n_steps=2, n_restarts=n, random_start=False).success
        for n in (1, 2, 5)
    ]
    assert (success[0] <= success[1]).all()
    assert (success[1] <= success[2]).all()
    # The first run starts at the sample, whatever the seed.
    runs = [
        attack(NET, X, eps=0.3, random_start=False, random_state=seed).adversarial
        for seed in (0, 1)
    ]
    assert_array_equal(*runs)
    random = [attack(NET, X, eps=0.3, random_state=seed).adversarial for seed in (0, 0, 1)]
    assert_array_equal(random[0], random[1])
    assert (random[0] != random[2]).any()


def test_an_eps_for_each_sample():
    eps = np.where(np.arange(40) < 20, 0.0, 0.5)
    result = attack(NET, X, eps=eps)
    assert_array_equal(result.adversarial[:20], X[:20])
    assert not result.success[:20].any()
    assert_array_equal(result.n_forward[:20], 1)
    assert result.success[20:].any()
    assert repr(result).endswith("eps=0 to 0.5, method='pgd', ThreatModel(norm=inf))")


def test_flat_logits_are_reported():
    class Flat(nn.Module):
        def forward(self, x):
            return 0 * x[:, :1] + torch.tensor([1.0, 0.0])

    result = attack(Flat(), X, eps=0.3)
    assert not result.success.any()
    assert "no step moved 40 of 40 samples" in result.warnings_[0]
    assert attack(NET, X, eps=0.3).warnings_ == ()
