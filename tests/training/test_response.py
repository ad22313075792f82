"""The first-order response, against steps that are really made."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from robfair.training._response import first_order_response, mean_response


def after(module, optimizer, x, noise, coefficient, n_steps):
    """A value after some steps by it and by gradients of mean 0."""
    module, state = copy.deepcopy(module), optimizer.state_dict()
    optimizer = type(optimizer)(module.parameters(), lr=0.0)
    optimizer.load_state_dict(copy.deepcopy(state))
    for step in range(n_steps):
        optimizer.zero_grad()
        sign = 1 if step % 2 else -1
        loss = sign * module(noise).sum() - coefficient * module(x).mean()
        loss.backward()
        optimizer.step()
    return module(x).mean().item()


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rmsprop"])
def test_response(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, x, noise = nn.Linear(5, 1), torch.randn(9, 5), torch.randn(3, 5)
    make = {
        "sgd": lambda p: torch.optim.SGD(p, lr=1e-3),
        "momentum": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.8),
        "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-3),
    }
    optimizer = make[name](module.parameters())
    for step in range(600):  # so that mean squares are those of the noise
        optimizer.zero_grad()
        ((1 if step % 2 else -1) * module(noise).sum()).backward()
        optimizer.step()
    value = module(x).mean()
    (response,) = first_order_response([value], optimizer, n_steps=200)
    small = 1e-2
    ends = [after(module, optimizer, x, noise, c, 200) for c in (small, 0.0)]
    assert (ends[0] - ends[1]) / small == pytest.approx(response, rel=0.05)


def test_before_the_first_step():
    module = nn.Linear(2, 1, bias=False)
    x = torch.tensor([[3.0, -4.0]])
    adam = torch.optim.Adam(module.parameters(), lr=0.1)
    (response,) = first_order_response([module(x).sum()], adam, n_steps=1)
    assert response == pytest.approx(0.7)  # lr times the sum of |gradient|


def test_mean_of_the_responses_of_groups():
    """By hand: steps of SGD on multiples of one weight, each group by its share of a batch."""
    weight = nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    values, share = [2 * weight, 3 * weight], np.array([0.25, 0.75])
    found = mean_response(values, share, optimizer, n_steps=5)
    assert found == pytest.approx(0.1 * 5 * (4 * 0.25 * 9 * 0.75) ** 0.5)
    silent = mean_response([2 * weight, 0 * weight], share, optimizer, n_steps=5)
    assert silent == pytest.approx((0.1 * 5 * 4 * 0.25 * 1e-9) ** 0.5)


def test_other_parameters_and_other_groups_of_parameters():
    """By hand, with SGD: each group has its rate, and what a value does not depend on adds 0."""
    one, two, unused = (nn.Parameter(torch.tensor(1.0)) for _ in range(3))
    optimizer = torch.optim.SGD(
        [{"params": [one, unused], "lr": 0.1}, {"params": [two], "lr": 0.01, "momentum": 0.5}]
    )
    found = first_order_response([2 * one + 3 * two, 4 * two], optimizer, n_steps=10)
    assert found == pytest.approx([10 * (0.1 * 4 + 0.01 * 2 * 9), 10 * 0.01 * 2 * 16])


@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.RMSprop])
def test_the_eps_of_the_optimiser(make, stepped):
    """A weight whose gradient is 2, with a mean square of 4 once there has been a step."""
    weight = nn.Parameter(torch.tensor(1.0))
    optimizer = make([weight], lr=0.1, eps=0.5)
    if stepped:
        for _ in range(2000):  # so that RMSprop's mean has come to its end
            optimizer.zero_grad()
            (2 * weight).backward()
            optimizer.step()
    (response,) = first_order_response([2 * weight], optimizer, n_steps=1)
    assert response == pytest.approx(0.1 * 4 / 2.5, rel=1e-5)


def test_an_optimiser_without_momentum():
    weight = nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.Adagrad([weight], lr=0.1)
    assert first_order_response([3 * weight], optimizer, n_steps=2) == pytest.approx([0.2 * 9])
