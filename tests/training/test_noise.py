"""Random numbers by place: the same for a sample, whoever else is left out or attacked."""

import pickle

import pytest
import torch

from robfair.training import Noise

CPU = torch.device("cpu")
KEPT = torch.tensor([True, False, True, True, False])
ROWS = torch.tensor([False, True, True])  # of the three that are kept


@pytest.fixture(autouse=True)
def _isolated():
    with torch.random.fork_rng(devices=[]):
        yield


def noise_of_a_batch(kept=None, seed=3):
    noise = Noise(0)
    noise.begin_batch(seed, kept, CPU)
    return noise


@pytest.mark.parametrize("distribution", [torch.rand, torch.randn])
def test_each_place_has_its_numbers(distribution):
    X = torch.zeros(5, 2, 3)
    full = noise_of_a_batch().draw(distribution, X)
    assert full.shape == X.shape
    assert full.unique().numel() == X.numel()
    left = noise_of_a_batch(KEPT).draw(distribution, X[KEPT])
    assert torch.equal(left, full[KEPT])
    some = noise_of_a_batch(KEPT).draw(distribution, X[KEPT][ROWS], ROWS)
    assert torch.equal(some, full[KEPT][ROWS])
    rows = torch.tensor([False, True, False, True, True])
    assert torch.equal(noise_of_a_batch().draw(distribution, X[rows], rows), full[rows])


def test_a_batch_begins_anew_whatever_was_drawn_before():
    noise, X = Noise(0), torch.zeros(4, 2, dtype=torch.float64)
    noise.begin_batch(1, None, CPU)
    first = noise.draw(torch.rand, X)
    assert not torch.equal(noise.draw(torch.rand, X), first)
    noise.begin_batch(2, None, CPU)
    assert not torch.equal(noise.draw(torch.rand, X), first)
    noise.begin_batch(1, None, CPU)
    assert torch.equal(noise.draw(torch.rand, X), first)
    assert first.dtype == torch.float64


def test_dropout_begins_anew_too():
    masks = []
    for seed in (1, 2, 1):
        noise_of_a_batch(seed=seed)
        masks.append(torch.nn.functional.dropout(torch.ones(50)))
    assert torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[0], masks[1])


def test_it_pickles():
    noise = noise_of_a_batch()
    again = pickle.loads(pickle.dumps(noise))
    X = torch.zeros(3, 2)
    assert torch.equal(noise.draw(torch.rand, X), again.draw(torch.rand, X))
