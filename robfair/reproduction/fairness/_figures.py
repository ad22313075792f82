"""Figures 1 to 6 of paper B, drawn from the measures that runs have written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robfair._files import replacing
from robfair.plotting import AttackSuccessDisplay

__all__ = ["FIGURES", "draw_figure"]

COLOURS = {"standard": "#0072B2", "robust": "#D55E00"}  # colour-blind safe (Okabe, Ito)
PROTOCOLS = ("paper", "honest")


def draw_figure(number: int, measures: pd.DataFrame, path: Path) -> bool:
    """Draw a figure of the paper, a panel per protocol.

    Returns False, and writes nothing, where nothing can be drawn yet.
    """
    # Not through pyplot, which would keep the figure, or open a window.
    from matplotlib.figure import Figure

    name, draw, ylabel, title = FIGURES[number]
    rows = measures[(measures["measure"] == name) & measures["value"].notna()]
    # A protocol that has not been run on both networks compares nothing.
    protocols = [p for p in PROTOCOLS if rows[rows["protocol"] == p]["model"].nunique() == 2]
    if not protocols:
        return False
    figure = Figure(figsize=(7.4 * len(protocols), 4), layout="constrained")
    panels = figure.subfigures(1, len(protocols), squeeze=False).flat
    for panel, protocol in zip(panels, protocols, strict=True):
        draw(panel, rows[rows["protocol"] == protocol], ylabel)
        panel.suptitle(f"{protocol} protocol")
    n = rows["seed"].nunique()
    figure.suptitle(f"{title} ({n} seed{'s' if n > 1 else ''})")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    return True


def _bars(panel: Any, rows: pd.DataFrame, ylabel: str, by: str = "group") -> None:
    """Draw a bar per group and model, with the standard deviation over seeds."""
    ax = panel.subplots()
    table = rows.groupby(["model", by], sort=False)["value"].agg(["mean", "std"])
    models = [m for m in COLOURS if m in table.index.get_level_values(0)]
    names = list(dict.fromkeys(rows[by]))
    for i, model in enumerate(models):
        part = table.loc[model].reindex(names)
        at = np.arange(len(names)) + 0.4 * (i - (len(models) - 1) / 2)
        ax.bar(at, part["mean"], 0.38, yerr=part["std"].fillna(0), capsize=2,
               color=COLOURS[model], label=model)  # fmt: skip
    ax.margins(y=0.25)  # room for the legend
    long = max(map(len, names)) > 8 and len(names) > 3
    turned: dict[str, Any] = {"rotation": 40, "ha": "right"} if long else {}
    ax.set_xticks(range(len(names)), names, **turned)
    ax.set_ylabel(ylabel)
    ax.legend(fontsize="small", loc="upper left", ncols=2)


def _curves(panel: Any, rows: pd.DataFrame, ylabel: str) -> None:
    """Draw success against eps, a line per class: the standard network beside the robust one."""
    mean = rows.groupby(["model", "group", "eps"], sort=False)["value"].mean().unstack("eps")
    axes = panel.subplots(1, len(COLOURS), sharex=True, sharey=True)
    for ax, model in zip(axes, COLOURS, strict=True):
        rates = {group: line.sort_index() for group, line in mean.loc[model].iterrows()}
        AttackSuccessDisplay(rates=rates, name=model).plot(ax=ax, legend=ax is axes[-1])
        ax.set_ylabel(ylabel)
        ax.label_outer()


def _eou(panel: Any, rows: pd.DataFrame, ylabel: str) -> None:
    """Draw EOU as bars, by label."""
    labels = {"<=50K": "income <=50K", ">50K": "income >50K"}
    rows = rows[rows["label"].isin(labels)].replace({"label": labels})
    _bars(panel, rows, ylabel, by="label")


Draw = Callable[[Any, pd.DataFrame, str], None]
FIGURES: dict[int, tuple[str, Draw, str, str]] = {
    1: ("class accuracy", _bars, "accuracy", "Fig. 1: accuracy by class, CIFAR-10"),
    2: ("least eps", _bars, "mean least eps", "Fig. 2: mean least eps by class, CIFAR-10"),
    3: ("success", _curves, "success of attacks", "Fig. 3: success by class, CIFAR-10"),
    4: ("success", _curves, "success of attacks", "Fig. 4: success by class, Adult"),
    5: ("EOU by sex", _eou, "EOU", "Fig. 5: EOU by sex, Adult"),
    6: ("EOU by race", _eou, "EOU", "Fig. 6: EOU by race, Adult"),
}
