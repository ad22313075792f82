"""The network for CIFAR-10: its layers, and that robfair's own machinery can work with them."""

import torch
import torch.nn.functional as F
from torch import nn

from robfair.certify import _layers
from robfair.models import cifar_network
from robfair.training import _objectives


def test_it_computes_what_its_docstring_says():
    network = cifar_network()
    weights = list(network.parameters())
    x = torch.rand(4, 3, 32, 32)
    h = x
    for i in (0, 2):
        h = F.relu(F.max_pool2d(F.conv2d(h, weights[i], weights[i + 1], padding=1), 2))
    h = h.flatten(1)
    for i in (4, 6):
        h = F.relu(h @ weights[i].T + weights[i + 1])
    torch.testing.assert_close(network(x), h @ weights[8].T + weights[9])
    assert len(weights) == 10


def test_widths():
    shapes = [tuple(p.shape) for p in cifar_network().parameters() if p.ndim > 1]
    assert shapes == [(32, 3, 3, 3), (64, 32, 3, 3), (256, 64 * 8 * 8), (128, 256), (10, 128)]
    n_weights = sum(p.numel() for p in cifar_network().parameters())
    assert f"{n_weights:,} weights" in cifar_network.__doc__


def test_every_layer_is_known():
    """To certified bounds, and to the objectives as a layer that is the same in both modes."""
    parts = [part for part in cifar_network().modules() if type(part) is not nn.Sequential]
    assert all(type(part) in _layers.MODULES for part in parts)
    assert all(type(part) in _objectives._SAME_IN_BOTH_MODES for part in parts)


def test_one_step_of_training_lowers_the_loss():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = cifar_network()
        x, y = torch.rand(20, 3, 32, 32), torch.arange(20) % 10
    optimizer = torch.optim.Adam(network.parameters())
    losses = []
    for _ in range(2):
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad.abs().sum() > 0 for p in network.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
