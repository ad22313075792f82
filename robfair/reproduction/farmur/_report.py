"""The report on paper A, drawn from the files of its runs: text, tables and figures."""

from __future__ import annotations

import pandas as pd

from robfair.reproduction._claims import markdown, spread, values_of
from robfair.reproduction._paper import Excerpt, Results
from robfair.reproduction.farmur._claims import ERRATA, TABLE, number
from robfair.reproduction.farmur._figures import draw_curves, draw_pareto
from robfair.reproduction.farmur._path import KEEP, PATH
from robfair.reproduction.farmur._recipes import Methods
from robfair.reproduction.farmur._tables import DISTANCES, compare_table, list_groups, list_methods

__all__ = ["report"]


def report(results: Results, excerpt: Excerpt | None) -> list[str]:
    """Draw the figures, and write the tables."""
    measures, names = results.measures, results.recipe.names
    lines = [_heading(results), "", "## Table 1", ""]
    lines += [markdown(compare_table(results.experiment.name, measures, names)), ""]
    lines += ["## Section 6.2, and controls", ""]
    lines += [markdown(TABLE.compare(results.claims, measures, DISTANCES)), ""]
    for distance in DISTANCES:
        lines += [f'## All methods, distance "{distance}"', ""]
        lines += [markdown(list_methods(measures, distance, names)), ""]
        lines += [markdown(list_groups(measures, distance, names)), ""]
        lines += _censored(measures, distance)
    lines += [_interpolation(measures, names), "", *_seconds(measures, names)]
    lines += ["## Where the paper's text and Table 1 disagree", ""]
    lines += [f"- {sentence}" for sentence in ERRATA] + [""]
    paths = {distance: results.path(f"curves-{distance}.png") for distance in DISTANCES}
    for distance, path in paths.items():
        draw_curves(results.runs[0], distance, names, path)
    pareto = results.path("pareto.png")
    draw_pareto(measures, names, pareto)
    return lines + [f"Figure: {path.name}" for path in (*paths.values(), pareto)]


def _heading(results: Results) -> str:
    unit = "standard deviations" if results.experiment.dataset == "adult" else "pixels in [0, 1]"
    return (
        f"# FARMUR on {results.experiment.name}, scale {results.scale}\n\n"
        f"Seeds {results.origin}. Distances in L2, {unit}, capped at "
        f'{results.recipe.tau_max:g}, by two methods: "paper" (Eq. 8) and "auto"; both find upper '
        "bounds. Mean ± standard deviation over seeds or, for one seed, the value with its 95 % "
        "bootstrap interval. A sentence is undecided where the 95 % interval (Student's t) of the "
        "mean difference between the two methods, paired by seed, holds zero."
    )


def _censored(measures: pd.DataFrame, distance: str) -> list[str]:
    rows = measures[(measures["protocol"] == distance) & (measures["measure"] == "censored")]
    counts = rows.groupby("model")["value"].sum()
    counts = counts[counts > 0]
    if counts.empty:
        return []
    parts = ", ".join(f"{model}: {count:.0f}" for model, count in counts.items())
    return [f"Samples for which no boundary was found, and which count with the cap: {parts}.", ""]


def _interpolation(measures: pd.DataFrame, names: Methods) -> str:
    chosen = values_of(measures, PATH, names.between, "t")
    return (
        f"The interpolation goes t of the way from {names.trades} to {names.farmur}: the farthest "
        f'in steps of 0.1 that keeps {KEEP:.0%} of Rob(f) on held-out rows (method "auto"). '
        f"t = {spread(chosen, number)}."
    )


def _seconds(measures: pd.DataFrame, names: Methods) -> list[str]:
    find, retrain = (
        values_of(measures, "training", names.farmur, f"seconds to {what}")
        for what in ("find vulnerable groups", "retrain")
    )
    if len(find) == 0:  # unknown, since training was resumed
        return []
    return [
        "Section 6.2: on UTKFace finding the vulnerable groups takes about 6 GPU hours and "
        f"retraining about 4. Here, on the hardware above: {find.mean():.1f} s and "
        f"{retrain.mean():.1f} s.",
        "",
    ]
