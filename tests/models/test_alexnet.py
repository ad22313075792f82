"""AlexNet computes what its docstring says."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from networks import images, n_weights, seeded
from robfair.models import alexnet


def test_alexnet_computes_what_its_docstring_says():
    network = seeded(alexnet).eval()
    w = list(network.parameters())
    x = images((1, 28, 28))
    h = (x - 0.1307) / 0.3081
    pools = [nn.MaxPool2d(2), nn.MaxPool2d(2), nn.Identity(), nn.Identity(), nn.MaxPool2d(3, 2)]
    for i, pool in enumerate(pools):
        h = pool(F.relu(F.conv2d(h, w[2 * i], w[2 * i + 1], padding=1)))
    h = h.flatten(1)
    for i in (10, 12):
        h = F.relu(F.linear(h, w[i], w[i + 1]))
    torch.testing.assert_close(network(x), F.linear(h, w[14], w[15]))
    assert [part.p for part in network if isinstance(part, nn.Dropout)] == [0.5, 0.5]


def test_number_of_weights():
    channels, units = [1, 32, 64, 128, 256, 256], [256 * 9, 1024, 512, 10]
    convolutions = sum(b * (9 * a + 1) for a, b in pairwise(channels))
    assert n_weights(alexnet()) == convolutions + sum(b * (a + 1) for a, b in pairwise(units))
