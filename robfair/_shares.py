"""Axes for a figure, and the figure of results below the displays: shares beyond a size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._optional_dependencies import check_matplotlib_support

__all__ = ["axes_for", "plot_shares"]


def axes_for(ax: Any, caller: str, figsize: tuple[float, float] | None = None) -> Any:
    """Return `ax`, or those of a new figure."""
    check_matplotlib_support(caller)  # matplotlib is optional: this says how to install it
    if ax is None:
        import matplotlib.pyplot as plt  # late: it chooses a backend

        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def plot_shares(
    values: Mapping[str, NDArray[np.float64]], xlabel: str, *, ax: Any, caller: str
) -> Any:
    """Draw, for each array, the share of its values that is greater than x; return the axes.

    An infinite value is greater than all that is drawn; NaN is left out.
    """
    ax = axes_for(ax, caller, (6.4, 3.8))
    finite = np.concatenate([each[np.isfinite(each)] for each in values.values()])
    end = float(finite.max(initial=0.0)) or 1.0
    for name, each in values.items():
        known = each[~np.isnan(each)]
        x = np.unique(np.append(known[np.isfinite(known)], [0.0, end]))
        share = 1 - np.searchsorted(np.sort(known), x, side="right") / max(len(known), 1)
        ax.step(x, share, where="post", label=name)
    ax.set(xlabel=xlabel, ylabel="share that is greater", xlim=(0, end), ylim=(0, 1.02))
    if len(values) > 1:
        ax.legend(fontsize="small")
    return ax
