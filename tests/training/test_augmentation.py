"""Copies made once: where they lie, what they are worth, and that weights do not matter."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair.threat import ThreatModel
from robfair.training import Attack, Noise, StaticAugmentation


def attack(n_steps=4, norm=np.inf, **threat):
    return Attack(n_steps, 0.7, norm, ThreatModel(**threat), Noise(0))


def seeded(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def sample(n=23, dtype=np.float32):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 3)).astype(dtype), rng.integers(2, size=n)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [5, 100])
def test_closed_form_of_a_linear_module(dtype, batch_size):
    """The cross-entropy is largest in the corner of the ball on the side of the other class."""
    X, y = sample(dtype=dtype)
    module = seeded(lambda: nn.Linear(3, 2, dtype=torch.from_numpy(X).dtype))
    difference = (module.weight[1] - module.weight[0]).detach().numpy()
    found = StaticAugmentation().copies(module, X, y, 0.3, attack(), batch_size)
    away = np.where(y == 1, -1, 1)[:, None]
    assert_allclose(found - X, 0.3 * away * np.sign(difference), rtol=1e-4, atol=1e-6)
    assert found.dtype == dtype
    assert all(p.grad is None for p in module.parameters())


def test_norm_box_and_mutable_features():
    X, y = sample()
    low, high = X.min(axis=0), X.max(axis=0)
    mutable = np.array([True, True, False])
    box = attack(norm=2, bounds=(low, high), mutable=mutable)
    found = StaticAugmentation().copies(seeded(lambda: nn.Linear(3, 2)), X, y, 0.3, box, 8)
    delta = (found - X).astype(np.float64)
    assert (np.linalg.norm(delta, axis=1) <= 0.3 * (1 + 1e-5)).all()
    assert (delta[:, 2] == 0).all()
    assert (delta[:, :2] != 0).any(axis=1).all()
    assert (found >= low).all()
    assert (found <= high).all()


def test_images_and_modes():
    images = np.random.default_rng(0).random((6, 1, 3, 3)).astype(np.float32)
    module = seeded(lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(9, 2)))
    found = StaticAugmentation().copies(module, images, np.arange(6) % 2, 0.1, attack(), 4)
    assert found.shape == images.shape
    assert module[0].num_batches_tracked == 0
    assert module.training
