"""Noise that belongs to a seed and a row."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from robfair.distance.gradient._noise import WINDOWS, NoiseSource, row_keys


def rows(n=50, d=6, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)))


ONE = torch.ones(6)


def test_keys_follow_rows_whatever_their_order_or_units():
    x = rows()
    keys = row_keys(x, ONE)
    assert len(keys.unique()) == len(x)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    assert_array_equal(row_keys(x[order], ONE), keys[order])
    assert_array_equal(row_keys(x[3:5], ONE), keys[3:5])
    units = torch.tensor([1e-20, 0.3, 1, 100, 128, 1e9])
    assert_array_equal(row_keys(x * units, units), keys)
    assert (row_keys(x * 3, ONE) != keys).all()


def test_keys_tell_rows_of_small_integers_apart():
    x = torch.cartesian_prod(*[torch.arange(5.0)] * 4)
    assert len(row_keys(x, torch.full((4,), 4.0)).unique()) == len(x)
    assert_array_equal(row_keys(-0.0 * x, torch.ones(4)), row_keys(0.0 * x, torch.ones(4)))


def test_noise_is_gaussian_and_of_length_one_in_what_can_move():
    x, mask = rows(400, 40), torch.arange(40) < 30
    noise = NoiseSource.drawn(0, torch.ones(40).double(), mask).of(x).at(3)
    assert (noise[:, 30:] == 0).all()
    assert float(noise.norm(dim=1).mean()) == pytest.approx(1, rel=0.02)
    values = noise[:, :30].flatten() * 30**0.5
    assert float(values.mean()) == pytest.approx(0, abs=0.05)
    assert float((values**4).mean()) == pytest.approx(3, rel=0.1)


def test_noise_differs_by_seed_row_step_and_place_and_by_nothing_else():
    x = rows()
    source = NoiseSource.drawn(0, ONE.double(), None)
    noise, everyone, some = source.of(x), torch.arange(len(x)), torch.tensor([4, 2])
    assert_array_equal(noise.of(some, 1).at(2), noise.of(everyone, 1).at(2)[some])
    base = noise.of(everyone, 1).at(2)
    others = (
        noise.of(everyone, 2).at(2),
        noise.of(everyone, -1).at(2),
        noise.of(everyone, 1).at(3),
        NoiseSource.drawn(1, ONE.double(), None).of(x).of(everyone, 1).at(2),
    )
    for other in others:
        assert abs(np.corrcoef(base.flatten(), other.flatten())[0, 1]) < 0.2
    assert len(source.stream) == WINDOWS + x.shape[1]
