"""Dot plots with a row for each group, which two displays share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._groups import SMALL_GROUP
from robfair.plotting._style import add_legend, text

__all__ = ["Kind", "draw_dots", "figsize"]

WIDTH, FIXED, ROW = 8.0, 1.3, 0.28  # inches


@dataclass(frozen=True)
class Kind:
    """A kind of dot: its legend entry, colour, marker and rows."""

    label: str
    colour: str
    marker: str
    rows: NDArray[np.bool_]


def figsize(n: int) -> tuple[float, float]:
    """Return width and height in inches that n rows need."""
    return WIDTH, FIXED + ROW * max(n, 3)  # the legend needs three rows


def draw_dots(ax: Any, table: pd.DataFrame, kinds: list[Kind], interval: str) -> list[Any]:
    """Draw a row for each group, the first one on top, and return the dots.

    The columns of `table` are value and size, and optionally lower and upper (for sampling,
    named by `interval`), low and high (certified). Dots come by kind, those of small groups last.
    """
    at = np.arange(len(table))
    names = [f"{text(g)} (n={size:,})" for g, size in table["size"].items()]
    ax.set_yticks(at, names)
    ax.set_ylim(len(table) - 0.4, -0.6)  # upside down: the first row is on top
    ax.grid(alpha=0.25)
    ax.set_axisbelow(True)
    if "low" in table:
        _certified(ax, at, table)
    if "lower" in table and table["lower"].notna().any():
        ends = table[["lower", "upper"]].to_numpy(float)
        ax.hlines(at, *ends.T, color="0.2", linewidth=1, label=interval)
        ax.plot(ends, at, "|", color="0.2", markersize=6)
    # Drawn hollow, since their intervals are too narrow, as an audit warns.
    small = (table["size"] < SMALL_GROUP).to_numpy()
    values, dots = table["value"].to_numpy(float), []
    for kind in kinds:
        for hollow in (False, True):
            rows = kind.rows & (small == hollow)
            if rows.any():
                dots += ax.plot(values[rows], at[rows], kind.marker, color=kind.colour,
                                markerfacecolor="white" if hollow else kind.colour,
                                markersize=7, markeredgewidth=1.5)  # fmt: skip
        if kind.rows.any():  # one entry of the legend, for full and hollow dots
            ax.plot([], [], kind.marker, color=kind.colour, markersize=7, label=kind.label)
    if small.any():
        ax.plot(
            [], [], "o", color="0.4", markerfacecolor="white", label=f"hollow: n < {SMALL_GROUP}"
        )
    for row in at[np.isnan(values)]:
        ax.text(0.02, row, "not defined", transform=ax.get_yaxis_transform(), va="center",
                color="0.35", style="italic")  # fmt: skip
    add_legend(ax)
    return dots


def _certified(ax: Any, at: NDArray[np.intp], table: pd.DataFrame) -> None:
    """Draw bars from low to high; to the edge, with an arrow, where high is infinite."""
    low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
    known = table.select_dtypes("number").drop(columns="size").to_numpy(float)
    edge = 1.1 * np.max(known, where=np.isfinite(known), initial=0.0)  # beyond all that is drawn
    endless = np.isinf(high)
    ax.hlines(at, low, np.where(endless, edge, high), color="#56B4E9", alpha=0.45, linewidth=9,
              label="certified: Rob(P) of\nthese samples is in it")  # fmt: skip
    if endless.any():
        ax.plot(np.full(endless.sum(), edge), at[endless], ">", color="#56B4E9",
                label="no upper end")  # fmt: skip
