"""Batches keep rows together, and a sample of weight 0 keeps the places of the others."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.dataset import Dataset

from robfair.training import Noise, TensorBatches

CPU = torch.device("cpu")


@pytest.mark.parametrize(("n", "batch_size", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4])])
def test_batches_keep_rows_together(n, batch_size, sizes):
    inputs = {"X": np.arange(n, dtype=np.float32)[:, None], "groups": np.arange(n) * 10}
    batches = TensorBatches(
        Dataset(inputs, np.arange(n) * 100), batch_size, torch.Generator(), Noise(0), CPU
    )
    assert len(batches) == len(sizes)
    orders = []
    for _ in range(2):
        found = list(batches)
        assert [len(y) for _, y in found] == sizes
        X = torch.cat([inputs["X"][:, 0] for inputs, _ in found])
        assert torch.equal(torch.cat([i["groups"] for i, _ in found]), X.long() * 10)
        assert torch.equal(torch.cat([y for _, y in found]), X.long() * 100)
        assert sorted(X.tolist()) == list(range(n))
        orders.append(X.tolist())
    assert orders[0] != orders[1]
    assert orders[0] != list(range(n))


def batches(n, batch_size, weight=None):
    """Three epochs of batches: the rows of each, its random numbers and its weights."""
    inputs = {"X": np.arange(n, dtype=np.float32)[:, None], "groups": np.arange(n)}
    if weight is not None:
        inputs["weight"] = np.asarray(weight, dtype=np.float32)
    noise = Noise(0)
    iterator = TensorBatches(
        Dataset(inputs, np.arange(n)), batch_size, torch.Generator().manual_seed(4), noise, CPU
    )
    with torch.random.fork_rng(devices=[]):
        return [
            [(y.tolist(), noise.draw(torch.rand, i["X"]), i.get("weight")) for i, y in iterator]
            for _ in range(3)
        ]


@pytest.mark.parametrize("batch_size", [1, 4, 7, 50])
@pytest.mark.parametrize("left_out", [[0], [9], [2, 3, 4, 5], range(1, 10)])
def test_leaving_out_keeps_order_batches_and_noise_of_the_others(batch_size, left_out):
    every = batches(10, batch_size)
    some = batches(10, batch_size, ~np.isin(np.arange(10), left_out))
    for epoch, found in zip(every, some, strict=True):
        expected = []
        for rows, noise, _ in epoch:
            kept = ~np.isin(rows, left_out)
            if kept.any():
                expected.append((np.array(rows)[kept].tolist(), noise[torch.from_numpy(kept)]))
        assert [rows for rows, _, _ in found] == [rows for rows, _ in expected]
        for (_, noise, weight), (_, other) in zip(found, expected, strict=True):
            assert torch.equal(noise, other)
            assert weight is None  # all that are left weigh the same: a plain mean


def test_weights_stay_with_their_samples():
    weight = np.array([1.0, 0.25, 0.0, 0.5, 0.125])
    for epoch in batches(5, 2, weight):
        for rows, _, found in epoch:
            assert_allclose(found, weight[rows])
    assert all(found is None for epoch in batches(5, 2, np.full(5, 0.3)) for _, _, found in epoch)


def test_groups_are_sampled_by_their_shares():
    groups = np.repeat([0, 1, 2], [2_000, 200, 800])
    batches = TensorBatches(
        Dataset({"X": np.arange(3_000)[:, None], "groups": groups}, groups),
        64, torch.Generator().manual_seed(0), Noise(0), CPU,
    )  # fmt: skip
    batches.sampling = torch.tensor([1.0, 3.0, 0.0])
    with torch.random.fork_rng(devices=[]):
        found = [(batches.rows, y) for _, y in batches]
    rows, y = (torch.cat(parts) for parts in zip(*found, strict=True))
    assert len(y) == 3_000
    assert np.array_equal(groups[rows], y)
    shares = torch.bincount(y, minlength=3) / 3_000
    assert_allclose(shares, [0.25, 0.75, 0], atol=4 * (0.25 * 0.75 / 3_000) ** 0.5)
    times = torch.bincount(rows, minlength=3_000)[2_000:2_200]  # alike inside the group
    assert abs(times.float().var() / times.float().mean() - 1) < 0.5  # Poisson, nearly
