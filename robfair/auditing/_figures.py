"""Figures of a report, as images inside the file, with their content in words."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from robfair.auditing._verdict import group_names
from robfair.plotting import RobustnessCurveDisplay

if TYPE_CHECKING:
    from robfair.auditing._audit import Audit

__all__ = ["Picture", "audit_figures"]

NAMED = 12  # groups in an alternative text; the table has them all


@dataclass(frozen=True)
class Picture:
    """An image and what it shows.

    Attributes
    ----------
    source : str
        Data URI of an SVG, in which nothing can run since it stands in an img.
    alt : str
        What can be seen, with the numbers.
    caption : str
        How to read it.
    """

    source: str
    alt: str
    caption: str


def audit_figures(audit: Audit) -> list[Picture]:
    """Draw the figures of one audit.

    Parameters
    ----------
    audit : Audit
        The numbers.

    Returns
    -------
    list of Picture
        The figures.
    """
    if not np.isfinite(audit.by_group["robustness"]).any():
        return []
    curves = RobustnessCurveDisplay.from_predictions(
        audit.y_true,
        audit.distance.predicted,
        distance=audit.distance.distance,
        sensitive_features=audit.sensitive_features,
    )
    mean = audit.overall["value"]["Rob(f)"]
    return [
        Picture(
            _svg(curves, (8.0, 4.5)),
            "Robustness curves, a falling line for each group and one for their mean, from the "
            f"accuracy of the group down to 0. Areas under them: {_values(audit)}; mean {mean:.3g}.",
            "How much of each group is classified correctly and lies farther than τ from the "
            "decision boundary. The area under a curve is Rob(P): a lower one is easier to attack.",
        )
    ]


def _values(audit: Audit) -> str:
    names = group_names(audit.by_group.index)
    values = audit.by_group["robustness"]
    parts = [f"{n} {v:.3g}" for n, v in zip(names[:NAMED], values[:NAMED], strict=True)]
    rest = len(names) - len(parts)
    return ", ".join(parts) + (f" and {rest} more, in the table" if rest else "")


def _svg(display: Any, size: tuple[float, float]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Not through pyplot, which would keep the figure; and not in the user's style, which may be
    # light on dark. The same figure gives the same bytes.
    with mpl.rc_context(
        {**mpl.rcParamsDefault, "svg.hashsalt": "robfair", "backend": mpl.rcParams["backend"]}
    ):
        figure = Figure(figsize=size, layout="constrained")
        display.plot(ax=figure.subplots())
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")
