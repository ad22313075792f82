"""The real MNIST, CIFAR-10 and UTKFace, where ROBFAIR_DATA names a folder that holds them."""

import os
from pathlib import Path

import numpy as np
import pytest

from robfair.datasets import fetch_cifar10, fetch_mnist, fetch_utkface

HOME = os.environ.get("ROBFAIR_DATA")


def needs(name):
    there = HOME is not None and Path(HOME, name).is_file()
    return pytest.mark.skipif(not there, reason=f"ROBFAIR_DATA names no folder with {name}")


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


@pytest.mark.skipif(
    HOME is None or not Path(HOME, "utkface").is_dir(),
    reason="ROBFAIR_DATA names no folder with utkface",
)
def test_utkface(tmp_path):
    """The counts of equal files are those of md5sum; the others follow from names and sizes."""
    folder = Path(HOME, "utkface")
    faces = fetch_utkface(data_home=tmp_path, folder=folder, split="all")
    n_files = len([path for path in folder.iterdir() if path.suffix == ".jpg"])
    n_left_out = faces.n_malformed + faces.n_conflicting + faces.n_duplicates
    assert len(faces.target) == n_files - n_left_out == 23_055
    assert (faces.n_conflicting, faces.n_duplicates) == (531, 118)
    # Every race, with every class of age, on each side of the split.
    n_train = len(faces.target) - len(fetch_utkface(data_home=tmp_path, split="test").target)
    races = faces.sensitive_features["race"]
    for rows in (slice(n_train), slice(n_train, None)):
        assert len(set(zip(races[rows], faces.target[rows], strict=True))) == 25
