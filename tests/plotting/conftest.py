"""Samples without chance, so that pictures and numbers are the same everywhere."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def samples():
    """A function of a number of groups: labels, predictions, distances, lower bounds, groups."""

    def make(n_groups):
        sizes = [20 + 37 * (i % 5) for i in range(n_groups)]
        groups = np.repeat([f"group {i}" for i in range(n_groups)], sizes)
        code, place = (
            np.repeat(np.arange(n_groups), sizes),
            np.concatenate(list(map(np.arange, sizes))),
        )
        share = (place * 0.618034) % 1  # spreads evenly, in no order
        y_true = place % 2
        y_pred = np.where((place + code) % 8 == 0, 1 - y_true, y_true)
        distance = -np.log(1 - share) * (1 + code / n_groups)
        distance[y_true != y_pred] = np.nan
        return y_true, y_pred, distance, distance * (0.5 + share / 2), groups

    return make


@pytest.fixture
def made():
    """Make the tables of an audit from the robustness and the size of groups a, b ..."""

    def make(rob, size, overall=0.5, **columns):
        names = list("abcdefgh")[: len(rob)]
        by_group = pd.DataFrame({"size": size, "robustness": rob, **columns}, index=names)
        by_group["vulnerable"] = by_group["robustness"] < overall
        return by_group, pd.DataFrame({"value": [overall]}, index=["Rob(f)"])

    return make
