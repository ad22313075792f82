"""The real CIFAR-10; test_download.py has the download of small files in its format."""

import numpy as np

from fetched import needs
from robfair.datasets import fetch_cifar10


@needs("cifar10.npz")
def test_cifar10():
    train = fetch_cifar10(split="train", download_if_missing=False)
    test = fetch_cifar10(split="test", download_if_missing=False)
    assert np.bincount(train.target).tolist() == [5000] * 10
    assert np.bincount(test.target).tolist() == [1000] * 10
    # Published statistics per channel, red first.
    mean = train.data.mean(axis=(0, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=5e-5)
    assert test.data.shape == (10_000, 3, 32, 32)
    assert [test.target_names[k] for k in test.target[:4]] == ["cat", "ship", "ship", "airplane"]
    inexact = np.unique(test.target[~test.exact], return_counts=True)
    assert dict(zip(*inexact, strict=True)) in ({}, {7: 1, 8: 19})
    assert train.exact.all()
