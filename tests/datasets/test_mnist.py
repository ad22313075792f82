"""The real MNIST; test_download.py has the download of small files in its format."""

import numpy as np
import pytest

from fetched import needs
from robfair.datasets import fetch_mnist


@needs("mnist.npz")
def test_mnist():
    """The counts are those of the authors' page."""
    train = fetch_mnist(split="train", download_if_missing=False)
    test = fetch_mnist(split="test", download_if_missing=False)
    assert np.bincount(train.target).tolist() == [
        *(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    ]
    assert np.bincount(test.target).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    # Published statistics, which everybody's transforms use.
    assert train.data.mean() == pytest.approx(0.1307, abs=5e-5)
    assert train.data.std(dtype=np.float64) == pytest.approx(0.3081, abs=5e-5)
    assert test.data.shape == (10_000, 1, 28, 28)
    assert test.target[:5].tolist() == [7, 2, 1, 0, 4]
