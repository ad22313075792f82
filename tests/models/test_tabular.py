"""The network for tables: its layers, its widths, and torch's own initial weights."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from robfair.models import tabular_network


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
