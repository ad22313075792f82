"""Figure 2 of paper A for every method, and what fairness costs in robustness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from robfair.experiments._farmur_path import KEEP, PATH
from robfair.experiments._farmur_recipes import Methods

__all__ = ["draw_curves", "draw_pareto"]

GROUP, MEAN = "#0072B2", "#D00000"  # blue and red, as in the paper
# Okabe and Ito's colours, which colour-blind readers can tell apart, and a marker each.
# In the order of Methods.
STYLES = (
    *(("#000000", "X"), ("#56B4E9", "v"), ("#0072B2", "o")),
    *(("#009E73", "s"), ("#D55E00", "D"), ("#CC79A7", "P")),
)


def draw_curves(run: dict[str, Any], part: str, names: Methods, path: Path) -> None:
    """Draw I_P of every group and their mean, a panel per method (figure 2).

    Parameters
    ----------
    run : dict
        Contents of the file of a run.
    part : {"paper", "auto"}
        How distances were measured.
    names : Methods
        Names of the methods.
    path : Path
        Where to write the PNG.
    """
    # Not through pyplot, which would keep the figure, or open a window.
    from matplotlib.figure import Figure

    curves = run["curves"][part]
    figure = Figure(figsize=(12, 7), layout="constrained")
    for ax, name in zip(figure.subplots(2, 3, sharex=True, sharey=True).flat, names, strict=True):
        groups = pd.DataFrame(curves["I_P"][name], index=curves["tau"])
        lines = ax.plot(groups, color=GROUP, linewidth=1, alpha=0.7)
        (mean,) = ax.plot(groups.mean(axis=1), color=MEAN, linewidth=2.2)
        ax.set(title=name, xlim=(0, groups.index[-1]), ylim=(0, 1.02))
    ax.legend([lines[0], mean], ["group, $I_P$", "mean of groups, $I_f$"])
    figure.supxlabel(rf'distance $\tau$ to the decision boundary, method "{part}"')
    figure.supylabel(r"correct and farther than $\tau$")
    figure.suptitle(f"Fig. 2: {run['dataset']}, scale {run['scale']}, seed {run['seed']}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_pareto(measures: pd.DataFrame, names: Methods, path: Path) -> None:
    """Draw Rob(f) against V_f and against CV: methods on test rows, the path on held-out rows.

    Parameters
    ----------
    measures : DataFrame
        Measures of all seeds.
    names : Methods
        Names of the methods.
    path : Path
        Where to write the PNG.
    """
    from matplotlib.figure import Figure

    shown = ["Rob(f)", "V_f", "CV"]
    overall = measures[measures["group"].isna() & measures["measure"].isin(shown)]
    tested = overall[(overall["protocol"] == "auto") & overall["label"].isna()]
    tested = tested.pivot_table(index="model", columns="measure", values="value")
    # A measure may be NaN in all of them.
    tested = tested.reindex(index=names, columns=shown)
    walked = overall[overall["protocol"] == PATH].astype({"label": float})
    walked = walked.pivot_table(index="label", columns="measure", values="value")
    walked = walked.reindex(columns=shown)
    chosen = measures[(measures["protocol"] == PATH) & (measures["measure"] == "t")]["value"]
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    for (above, below), measure in zip(
        figure.subplots(2, 2).T, ("V_f", "CV"), strict=True
    ):  # a column for each
        for name, (colour, marker) in zip(names, STYLES, strict=True):
            at = tested.loc[name]
            above.plot(at["Rob(f)"], at[measure], marker, color=colour, markersize=9, label=name)
        below.plot(walked["Rob(f)"], walked[measure], "-", color="0.4", marker=".")
        for t, name in ((0.0, names.trades), (1.0, names.farmur)):
            colour, marker = STYLES[names.index(name)]
            at = walked.loc[t]
            below.plot(at["Rob(f)"], at[measure], marker, color=colour, markersize=9, label=name)
        below.plot([], [], ".-", color="0.4", label="weights between them, t = 0.1 to 0.9")
        above.set_title('test rows, method "auto"')
        below.set_title('held-out training rows, method "auto"')
        for ax in (above, below):
            ax.set(xlabel="Rob(f)", ylabel=measure)
            ax.margins(0.12)
    above.legend(fontsize="small")
    below.legend(fontsize="small")
    n = measures["seed"].nunique()
    seeds = f"{n} seeds" if n > 1 else "1 seed"
    figure.suptitle(
        f"Lower right is better: more robust, and groups more alike (mean of {seeds}); "
        f"up to t = {chosen.mean():.2g} the path keeps {KEEP:.0%} of Rob(f)"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
