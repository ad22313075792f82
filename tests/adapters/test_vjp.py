"""Gradients by hand: those of autograd to the last bit, and only where that is sure."""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from robfair.adapters import as_logits, autograd_vjp, forward_vjp
from robfair.models import Standardize, adult_network, lenet5, tabular_network


def is_by_hand(module):
    """No graph is built: the weights' gradients could not be asked for."""
    with pytest.MonkeyPatch.context() as patch:
        seen, call = [], nn.Module.__call__
        patch.setattr(nn.Module, "__call__", lambda *args: [seen.append(1), call(*args)][1])
        forward_vjp(module)(torch.zeros(2, 3, dtype=next(module.parameters()).dtype))
    return not seen


def check(module, X, weights):
    ours, vjp = forward_vjp(module)(X)
    theirs, by_graph = autograd_vjp(module)(X)
    assert torch.equal(ours, theirs)
    gradient = vjp(weights)
    assert torch.equal(gradient, by_graph(weights))
    assert gradient.shape == X.shape
    assert not ours.requires_grad
    assert not gradient.requires_grad
    assert all(p.grad is None for p in module.parameters())


@given(
    seed=st.integers(0, 2**31),
    widths=st.lists(st.integers(2, 20), max_size=3),  # autograd has another kernel for one neuron
    activation=st.sampled_from([nn.ReLU, nn.Tanh, nn.Identity]),
    n=st.integers(1, 40),
    scaled=st.booleans(),
    double=st.booleans(),
)
def test_dense_networks(seed, widths, activation, n, scaled, double):
    torch.manual_seed(seed)
    module = tabular_network(3, 4, widths, activation=activation)
    if scaled:
        module = nn.Sequential(Standardize([1.0, 2.0, 3.0], [0.5, 1.0, 2.0]), *module)
    X, weights = torch.randn(n, 3), torch.randn(n, 4)
    if double:
        module, X, weights = module.double(), X.double(), weights.double()
    check(module.eval(), X, weights)


def test_kinks_and_zeros():
    """At a kink both take the derivative 0."""
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Linear(3, 2)).eval()
    check(module, torch.zeros(4, 3), torch.ones(4, 2))


def test_images_that_are_flattened():
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 2)).eval()
    check(module, torch.randn(6, 1, 3, 4), torch.randn(6, 2))


@pytest.mark.parametrize("make", [lambda: adult_network(3), lambda: tabular_network(3, 2, [])])
def test_robfairs_own_are_by_hand(make):
    assert is_by_hand(make().eval())


def test_weights_that_change_are_seen():
    module = tabular_network(3, 2, [4]).eval()
    found, X = forward_vjp(module), torch.randn(5, 3)
    before, _ = found(X)
    with torch.no_grad():
        module[0].weight.add_(1)
    after, vjp = found(X)
    assert not torch.equal(before, after)
    assert torch.equal(vjp(torch.ones(5, 2)), autograd_vjp(module)(X)[1](torch.ones(5, 2)))


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Own(nn.Sequential):
    def forward(self, x):
        return -super().forward(x)


def hooked(register):
    module = tabular_network(3, 2, [4])
    getattr(module[0], register)(lambda *_: None)
    return module


def patched():
    module = tabular_network(3, 2, [4])
    module.forward = lambda x: module[2](x.repeat(1, 2)[:, :4])
    return module


OTHERS = {
    "a layer of one's own": lambda: nn.Sequential(Doubled(3, 4), nn.ReLU(), nn.Linear(4, 2)),
    "a sequence of one's own": lambda: Own(nn.Linear(3, 2)),
    "dropout": lambda: nn.Sequential(nn.Dropout(), nn.Linear(3, 2)),
    "batch normalisation": lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)),
    "parametrised": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Linear(4, 2)
    ),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.GELU()), nn.Linear(4, 2)),
    "a forward hook": lambda: hooked("register_forward_hook"),
    "a hook before": lambda: hooked("register_forward_pre_hook"),
    "a backward hook": lambda: hooked("register_full_backward_hook"),
    "a patched forward": patched,
    "an activation at the end": lambda: nn.Sequential(nn.Linear(3, 2), nn.Tanh()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_goes_through_autograd(name):
    module = OTHERS[name]().eval()
    assert name == "a patched forward" or not is_by_hand(module)
    X, weights = torch.randn(5, 3), torch.randn(5, 2)
    logits, vjp = forward_vjp(module)(X)
    assert torch.equal(logits, module(X).detach())
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(x), x, weights)
    assert torch.equal(vjp(weights), gradient)


def test_convolutions():
    module = lenet5().eval()
    check(module, torch.rand(3, 1, 28, 28), torch.randn(3, 10))


def test_named_layers():
    module = nn.Sequential(OrderedDict(first=nn.Linear(3, 4), act=nn.ReLU(), last=nn.Linear(4, 2)))
    assert is_by_hand(module.eval())


def test_one_output_is_two_logits():
    """What the module returns is not what is attacked."""
    module = nn.Sequential(nn.Linear(3, 1)).eval()
    X = torch.randn(4, 3)
    with as_logits(module).forward_vjp((3,)) as found:
        logits, vjp = found(X)
    assert torch.equal(logits[:, 0], torch.zeros(4))
    assert torch.equal(logits[:, 1:], module(X).detach())
    gradient = vjp(torch.tensor([[0.0, 1.0]] * 4))
    assert torch.equal(gradient, module[0].weight.detach().expand(4, 3))


def test_a_classifiers_logits():
    module = tabular_network(3, 2, [4])
    X, weights = torch.randn(5, 3), torch.randn(5, 2)
    with as_logits(module).forward_vjp((3,)) as found:
        logits, vjp = found(X)
        assert torch.equal(logits, module(X).detach())
        assert torch.equal(vjp(weights), autograd_vjp(module)(X)[1](weights))
