"""Figures of a report, as images inside the file, with their content in words."""

from __future__ import annotations

import base64
import io
import textwrap
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from robfair._text import few, group_names, interval, sentence_number
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.plotting import GroupRobustnessDisplay, RobustnessCurveDisplay, TradeoffDisplay

DRAWN = 40  # groups in the figure of groups: those of the lowest Rob(P)
STEPS = 1000  # in which distances are drawn
# Of the drawing for phones: inches (of 96 pixels), points, characters of a line, inches of a line.
PHONE, SMALL, LINE, HEIGHT = 3.7, 8.5, 22, 0.17


@dataclass(frozen=True)
class Picture:
    """An image and what it shows."""

    source: str  # data URI of an SVG, in which nothing can run since it stands in an img
    narrow: str  # the same for the width of a phone
    alt: str  # the content in words, with the numbers
    caption: str  # the way to read it


def known_groups(audit: AuditNumbers) -> pd.DataFrame:
    """Return the groups of which Rob(P) is known."""
    known: pd.DataFrame = audit.by_group[np.isfinite(audit.by_group["robustness"])]
    return known


def group_display(audit: AuditNumbers) -> GroupRobustnessDisplay:
    """Make the figure of the groups, of many those of the lowest Rob(P)."""
    lowest = known_groups(audit).sort_values("robustness", kind="stable").iloc[:DRAWN]
    return GroupRobustnessDisplay(lowest, audit.overall, confidence=audit.settings["confidence"])


def audit_figures(audit: AuditNumbers) -> list[Picture]:
    """Draw the groups and their robustness curves, unless Rob(P) is unknown for all groups."""
    known = known_groups(audit)
    if known.empty:
        return []
    return [_groups(audit, known), _curves(audit, known)]


def _groups(audit: AuditNumbers, known: pd.DataFrame) -> Picture:
    display = group_display(audit)
    lowest = display.by_group
    only = "" if len(lowest) == len(known) else f" Only the {DRAWN} lowest groups are drawn."
    parts = [
        f"{name} {interval(row, 'robustness')}{', vulnerable' if row['vulnerable'] else ''}"
        for name, (_, row) in zip(group_names(lowest.index), lowest.iterrows(), strict=True)
    ]
    mean = audit.overall["value"]["Rob(f)"]
    return Picture(
        *_drawings(display, display.figsize),
        f"Rob(P) of each group as a dot with its interval, the lowest first: {few(parts, 12)}. "
        f"A line marks Rob(f), {sentence_number(mean)}, and another one 80 % of the greatest.",
        "Rob(P) of each group with its intervals, and Rob(f), their mean. Vulnerable groups lie "
        "below it. The dotted line is at 80 % of the greatest Rob(P), as in the four-fifths rule "
        f"of selection rates.{only}",
    )


def curve_display(audit: AuditNumbers) -> RobustnessCurveDisplay:
    """Make the figure of the robustness curves."""
    cap = np.inf if audit.settings["tau_max"] is None else audit.settings["tau_max"]
    distance = np.minimum(audit.distances.distance, cap)
    lower = audit.distances.lower if "low" in audit.by_group else None
    # Bands of thousands of corners would make megabytes, where a screen shows a thousand.
    # By a quantile, since one far row would make all steps coarse; 1 where most distances are 0.
    step = float(np.quantile(distance[np.isfinite(distance)], 0.99)) / STEPS or 1.0
    return RobustnessCurveDisplay.from_predictions(
        audit.y_true,
        audit.distances.predicted,
        distance=np.round(distance / step) * step,
        lower=None if lower is None else np.round(np.minimum(lower, cap) / step) * step,
        sensitive_features=audit.groups,
    )


def _curves(audit: AuditNumbers, known: pd.DataFrame) -> Picture:
    areas = [
        f"{name} {sentence_number(rob)}"
        for name, rob in zip(group_names(known.index), known["robustness"], strict=True)
    ]
    return Picture(
        *_drawings(curve_display(audit), (8.0, 4.5)),
        "Robustness curves, a falling line for each group and one for their mean, from the "
        f"accuracy down to 0. The areas under them: {few(areas, 12)}.",
        "How much of each group is classified correctly and lies farther than τ from the decision "
        "boundary. The area under a curve is Rob(P): a lower one is easier to attack.",
    )


def known_models(comparison: ComparisonNumbers) -> pd.DataFrame:
    """Return Rob(f) and V_f of the models of which both are known."""
    measures = comparison.overall[["Rob(f)", "V_f"]]
    known: pd.DataFrame = measures.loc[np.isfinite(measures.to_numpy()).all(axis=1)]
    return known


def model_display(comparison: ComparisonNumbers) -> TradeoffDisplay:
    """Make the figure of V_f against Rob(f)."""
    known = known_models(comparison)

    def ends(side: str) -> pd.DataFrame:
        table = pd.DataFrame({n: a.overall[side] for n, a in comparison.audits.items()}).T
        return table.loc[known.index]

    return TradeoffDisplay(known, lower=ends("lower"), upper=ends("upper"))


def model_figures(comparison: ComparisonNumbers) -> list[Picture]:
    """Draw V_f against Rob(f), if both are known for at least two models."""
    known = known_models(comparison)
    if len(known) < 2:
        return []
    display = model_display(comparison)
    points = [
        f"{name}: Rob(f) {sentence_number(row['Rob(f)'])}, V_f {sentence_number(row['V_f'])}"
        for name, row in known.iterrows()
    ]
    return [
        Picture(
            *_drawings(display, (8.0, 4.5)),
            f"A point for each model, V_f against Rob(f). {few(points, 12)}.",
            "To the right a model withstands more, further down its groups differ less. A model "
            "on the front is beaten by no other in both.",
        )
    ]


def _drawings(display: Any, size: tuple[float, float]) -> tuple[str, str]:
    """Draw a display for a page and for the width of a phone."""
    return _svg(display, size), _svg(display, (PHONE, size[1] - 1), narrow=True)


def _svg(display: Any, size: tuple[float, float], *, narrow: bool = False) -> str:
    from matplotlib import style
    from matplotlib.figure import Figure

    # Not in the user's style, which may be light on dark; the same figure gives the same bytes.
    # Text stays text: the browser has letters that matplotlib's own font lacks.
    options: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "robfair"}
    if narrow:
        options["font.size"] = SMALL
    with style.context(["default", options]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")  # pyplot would keep it
        display.plot(ax=figure.subplots())
        if narrow:
            _fold(figure)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _fold(figure: Any) -> None:
    """Put the legend of a narrow figure below it, and break long names into lines."""
    (ax,) = figure.axes
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        labels = [textwrap.fill(label, 2 * LINE) for label in labels]
        title = ax.get_legend().get_title().get_text() or None
        ax.get_legend().remove()
        figure.legend(handles, labels, title=title, loc="outside lower left")
        lines = sum(1 + label.count("\n") for label in labels)
        figure.set_figheight(figure.get_figheight() + HEIGHT * (2 + lines))
    ax.set_xlabel(textwrap.fill(ax.get_xlabel(), 2 * LINE))
    names = [label.get_text() for label in ax.get_yticklabels()]
    if any(len(name) > LINE for name in names):
        ax.set_yticks(ax.get_yticks(), [textwrap.fill(name, LINE) for name in names])
