"""LeNet-5 computes what its docstring says."""

import torch
import torch.nn.functional as F

from networks import images, n_weights, seeded
from robfair.models import lenet5


def test_lenet5_computes_what_its_docstring_says():
    network = seeded(lenet5)
    w = list(network.parameters())
    x = images((1, 28, 28))
    h = (x - 0.1307) / 0.3081
    h = F.max_pool2d(F.relu(F.conv2d(h, w[0], w[1], padding=2)), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, w[2], w[3])), 2).flatten(1)
    for i in (4, 6):
        h = F.relu(F.linear(h, w[i], w[i + 1]))
    torch.testing.assert_close(network(x), F.linear(h, w[8], w[9]))
    assert len(w) == 10


def test_number_of_weights():
    convolutions = 6 * (1 * 25 + 1) + 16 * (6 * 25 + 1)
    assert n_weights(lenet5()) == convolutions + 120 * 401 + 84 * 121 + 10 * 85
