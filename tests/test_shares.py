"""Shares beyond a size, as a figure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from robfair._shares import plot_shares


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf, np.nan]), min_size=1, max_size=6))
def test_the_line_is_the_share_that_is_greater(values):
    values = np.array(values)
    ax = plot_shares({"a": values}, "size", ax=Figure().subplots(), caller="test")
    (line,) = ax.lines
    known = values[~np.isnan(values)]
    for x, share in zip(*line.get_data(), strict=True):
        assert share == pytest.approx((known > x).mean() if len(known) else 1.0)
    assert ax.get_legend() is None


def test_several_lines_are_named():
    ax = plot_shares({"a": np.ones(1), "b": np.ones(1)}, "size", ax=Figure().subplots(), caller="t")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_xlabel() == "size"
