"""ResNet-18 computes what its docstring says."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from networks import images, n_weights, seeded
from robfair.models import resnet18


def test_resnet18_computes_what_its_docstring_says():
    """A recomputation from the state by name, with batch normalisation by the batch."""
    network = seeded(resnet18)
    x = images((3, 16, 16))
    state = {name: value.clone() for name, value in network.state_dict().items()}

    def normalised(h, name):
        mean, var = (
            h.mean(dim=(0, 2, 3), keepdim=True),
            h.var(dim=(0, 2, 3), keepdim=True, correction=0),
        )
        shape = (1, -1, 1, 1)
        weight, bias = (state[f"{name}.{k}"].reshape(shape) for k in ("weight", "bias"))
        return (h - mean) / (var + 1e-5).sqrt() * weight + bias

    mean, scale = torch.tensor([[0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]])
    h = (x - mean.reshape(3, 1, 1)) / scale.reshape(3, 1, 1)
    h = F.relu(normalised(F.conv2d(h, state["1.weight"], padding=1), "2"))
    for block in range(4, 12):
        stride = 2 if block in (6, 8, 10) else 1
        first, second = (state[f"{block}.residual.{k}.weight"] for k in (0, 3))
        r = F.relu(normalised(F.conv2d(h, first, stride=stride, padding=1), f"{block}.residual.1"))
        r = normalised(F.conv2d(r, second, padding=1), f"{block}.residual.4")
        if stride == 2:
            projection = state[f"{block}.shortcut.0.weight"]
            h = normalised(F.conv2d(h, projection, stride=2), f"{block}.shortcut.1")
        h = F.relu(r + h)
    assert h.shape == (4, 512, 2, 2)
    expected = F.linear(h.mean(dim=(2, 3)), state["14.weight"], state["14.bias"])
    torch.testing.assert_close(network(x), expected, atol=1e-4, rtol=1e-4)


def test_number_of_weights():
    # 3 x 3 without bias; two numbers per channel in batch normalisation; 1 x 1 on three shortcuts.
    widths = [64, 64, 64, 64, 64, 128, 128, 128, 128, *[256] * 4, *[512] * 4]
    convolutions = 9 * (3 * 64 + sum(a * b for a, b in pairwise(widths)))
    shortcuts = 64 * 128 + 128 * 256 + 256 * 512
    channels = sum(widths) + 128 + 256 + 512
    assert len(widths) == 17
    assert n_weights(resnet18()) == convolutions + shortcuts + 2 * channels + 10 * 513


def test_a_narrow_network_has_all_layers_in_proportion():
    narrow, wide = (resnet18(width=width).state_dict() for width in (4, 8))
    assert set(narrow) == set(resnet18().state_dict())
    for name, value in narrow.items():
        if name.endswith("weight") and value.ndim == 4 and name != "1.weight":
            assert wide[name].shape[:2] == (2 * value.shape[0], 2 * value.shape[1])
    assert resnet18(3, width=4)(images((3, 8, 8))).shape == (4, 3)
    with pytest.raises(ValueError, match="width must be at least 1; got 0"):
        resnet18(width=0)
