"""Points that are predicted once more: which try is taken, and what counts as rounding."""

import pytest
import torch
from torch import nn

from robfair._confirm import beyond_rounding, confirm, outwards, rounding

STEPS = (1.0, 2.0, 3.0)


def test_the_first_sure_try_is_taken_then_the_first_flipped_one():
    # Flipped from, and flipped beyond rounding from, these steps on.
    flipped_from = torch.tensor([1.0, 1.0, 2.0, 9.0])
    sure_from = torch.tensor([1.0, 3.0, 9.0, 9.0])
    asked = []

    def attempt(rows, step):
        asked.append(rows.tolist())
        tried = torch.stack([rows.double(), torch.full((len(rows),), step).double()], dim=1)
        return tried, step >= flipped_from[rows], step >= sure_from[rows]

    points = confirm(torch.zeros(4, 2).double(), STEPS, attempt)
    assert points[:3].tolist() == [[0, 1], [1, 3], [2, 2]]
    assert points[3].isnan().all()
    assert asked == [[0, 1, 2, 3], [1, 2, 3], [1, 2, 3]]
    farther = confirm(torch.zeros(4, 2).double(), STEPS, attempt, last_resort=(8.0, 9.0, 10.0))
    assert farther.tolist() == [[0, 1], [1, 3], [2, 2], [3, 9]]
    assert asked[-2:] == [[3], [3]]


def test_no_try_is_made_for_no_rows():
    def attempt(rows, step):
        raise AssertionError

    assert confirm(torch.zeros(0, 2), STEPS, attempt).shape == (0, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_order_of_a_sum_is_within_rounding(dtype):
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(500, 3).to(dtype).requires_grad_(False)
    layer.weight.normal_(generator=generator)
    x = torch.randn(200, 500, generator=generator, dtype=dtype)
    order = torch.randperm(500, generator=generator)
    logits = layer(x)
    other = nn.functional.linear(x[:, order], layer.weight[:, order], layer.bias)
    change = (logits - other).abs().amax(dim=1)
    assert (change > 0).any()
    assert (2 * change < rounding(logits, dtype)).all()
    assert (rounding(logits, dtype) < 1e4 * torch.finfo(dtype).eps * logits.abs().amax()).all()


def test_beyond_rounding_is_relative_to_the_logits():
    eps = torch.finfo(torch.float32).eps
    logits = torch.tensor([[1.0, -1e3], [1.0, -1e3], [1.0, 0.5]])
    margin = torch.tensor([-31e3 * eps, -33e3 * eps, -33 * eps])
    assert beyond_rounding(margin, logits, torch.float32).tolist() == [False, True, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_outwards_grow_from_above_rounding(dtype):
    first, second, third = outwards(dtype)
    assert torch.finfo(dtype).eps * 32 < first < second < third < 0.02
