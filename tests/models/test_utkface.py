"""The classifier of faces computes what its docstring says."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from networks import images, n_weights, seeded
from robfair.models import utkface_network


def test_published_image_size_of_utkface():
    """The published code writes 153664 inputs of the dense layer for 200 x 200."""
    sizes = {n: utkface_network(image_size=n)[9].in_features for n in (200, 48, 7, 6)}
    assert sizes == {200: 153_664, 48: 64 * 11 * 11, 7: 64, 6: 64}
    for n in (6, 7, 49):
        assert utkface_network(3, image_size=n)(torch.zeros(2, 3, n, n)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"at least 6, .* got 5"):
        utkface_network(image_size=5)


def test_utkface_network_computes_what_its_docstring_says():
    network = seeded(utkface_network).eval()
    w = list(network.parameters())
    x = h = images((3, 48, 48))
    for i in (0, 2):
        h = F.max_pool2d(F.relu(F.conv2d(h, w[i], w[i + 1], padding=2)), 2)
    h = F.relu(F.linear(h.flatten(1), w[4], w[5]))
    torch.testing.assert_close(network(x), F.linear(h, w[6], w[7]))
    assert [part.p for part in network if isinstance(part, nn.Dropout)] == [0.3, 0.3, 0.5]


def test_number_of_weights():
    convolutions = 32 * (3 * 49 + 1) + 64 * (32 * 25 + 1)
    assert n_weights(utkface_network()) == convolutions + 256 * (64 * 11 * 11 + 1) + 5 * 257
