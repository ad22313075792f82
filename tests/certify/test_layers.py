"""Each module and operation that is supported, alone, against torch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from robfair.certify import UnsupportedLayer
from robfair.certify._crown import Crown
from robfair.certify._layers import ARITHMETIC, FUNCTIONS, MODULES, OPERATIONS
from robfair.certify._trace import trace

ROW, LINE, IMAGE, VOLUME = (6,), (2, 8), (2, 4, 4), (2, 4, 4, 4)
EXAMPLES = {
    nn.Linear: (nn.Linear(6, 3), ROW),
    nn.Conv1d: (nn.Conv1d(2, 3, 3, padding=1), LINE),
    nn.Conv2d: (nn.Conv2d(2, 3, 3, stride=2), IMAGE),
    nn.Conv3d: (nn.Conv3d(2, 2, 2, dilation=2), VOLUME),
    nn.BatchNorm1d: (nn.BatchNorm1d(6), ROW),
    nn.BatchNorm2d: (nn.BatchNorm2d(2), IMAGE),
    nn.ReLU: (nn.ReLU(), ROW),
    nn.LeakyReLU: (nn.LeakyReLU(0.3), ROW),
    nn.Tanh: (nn.Tanh(), IMAGE),
    nn.Sigmoid: (nn.Sigmoid(), LINE),
    nn.MaxPool2d: (nn.MaxPool2d(2, padding=1), IMAGE),
    nn.AvgPool1d: (nn.AvgPool1d(2), LINE),
    nn.AvgPool2d: (nn.AvgPool2d(2), IMAGE),
    nn.AdaptiveAvgPool1d: (nn.AdaptiveAvgPool1d(3), LINE),
    nn.AdaptiveAvgPool2d: (nn.AdaptiveAvgPool2d(2), IMAGE),
    nn.Flatten: (nn.Flatten(), IMAGE),
    nn.Unflatten: (nn.Unflatten(1, (2, 3)), ROW),
    nn.Identity: (nn.Identity(), ROW),
    nn.Dropout: (nn.Dropout(), ROW),
    nn.Dropout1d: (nn.Dropout1d(), LINE),
    nn.Dropout2d: (nn.Dropout2d(), IMAGE),
    nn.Dropout3d: (nn.Dropout3d(), VOLUME),
    nn.AlphaDropout: (nn.AlphaDropout(), ROW),
}


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x).flatten(1)


CALLS = {
    "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.2), "tanh": torch.tanh,
    "sigmoid": lambda x: x.sigmoid(), "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "dropout": lambda x: F.dropout(x, 0.5, training=False),
    "avg_pool": lambda x: F.avg_pool2d(x, 2), "mean": lambda x: x.mean(dim=(2, 3)),
    "permute": lambda x: x.permute(0, 2, 1, 3), "transpose": lambda x: x.transpose(1, 2),
    "flatten": lambda x: torch.flatten(x, 2), "reshape": lambda x: x.reshape(-1, 8, 4),
    "view": lambda x: x.view(x.size(0), -1), "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "unsqueeze": lambda x: x.unsqueeze(1), "contiguous": lambda x: x.contiguous(),
    "add": lambda x: x + 2, "sub": lambda x: 1 - x, "mul": lambda x: 3 * x,
    "div": lambda x: x / 4, "neg": lambda x: -x,
}  # fmt: skip


def check(module, shape):
    generator = torch.Generator().manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) + 0.2
    x = torch.randn(5, *shape, generator=generator, dtype=torch.float64)
    expected = copy.deepcopy(module).double().eval()(x).detach().flatten(1)
    found = Crown(trace(module, shape), x.device).logits(x.flatten(1).T).T
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", MODULES, ids=lambda kind: kind.__name__)
def test_modules(kind):
    module, shape = EXAMPLES[kind]
    check(nn.Sequential(module, nn.Flatten()), shape)


@pytest.mark.parametrize("operation", [*OPERATIONS, *ARITHMETIC])
def test_operations(operation):
    check(Lambda(CALLS[operation]), IMAGE)


def test_every_function_has_an_operation():
    assert set(FUNCTIONS.values()) <= {*OPERATIONS, *ARITHMETIC}


# What each function takes beside the value.
ARGUMENTS = {
    "leaky_relu": (0.2,), "max_pool2d": (2,), "avg_pool": (2,), "dropout": (0.5, False),
    "mean": ((2, 3),), "permute": ((0, 2, 1, 3),), "transpose": (1, 2), "flatten": (2,),
    "reshape": ((-1, 8, 4),), "squeeze": (1,), "unsqueeze": (1,), "add": (2,), "sub": (2,),
    "mul": (3,), "div": (4,),
}  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_functions(function):
    """As `test_operations`, by torch's functions and not by a tensor's methods."""
    arguments = ARGUMENTS.get(FUNCTIONS[function], ())
    check(Lambda(lambda x: function(x * 1, *arguments)), IMAGE)  # in-place functions own x * 1


@pytest.mark.parametrize("dim", [(1,), (3, 1), (1, 2, 3)])
def test_means_are_over_the_dimensions_asked_for(dim):
    check(Lambda(lambda x: torch.mean(x, dim=dim, keepdim=True)), IMAGE)


@pytest.mark.parametrize("dim", [0, (0, 1), None])
def test_a_mean_over_samples_is_refused(dim):
    module = Lambda(lambda x: x + torch.mean(x, dim=dim, keepdim=True))
    with pytest.raises(UnsupportedLayer, match="operation 'mean'"):
        trace(module, IMAGE)
