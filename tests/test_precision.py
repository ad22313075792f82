import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from robfair import NaturalClassifier, boundary_distance
from robfair._precision import warn_of_rounding

NOISE = np.random.default_rng(0).normal(size=(300, 2))
STAMPS = 1.7e9 + NOISE  # in seconds; float32 keeps steps of 128
LABELS = (NOISE[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    ("X", "named"),
    [
        (STAMPS, "0, 1"),
        (pd.DataFrame({"time": STAMPS[:, 0], "x": NOISE[:, 0]}), "'time'"),
        (np.c_[NOISE, 2**24 + np.arange(300) % 3], "2"),  # whole numbers beyond 2**24
        ((STAMPS[:, :1] * 1000).astype(np.int64).tolist(), "0"),
        (1e6 + 1e-2 * NOISE.reshape(-1, 2, 1), "0, 1"),
    ],
)
def test_values_that_collapse(X, named):
    with pytest.warns(UserWarning, match=rf"float32, which rounds .*: {named}\. Around"):
        warn_of_rounding(X, np.float32)


@pytest.mark.parametrize(
    "X",
    [
        NOISE,
        NOISE + 1e3,
        NOISE * 1e30,
        np.where(np.arange(300)[:, None] < 299, NOISE, 1e12),  # one row far out
        np.full((300, 1), 1.7e9 + 1),  # a constant tells nothing apart
        1.7e9 + 3e6 * NOISE,  # a year: 128 seconds are nothing
        STAMPS.astype(np.float32),  # lost before
        [[True, False], [False, True]],
    ],
)
def test_values_that_are_kept(X):
    warn_of_rounding(X, np.float32)


def test_float64_keeps_them():
    warn_of_rounding(STAMPS, np.float64)


def test_fit_and_distances_of_a_network_warn():
    with pytest.warns(UserWarning, match="rounds features"):
        NaturalClassifier(max_epochs=1, random_state=0).fit(STAMPS, LABELS)
    module = nn.Sequential(nn.Linear(2, 2))
    with pytest.warns(UserWarning, match="rounds features"), torch.no_grad():
        boundary_distance(module, STAMPS[:5], method="deepfool")
    boundary_distance(module.double(), STAMPS[:5], method="deepfool", max_iter=1)
