"""The registry of attacks, and that none of them is masked by confidence."""

import numpy as np
import pytest
import torch

from oracles import network, predict_with
from robfair.attacks import attack
from robfair.attacks._methods import METHODS

NORMS = [2, np.inf]
NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
CLEAN = predict_with(NET)(X)
Y = np.where(np.arange(40) % 7 == 0, (CLEAN + 1) % 3, CLEAN)  # some are wrong


@pytest.mark.parametrize("factor", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("method", ["pgd", "kl", "fgsm"])
def test_confidence_does_not_mask_gradients(method, factor):
    module = network([4, 8, 3], dtype=torch.float32)
    with torch.no_grad():
        module[-1].weight.mul_(factor)
        module[-1].bias.mul_(factor)
    result = attack(module, X, eps=0.4, method=method)
    expected = attack(network([4, 8, 3], dtype=torch.float32), X, eps=0.4, method=method)
    # Another loss, so other points, but not a failure.
    assert result.success_rate > expected.success_rate - 0.1
    assert expected.success_rate > 0.2


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_entry_does_what_it_says(method):
    assert METHODS[method.name] is method
    result = attack(NET, X, eps=0.3, method=method.name, n_steps=7)
    assert result.success.any()
    assert result.n_backward.max() == (1 if method.is_one_step else 7)
    if method.takes_target:
        assert attack(NET, X, eps=0.6, method=method.name, target=1).success_rate > 0
    else:
        with pytest.raises(ValueError, match="has no target"):
            attack(NET, X, eps=0.6, method=method.name, target=1)
