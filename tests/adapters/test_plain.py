"""is_plain: what changes the pass of a module, and what changes its weights alone."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from robfair.adapters import is_plain


class Bent(nn.Linear):
    def forward(self, data):
        return super().forward(data).tanh()


class Called(nn.Linear):
    def __call__(self, data):
        return 2 * super().__call__(data)


class Renamed(nn.Linear):
    """A subclass that computes what its base does."""


class Halved(prune.BasePruningMethod):
    """A hook of a pruning that changes the pass, too."""

    PRUNING_TYPE = "global"

    def compute_mask(self, t, default_mask):
        return default_mask

    def __call__(self, module, inputs):
        super().__call__(module, inputs)
        return (inputs[0] / 2,)


def hooked(kind):
    layer = nn.Linear(3, 2)
    getattr(layer, kind)(lambda *args: None)
    return layer


def patched():
    layer = nn.Linear(3, 2)
    layer.forward = lambda data: data
    return layer


def halved():
    layer = nn.Linear(3, 2)
    Halved.apply(layer, "weight")
    return layer


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(3, 2),
        Renamed(3, 2),
        prune.l1_unstructured(nn.Linear(3, 2), "weight", 0.5),
        parametrizations.weight_norm(nn.Linear(3, 2)),
        nn.utils.spectral_norm(nn.Linear(3, 2)),
    ],
)
def test_plain(module):
    assert is_plain(module, nn.ReLU, nn.Linear)
    assert not is_plain(module, nn.ReLU)


def test_a_parametrised_layer_is_plain():
    layer = nn.Linear(3, 2)
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert is_plain(layer, nn.Linear)


@pytest.mark.parametrize(
    "module",
    [
        Bent(3, 2),
        Called(3, 2),
        hooked("register_forward_hook"),
        hooked("register_forward_pre_hook"),
        patched(),
        halved(),
    ],
)
def test_not_plain(module):
    assert not is_plain(module, nn.Linear)


@pytest.mark.parametrize(
    "register",
    [
        nn.modules.module.register_module_forward_hook,
        nn.modules.module.register_module_forward_pre_hook,
    ],
)
def test_no_module_is_plain_under_a_global_hook(register):
    handle = register(lambda module, args, *out: torch.zeros(()) if out else None)
    try:
        assert not is_plain(nn.Linear(3, 2), nn.Linear)
    finally:
        handle.remove()
    assert is_plain(nn.Linear(3, 2), nn.Linear)
