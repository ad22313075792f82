"""Figure 2 of paper A for every method, and what fairness costs in robustness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robfair._files import replacing
from robfair.metrics import RobustnessCurve
from robfair.plotting import RobustnessCurveDisplay, TradeoffDisplay
from robfair.reproduction.farmur._recipes import Methods
from robfair.reproduction.farmur._train import KEEP, PATH

__all__ = ["draw_curves", "draw_pareto"]

# As in the paper: every group in blue, their mean in red.
GROUPS = {"color": "#0072B2", "linestyle": "-", "linewidth": 1, "alpha": 0.7}
MEAN = {"color": "#D00000"}


def draw_curves(run: dict[str, Any], part: str, names: Methods, path: Path) -> None:
    """Draw I_P of every group and their mean, a panel per method (figure 2).

    `run` holds the contents of the file of a run, and `part` says how distances were measured.
    """
    # Not through pyplot, which would keep the figure, or open a window.
    from matplotlib.figure import Figure

    curves = run["curves"][part]
    tau = np.array(curves["tau"])
    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey=True).flat
    for name, ax in zip(names, axes, strict=False):  # a panel may be left over
        groups = pd.DataFrame(curves["I_P"][name], index=tau)
        display = RobustnessCurveDisplay(
            curves={group: RobustnessCurve(tau, line.to_numpy()) for group, line in groups.items()},
            mean=RobustnessCurve(tau, groups.mean(axis=1).to_numpy()),
            name=name,
        )
        display.plot(ax=ax, tau_max=tau[-1], legend=False, curve_kwargs=GROUPS, mean_kwargs=MEAN)
        ax.set(xlabel="", ylabel="")
    for unused in axes:
        unused.set_axis_off()
    ax.legend([display.lines_[0], display.lines_[-1]], ["group, $I_P$", "mean of groups, $I_f$"])
    figure.supxlabel(rf'distance $\tau$ to the decision boundary, method "{part}"')
    figure.supylabel(r"correct and farther than $\tau$")
    figure.suptitle(f"Fig. 2: {run['dataset']}, scale {run['scale']}, seed {run['seed']}")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def draw_pareto(measures: pd.DataFrame, names: Methods, path: Path) -> None:
    """Draw Rob(f) against V_f and CV: methods on test rows, the path on held-out rows."""
    from matplotlib.figure import Figure

    shown = ["Rob(f)", "V_f", "CV"]
    overall = measures[measures["group"].isna() & measures["measure"].isin(shown)]
    tested = overall[(overall["protocol"] == "auto") & overall["label"].isna()]
    tested = tested.pivot_table(index="model", columns="measure", values="value")
    tested = tested.reindex(
        index=list(names), columns=shown
    )  # without a measure that is NaN in all
    n_rows = 1 if names.between is None else 2
    figure = Figure(figsize=(11, 4.25 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, 2, squeeze=False)
    for ax, measure in zip(axes[0], ("V_f", "CV"), strict=True):
        TradeoffDisplay(tested, y=measure).plot(ax=ax, legend=measure == "CV")
        ax.set_title('test rows, method "auto"')
    title = "Lower right is better: more robust, and groups more alike "
    n = measures["seed"].nunique()
    title += f"(mean of {n} seed{'s' if n > 1 else ''})"
    if names.between is not None:
        title += _draw_path(measures, overall[overall["protocol"] == PATH], names, axes[1])
    figure.suptitle(title)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _draw_path(measures: pd.DataFrame, walked: pd.DataFrame, names: Methods, axes: Any) -> str:
    """Draw the networks between TRADES and FARMUR; return how far these keep Rob(f)."""
    walked = walked.astype({"label": float})
    walked = walked.pivot_table(index="label", columns="measure", values="value")
    walked = walked.reindex(columns=["Rob(f)", "V_f", "CV"])
    # A row for every method, so that these two have the same look above and below.
    ends = walked.loc[[0.0, 1.0]].set_axis([names.trades, names.farmur]).reindex(list(names))
    for ax, measure in zip(axes, ("V_f", "CV"), strict=True):
        ax.plot(
            walked["Rob(f)"], walked[measure], ".-", color="0.4", zorder=1,
            label="weights between the two",
        )  # fmt: skip
        TradeoffDisplay(ends, y=measure).plot(ax=ax, front=False, legend=False)
        ax.set_title('held-out training rows, method "auto"')
    ax.legend(handles=ax.lines[:1], fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1))
    chosen = measures[(measures["protocol"] == PATH) & (measures["measure"] == "t")]["value"]
    return f"; up to t = {chosen.mean():.2g} the path keeps {KEEP:.0%} of Rob(f)"
