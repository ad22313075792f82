"""The networks for tables: layers, widths, and torch's own initial weights."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from robfair import boundary_distance
from robfair.models import adult_network, tabular_network
from robfair.training import _objectives


@pytest.mark.parametrize("sizes", [(), (5,), (7, 3), [4, 4, 4], np.array([6, 2])])
def test_layers(sizes):
    network = tabular_network(9, 3, sizes)
    widths = [9, *sizes, 3]
    linear = [part for part in network if isinstance(part, nn.Linear)]
    assert [(p.in_features, p.out_features) for p in linear] == list(pairwise(widths))
    kinds = [type(part) for part in network]
    assert kinds == [nn.Linear, nn.ReLU] * len(sizes) + [nn.Linear]
    assert network(torch.zeros(4, 9)).shape == (4, 3)


def test_default_widths():
    assert [p.out_features for p in tabular_network(2, 2) if isinstance(p, nn.Linear)] == [
        64,
        64,
        2,
    ]


def test_output_is_logits():
    """Neither probabilities nor their logarithms: the last layer is linear."""
    network = tabular_network(2, 2, (4,))
    out = network(torch.randn(50, 2))
    assert not torch.allclose(out.exp().sum(dim=1), torch.ones(50))
    assert isinstance(network[-1], nn.Linear)


def test_weights_follow_torchs_seed():
    found = []
    with torch.random.fork_rng(devices=[]):
        for _ in range(2):
            torch.manual_seed(3)
            found.append(torch.cat([p.flatten() for p in tabular_network(3, 2).parameters()]))
    assert torch.equal(*found)


def test_activation():
    network = tabular_network(9, 3, (7, 5), activation=lambda: nn.LeakyReLU(0.3))
    assert [type(part) for part in network] == [nn.Linear, nn.LeakyReLU] * 2 + [nn.Linear]
    assert network[1] is not network[3]
    assert network[3].negative_slope == 0.3


@pytest.mark.parametrize(("kwargs", "width"), [({}, 64), ({"width": 5}, 5)])
def test_adult_network(kwargs, width):
    network = adult_network(7, **kwargs)
    weights = list(network.parameters())
    assert [p.shape[0] for p in weights[::2]] == [width] * 4 + [2]
    x = h = torch.randn(6, 7)
    for i in range(4):
        h = torch.tanh(h @ weights[2 * i].T + weights[2 * i + 1])
    torch.testing.assert_close(network(x), h @ weights[8].T + weights[9])


def test_adult_network_works_with_robfairs_machinery():
    """Certified bounds can follow it, and no layer differs between training and evaluation."""
    network = adult_network(7, n_classes=3)
    assert (boundary_distance(network, np.eye(3, 7), certify=True).lower > 0).all()
    assert all(type(part) in _objectives._SAME_IN_BOTH_MODES for part in network.modules())
    assert network(torch.zeros(2, 7)).shape == (2, 3)
