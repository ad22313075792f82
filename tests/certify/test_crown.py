"""Linear bounds against autograd, linear programming by hand, and points of the ball."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from balls import points_of, random_ball
from oracles import linear_layer, network
from robfair.certify._ball import BoxedBall
from robfair.certify._crown import Crown
from robfair.certify._lipschitz import lipschitz
from robfair.certify._trace import trace

NORMS = [2, np.inf]
SEEDS = st.integers(0, 2**32 - 1)
CPU = torch.device("cpu")


AFFINE = {
    "dense": (nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3)), (6,)),
    "image": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
            nn.BatchNorm2d(4),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
        ),
        (2, 8, 8),
    ),
}


@pytest.mark.parametrize("name", AFFINE)
def test_affine_rows_are_the_jacobian(name):
    module, shape = AFFINE[name]
    module = module.double().eval()
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).double()
    jacobian = torch.autograd.functional.jacobian(module, x[:1])[0, :, 0].flatten(1)
    expected = module(x) - 0.7 * jacobian.norm(dim=1)
    ball = BoxedBall(x.flatten(1).T, torch.full((2,), 0.7, dtype=torch.float64), 2)
    rows = torch.eye(3).double()[:, None].expand(3, 2, 3)
    found = Crown(trace(module, shape), CPU).margins(ball, [], rows)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-12)


def residual(rng):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = linear_layer(rng.normal(size=(4, 4)), rng.normal(size=4))
            self.b = linear_layer(rng.normal(size=(3, 4)), rng.normal(size=3))

        def forward(self, x):
            return self.b(torch.tanh(x + torch.relu(self.a(x))))

    return Residual(), (4,)


def convolutional(*layers):
    def build(rng):
        module = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), *layers, nn.Flatten(), nn.LazyLinear(4), nn.ReLU()
        )
        module = nn.Sequential(*module, nn.Linear(4, 3)).double()
        module(torch.zeros(1, 1, 5, 5).double())
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(torch.from_numpy(rng.normal(size=parameter.shape)))
        return module, (1, 5, 5)

    return build


def dense(activation):
    return lambda rng: (network([4, 5, 5, 3], activation, seed=int(rng.integers(2**31))), (4,))


NETWORKS = {
    "relu": dense(nn.ReLU),
    "leaky": dense(lambda: nn.LeakyReLU(0.3)),
    "tanh": dense(nn.Tanh),
    "sigmoid": dense(nn.Sigmoid),
    "residual": residual,
    "max": convolutional(nn.ReLU(), nn.MaxPool2d(2)),
    "overlap": convolutional(nn.MaxPool2d(3, 1, padding=1), nn.Tanh()),
    "average": convolutional(nn.BatchNorm2d(2).eval(), nn.LeakyReLU(), nn.AvgPool2d(2)),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("name", NETWORKS)
@given(seed=SEEDS, norm=st.sampled_from(NORMS), limits=st.booleans())
@settings(max_examples=8, deadline=None)
def test_bounds_hold_in_the_ball(name, seed, norm, limits):
    rng = np.random.default_rng(seed)
    module, shape = NETWORKS[name](rng)
    net = trace(module, shape)
    crown = Crown(net, CPU)
    ball = random_ball(rng, int(np.prod(shape)), 2, norm, limits)
    bounds = crown.intermediate(ball)
    rows = torch.from_numpy(rng.normal(size=(3, 2, 4)))
    least = crown.margins(ball, bounds, rows)

    points = points_of(ball, rng, 60)
    values = [points.flatten(1)]
    for layer, bound in zip(net.layers, bounds, strict=True):
        low, high = bound.low, bound.high
        z = crown._value(layer.inputs, values)
        inside = z.reshape(len(z), -1, 2)
        assert (inside >= low[:, None] - 1e-9 * (1 + low[:, None].abs())).all()
        assert (inside <= high[:, None] + 1e-9 * (1 + high[:, None].abs())).all()
        values.append(layer(z))
    logits = module(points.flatten(1).T.reshape(-1, *shape)).detach()
    reached = torch.einsum("pbk,kbm->pbm", logits.reshape(-1, 2, 3), rows)
    assert (reached >= least - 1e-9 * (1 + least.abs())).all()


def test_small_parts_give_the_same(monkeypatch):
    module = network([4, 30, 30, 3], nn.ReLU)
    crown = Crown(trace(module, (4,)), CPU)
    ball = random_ball(np.random.default_rng(0), 4, 9, 2, True)
    whole = crown.intermediate(ball)
    monkeypatch.setattr("robfair.certify._crown.BUDGET", 10)
    for bound, other in zip(whole, crown.intermediate(ball), strict=True):
        torch.testing.assert_close((bound.low, bound.high), (other.low, other.high))


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("name", NETWORKS)
def test_lipschitz_constants_hold(name):
    rng = np.random.default_rng(0)
    module, shape = NETWORKS[name](rng)
    net, size = trace(module, shape), int(np.prod(shape))
    x = torch.from_numpy(rng.normal(size=(size, 500)))
    other = x + torch.from_numpy(rng.normal(size=x.shape) * rng.exponential(0.1, 500))
    crown = Crown(net, CPU)
    values, others = [x], [other]
    for layer, constant in zip(net.layers, lipschitz(net, size), strict=True):
        z, w = (crown._value(layer.inputs, v) for v in (values, others))
        assert ((z - w).norm(dim=0) <= constant * (x - other).norm(dim=0) * (1 + 1e-9)).all()
        values.append(layer(z))
        others.append(layer(w))
    first = net.layers[0].inputs.terms[0].toarray()
    assert lipschitz(net, size)[0] == pytest.approx(np.linalg.norm(first, 2), rel=1e-6)
    with patch("robfair.certify._lipschitz.LARGEST", 1):
        assert lipschitz(net, size) == [np.inf] * len(net.layers)


def test_what_neurons_lose_together_is_less():
    module = network([20, 60, 3], nn.ReLU, seed=3)
    ball = BoxedBall(torch.zeros(20, 1).double(), torch.ones(1).double(), 2)
    rows = torch.tensor([1.0, -1.0, 0.0]).double()[:, None, None]
    crown = Crown(trace(module, (20,)), CPU)
    crown.patches = True  # as for convolutions
    together = crown.margins(ball, crown.intermediate(ball), rows)
    crown.patches = False
    alone = crown.margins(ball, crown.intermediate(ball), rows)
    assert together > alone + 0.01 * alone.abs()
