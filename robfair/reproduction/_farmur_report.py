"""The report on paper A, drawn from the files of its runs: text, tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from robfair.reproduction._fairness_tables import markdown, spread
from robfair.reproduction._farmur_claims import ERRATA, sentences
from robfair.reproduction._farmur_figures import draw_curves, draw_pareto
from robfair.reproduction._farmur_path import KEEP, PATH
from robfair.reproduction._farmur_recipes import FarmurRecipe, Methods
from robfair.reproduction._farmur_tables import (
    DISTANCES,
    compare_sentences,
    compare_table,
    list_groups,
    list_methods,
    number,
    values_of,
)
from robfair.reproduction._records import read_runs

__all__ = ["write_report"]


def write_report(output: Path, name: str, scale: str, recipe: FarmurRecipe, unit: str) -> str:
    """Write the report and its figures.

    Parameters
    ----------
    output : Path
        Folder of the reproduction.
    name, scale : str
        Data set with network, and scale.
    recipe : FarmurRecipe
        What was done.
    unit : str
        Of distances.

    Returns
    -------
    str
        The report, in Markdown.
    """
    measures, runs = read_runs(output / "results", name, scale)
    names, stem = recipe.names, f"{name}-{scale}"
    lines = [_heading(name, scale, recipe, runs, unit), ""]
    lines += ["## Table 1", "", markdown(compare_table(name, measures, names)), ""]
    lines += ["## Section 6.2, and controls", ""]
    lines += [markdown(compare_sentences(sentences(name, names), measures)), ""]
    for distance in DISTANCES:
        lines += [f'## All methods, distance "{distance}"', ""]
        lines += [markdown(list_methods(measures, distance, names)), ""]
        lines += [markdown(list_groups(measures, distance, names)), ""]
        lines += _censored(measures, distance)
    chosen = values_of(measures, PATH, names.between, "t")
    lines += [
        f"The interpolation goes t of the way from {names.trades} to {names.farmur}: the farthest "
        f'in steps of 0.1 that keeps {KEEP:.0%} of Rob(f) on held-out rows (method "auto"). '
        f"t = {' '.join(spread(chosen, number))}.",
        "",
    ]
    lines += _seconds(measures, names)
    lines += ["## Where the paper's text and Table 1 disagree", ""]
    lines += [f"- {sentence}" for sentence in ERRATA] + [""]
    for distance in DISTANCES:
        path = output / f"{stem}-curves-{distance}.png"
        draw_curves(runs[0], distance, names, path)
        lines.append(f"Figure: {path.name}")
    draw_pareto(measures, names, output / f"{stem}-pareto.png")
    lines.append(f"Figure: {stem}-pareto.png")
    report = "\n".join(lines) + "\n"
    (output / f"{stem}-report.md").write_text(report, encoding="utf-8")
    return report


def _heading(
    name: str, scale: str, recipe: FarmurRecipe, runs: list[dict[str, Any]], unit: str
) -> str:
    made = runs[-1]["made"]
    seeds = ", ".join(str(run["seed"]) for run in runs)
    minutes = sum(sum(run["seconds"].values()) for run in runs) / 60
    return (
        f"# FARMUR on {name}, scale {scale}\n\n"
        f"Seeds {seeds}; {made['date']}, robfair {made['robfair']}, torch {made['torch']}, "
        f"{made['hardware']}, {minutes:.0f} minutes. Distances in L2, {unit}, capped at "
        f'{recipe.tau_max:g}, by two methods: "paper" (Eq. 8) and "auto"; both find upper bounds. '
        "Mean ± standard deviation over seeds or, for one seed, the value with its 95 % bootstrap "
        "interval. A sentence is undecided where the 95 % interval (Student's t) of the mean "
        "difference between the two methods, paired by seed, holds zero."
    )


def _censored(measures: pd.DataFrame, distance: str) -> list[str]:
    rows = measures[(measures["protocol"] == distance) & (measures["measure"] == "censored")]
    counts = rows.groupby("model")["value"].sum()
    counts = counts[counts > 0]
    if counts.empty:
        return []
    parts = ", ".join(f"{model}: {count:.0f}" for model, count in counts.items())
    return [f"Samples for which no boundary was found, and which count with the cap: {parts}.", ""]


def _seconds(measures: pd.DataFrame, names: Methods) -> list[str]:
    find, retrain = (
        values_of(measures, "training", names.farmur, f"seconds to {what}")
        for what in ("find vulnerable groups", "retrain")
    )
    if len(find) == 0:  # training was resumed, so nobody knows
        return []
    return [
        "Section 6.2: on UTKFace finding the vulnerable groups takes about 6 GPU hours and "
        f"retraining about 4. Here, on the hardware above: {find.mean():.1f} s and "
        f"{retrain.mean():.1f} s.",
        "",
    ]
