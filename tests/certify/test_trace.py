"""A module written as matrices and activations, against the module itself."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from robfair.certify import UnsupportedLayer
from robfair.certify._crown import Crown
from robfair.certify._trace import trace
from robfair.models import Standardize, resnet18


def images(*layers, channels=2):
    return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), *layers), (channels, 8, 8)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.same = nn.Conv2d(3, 3, 3, padding="same", groups=3)
        self.out = nn.Linear(12, 3)
        self.register_buffer("mean", torch.randn(1, 1, 1))

    def forward(self, x):
        x = 2 - (x - self.mean) / 0.3 * 2
        h = F.relu(self.conv(x))
        h = torch.add(h, torch.tanh(self.same(h)))
        h = F.max_pool2d(h, 2) - F.avg_pool2d(h, 2)
        h = F.dropout(F.leaky_relu(h, 0.2), 0.5, training=self.training)
        h = F.adaptive_avg_pool2d(h.sigmoid(), (2, 2)).contiguous()
        return -self.out(h.view(h.size(0), -1)) + 1


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 2)

    def forward(self, x):
        x = x + self.b(torch.relu(self.a(x)))
        x += self.b(x).relu()
        return self.c(x.reshape(x.shape[0], -1))


MODULES = {
    "dense": (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2)), (3,)),
    "one output": (nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), (3,)),
    "flat output": (nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), (3,)),
    "batch norm": (
        nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.LeakyReLU(0.3), nn.Linear(4, 3)),
        (3,),
    ),
    "convolutions": images(
        nn.BatchNorm2d(4, affine=False),
        nn.Sigmoid(),
        nn.Conv2d(4, 6, 3, stride=2, dilation=2, groups=2, bias=False),
        nn.AvgPool2d(2, padding=1),
        nn.Flatten(),
        nn.Linear(24, 3),
    ),
    "pooling": images(
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d((1, 2)),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3),
    ),
    "functional": (Functional(), (1, 4, 4)),
    "residual": (Residual(), (5,)),
}


def randomise(module):
    """Give a module parameters and statistics of its own, without the global generator."""
    generator = torch.Generator().manual_seed(1)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) * 1.5 - 0.5
    for part in module.modules():
        if hasattr(part, "running_var"):
            part.running_var += 1
    return module


@pytest.mark.parametrize("name", MODULES)
def test_logits_are_those_of_the_module(name):
    module, shape = MODULES[name]
    randomise(module).train()
    before = copy.deepcopy(module.state_dict())
    x = torch.randn(7, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = Crown(trace(module, shape), x.device).logits(x.flatten(1).T).T
    assert all(part.training for part in module.modules())
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert all(p.dtype == torch.float32 and p.grad is None for p in module.parameters())
    expected = copy.deepcopy(module).double().eval()(x)
    torch.testing.assert_close(found, expected.detach().reshape(7, -1), rtol=1e-12, atol=1e-12)


def test_activations_are_pooled_first():
    module, shape = images(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 2))
    sizes = [len(layer.inputs.bias) for layer in trace(module, shape).layers]
    assert sizes == [4 * 4 * 8, 4 * 4 * 4, 4 * 4 * 4]  # two rounds of the tournament, then ReLU


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function, self.layer = function, nn.Linear(4, 4)

    def forward(self, x):
        return self.function(self.layer(x))


def relu(x):
    return x.exp()


UNSUPPORTED = {
    r"GELU \(module '1'\)": nn.Sequential(nn.Linear(4, 4), nn.GELU()),
    r"Softmax \(module '1\.0'\)": nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Softmax(dim=1))),
    r"LayerNorm \(module '0'\)": nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 2)),
    r"LeakyReLU \(module '0'\): its slope": nn.Sequential(nn.LeakyReLU(-0.1)),
    r"BatchNorm1d \(module '0'\): without running": nn.Sequential(
        nn.BatchNorm1d(4, track_running_stats=False)
    ),
    "torch.fx cannot trace Lambda": Lambda(lambda x: x if x.sum() > 0 else -x),
    "operation 'exp'": Lambda(relu),
    "operation 'dropout': it is random": Lambda(lambda x: F.dropout(x, 0.5)),
    "operation 'mul': it multiplies": Lambda(lambda x: x * x),
    "operation 'truediv': it divides by": Lambda(lambda x: 1 / x),
    "operation 'mean': it mixes samples": Lambda(lambda x: x.mean(0)),
    "operation 'getattr'": Lambda(lambda x: x.T),
    "one tensor of logits": Lambda(lambda x: (x, x)),
    "broadcasting": Lambda(lambda x: x + x.unsqueeze(1)),
}


@pytest.mark.parametrize("message", UNSUPPORTED)
def test_what_is_not_supported_is_named(message):
    with pytest.raises(UnsupportedLayer, match=message):
        trace(UNSUPPORTED[message], (4,))


@pytest.mark.parametrize("options", [{"ceil_mode": True}, {"dilation": 2}])
def test_pooling_that_is_not_supported(options):
    with pytest.raises(UnsupportedLayer, match=r"MaxPool2d \(module '1'\): maximum pooling"):
        trace(*images(nn.MaxPool2d(2, **options)))


def standardized():
    return nn.Sequential(Standardize(0.5, 0.1), nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten())


@pytest.mark.slow
@pytest.mark.parametrize(("network", "shape"), [(standardized, (1, 4, 4)), (resnet18, (3, 2, 2))])
def test_it_follows_standardize(network, shape):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = network().eval()
        X = torch.rand(1, *shape)
    traced = trace(module, shape)
    values = {0: X.double().flatten().numpy()}
    for j, layer in enumerate(traced.layers, start=1):
        values[j] = layer(torch.from_numpy(_value(layer.inputs, values))).numpy()
    expected = module.double()(X.double()).detach().numpy()[0]
    np.testing.assert_allclose(_value(traced.output, values), expected, rtol=1e-6, atol=1e-9)


def _value(affine, values):
    return affine.bias + sum(matrix @ values[s] for s, matrix in affine.terms.items())
