"""Sums and blends of weights."""

import torch
from torch import nn

from robfair.training._blend import add, blend


def test_a_blend_of_a_mean_and_the_beginning():
    """By hand; counts of batch normalisation stay integers."""
    module = nn.BatchNorm1d(1)
    begin = {name: value.clone() for name, value in module.state_dict().items()}
    sums = None
    for weight, count in ((2.0, 4), (4.0, 8)):
        module.weight.data.fill_(weight)
        module.num_batches_tracked.fill_(count)
        sums = add(sums, module)
    mean = {name: total / 2 for name, total in sums.items()}
    found = blend(mean, begin, 0.5)
    assert found["weight"].item() == 0.5 * 3 + 0.5 * 1
    assert found["weight"].dtype == torch.float32
    assert found["num_batches_tracked"].dtype == torch.int64
    assert found["num_batches_tracked"].item() == 3
