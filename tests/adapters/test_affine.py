"""affine_map against the module itself."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from oracles import network
from robfair import boundary_distance
from robfair.adapters import affine_map, evaluation_mode


def batch_norm(n, affine=True):
    layer = nn.BatchNorm1d(n, affine=affine).double()
    generator = torch.Generator().manual_seed(n)
    for tensor in (layer.running_mean, layer.running_var, layer.weight, layer.bias):
        if tensor is not None:
            tensor.data.uniform_(0.5, 2, generator=generator)
    return layer


AFFINE = [
    network([6, 3]),
    nn.Linear(6, 3, bias=False).double(),
    network([6, 5, 4, 3], nn.Identity),
    nn.Sequential(network([6, 5]), nn.Dropout(0.9), nn.Sequential(batch_norm(5), network([5, 3]))),
    nn.Sequential(batch_norm(6, affine=False), nn.Linear(6, 1).double()),
]


@pytest.mark.parametrize("module", AFFINE)
def test_affine_map_is_the_module(module):
    data = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weight, bias = affine_map(module)
    with evaluation_mode(module), torch.no_grad():
        assert_allclose(data @ weight.T + bias, module(data), rtol=1e-12, atol=1e-12)
    found = affine_map(nn.Sequential(nn.Flatten(), module))
    assert_array_equal(found[0], weight)


class Bent(nn.Linear):
    """A subclass of nn.Linear that is not affine."""

    def forward(self, data):
        return super().forward(data).tanh()


@pytest.mark.parametrize(
    "module",
    [
        network([6, 5, 3], nn.ReLU),
        nn.ReLU(),
        nn.Flatten(),
        nn.Sequential(nn.Flatten(0), nn.Linear(6, 3)),
        nn.Sequential(nn.BatchNorm1d(6, track_running_stats=False), nn.Linear(6, 3)),
        nn.Sequential(nn.Conv1d(1, 1, 1), nn.Flatten(), nn.Linear(6, 3)),
        Bent(6, 3),
    ],
)
def test_affine_map_of_other_modules_is_none(module):
    assert affine_map(module) is None


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(5, 1), nn.Flatten()),
        nn.Sequential(nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(15, 3)),
    ],
    ids=["Linear along the last axis", "BatchNorm1d of channels"],
)
def test_layers_that_act_along_one_axis_are_no_matrices(module):
    data = np.random.default_rng(0).normal(size=(8, 3, 5))
    result = boundary_distance(module, data)
    assert set(result.status) <= {"found", "exact"}
