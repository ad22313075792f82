"""Looks of all displays: colours that colour-blind readers can tell apart, and names that fit."""

from __future__ import annotations

import math
import string
from collections.abc import Hashable, Mapping
from typing import Any

from robfair._shares import axes_for
from robfair._text import visible

__all__ = ["MANY", "add_legend", "axes_for", "looks", "name_others", "text"]

# Okabe and Ito's colours without yellow, which is faint on white, and black, which is the mean's.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
STYLES = ("-", "--", "-.", ":")
MARKERS = "osD^vPX*"
# More lines than this cannot be followed by colour and style: then only the extremes have names.
MANY = 12
EXTREMES = 3
GREY = "0.75"


def text(label: Any, width: int = 28) -> str:
    r"""Return the name of a group or model on one line, cut in the middle, for matplotlib.

    It is shown literally: a dollar sign does not start a formula, and a leading underscore does
    not hide it from a legend.
    """
    parts = label if isinstance(label, tuple) else (label,)
    name = " ".join(visible(", ".join(map(str, parts)), string.whitespace).split()) or '""'
    if len(name) > width:
        tail = (width - 1) // 2
        name = f"{name[: width - 1 - tail]}…{name[-tail:]}"
    name = name.replace("$", r"\$")
    return f"\u200b{name}" if name.startswith("_") else name  # a space of no width


def look(i: int) -> dict[str, Any]:
    """Return colour and line style of the i-th line; twelve differ."""
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": STYLES[i % len(STYLES)],
        "linewidth": 1.4,
    }


def looks(scores: Mapping[Any, float]) -> dict[Hashable, dict[str, Any]]:
    """Return matplotlib's keywords for each line, by its height, in the order of the legend.

    Of many lines only the highest and the lowest are named; the label of the others is None.
    """
    if len(scores) <= MANY:
        return {label: {"label": text(label), **look(i)} for i, label in enumerate(scores)}
    known = [label for label, score in scores.items() if not math.isnan(score)]
    ranked = sorted(known, key=lambda label: scores[label], reverse=True)
    # Without NaN the two ends may overlap.
    named = ranked[:EXTREMES] + ranked[max(EXTREMES, len(ranked) - EXTREMES) :]
    styles: dict[Hashable, dict[str, Any]] = {
        label: {"label": text(label), **look(i)} for i, label in enumerate(named)
    }
    grey = {"label": None, "color": GREY, "linewidth": 0.8, "zorder": 1}
    return styles | {label: dict(grey) for label in scores if label not in styles}


def name_others(ax: Any, styles: Mapping[Any, Mapping[str, Any]]) -> None:
    """Add an entry for the grey lines to the legend."""
    n = sum(style["label"] is None for style in styles.values())
    if n:
        ax.plot([], [], color=GREY, linewidth=0.8, label=f"{n} others")


def add_legend(ax: Any, *, title: str | None = None, inside: str | None = None) -> None:
    """Draw the legend at the place `inside` if it is small, and else beside the axes."""
    handles, _ = ax.get_legend_handles_labels()
    if not handles:
        return
    beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1), "borderaxespad": 0}
    place = {"loc": inside} if inside and len(handles) <= 6 else beside
    ax.legend(title=title, fontsize="small", **place)
