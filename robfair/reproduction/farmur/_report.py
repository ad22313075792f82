"""The report on paper A, drawn from the files of its runs: text, tables and figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from robfair.reproduction._claims import JUDGED, markdown, spread, values_of
from robfair.reproduction._paper import Excerpt, Results
from robfair.reproduction.farmur._claims import ERRATA, TABLE, TABLE_1, number
from robfair.reproduction.farmur._figures import draw_curves, draw_pareto
from robfair.reproduction.farmur._measure import DISTANCES, PGD, PGD_ACCURACY
from robfair.reproduction.farmur._recipes import Methods
from robfair.reproduction.farmur._train import KEEP, PATH, TRAINING

__all__ = ["compare_table", "list_attacked", "list_groups", "list_methods", "report"]

# Accuracy on all test rows, in place of those alone whose distance is measured.
ACCURACY = "test accuracy"
MEASURES = (ACCURACY, "Rob(f)", "V_f", "CV", "worst group", "gap")


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
        lines += _classes(measures, distance, names)
        lines += _censored(measures, distance)
    lines += _attacked(results)
    if names.between is not None:
        lines += [_interpolation(measures, names, names.between), ""]
    lines += _seconds(measures, names)
    lines += ["## Where the paper's text and Table 1 disagree", ""]
    lines += [*(f"- {sentence}" for sentence in ERRATA), ""]
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
        f'{results.recipe.tau_max:g}, by two methods: "paper" (Eq. 8), half-way between the last '
        'two points of its search, and "auto", which finds upper bounds. Mean ± standard '
        "deviation over seeds or, for one seed, the value with its 95 % "
        f"interval. {JUDGED}"
    )


def _censored(measures: pd.DataFrame, distance: str) -> list[str]:
    rows = measures[(measures["protocol"] == distance) & (measures["measure"] == "censored")]
    counts = rows.groupby("model")["value"].sum()
    counts = counts[counts > 0]
    if counts.empty:
        return []
    parts = ", ".join(f"{model}: {count:.0f}" for model, count in counts.items())
    return [f"Samples for which no boundary was found, and which count with the cap: {parts}.", ""]


def _attacked(results: Results) -> list[str]:
    """List accuracy under PGD; nothing for runs from before it was measured."""
    table = list_attacked(results.measures, results.recipe.names)
    if table.empty:
        return []
    of = f"Under PGD with 20 steps, L-inf, eps {results.recipe.eps:g}"
    return [f"## {of}", "", markdown(table), ""]


def list_attacked(measures: pd.DataFrame, names: Methods) -> pd.DataFrame:
    """List the accuracy of all methods under PGD: over all rows, and of the worst group."""
    rows = measures[(measures["protocol"] == PGD) & (measures["measure"] == PGD_ACCURACY)]
    lines = []
    for method in names:
        of = rows[rows["model"] == method]
        if of.empty:
            continue
        inside = of[of["group"].notna()].groupby("seed")["value"].min()
        overall = of[of["group"].isna()]["value"]
        cells = (spread(np.asarray(values), number) for values in (overall, inside))
        lines.append(
            {"method": method, **dict(zip((PGD_ACCURACY, "worst group"), cells, strict=True))}
        )
    return pd.DataFrame(lines)


def _interpolation(measures: pd.DataFrame, names: Methods, between: str) -> str:
    chosen = values_of(measures, PATH, between, "t")
    return (
        f"The interpolation goes t of the way from {names.trades} to {names.farmur}: the farthest "
        f'in steps of 0.1 that keeps {KEEP:.0%} of Rob(f) on held-out rows (method "auto"). '
        f"t = {spread(chosen, number)}."
    )


def _seconds(measures: pd.DataFrame, names: Methods) -> list[str]:
    tasks = ("find vulnerable groups", "retrain")
    find, retrain = (
        values_of(measures, TRAINING, names.farmur, f"seconds to {task}") for task in tasks
    )
    if len(find) == 0:  # unknown, since training was resumed
        return []
    return [
        "Section 6.2: on UTKFace finding the vulnerable groups takes about 6 GPU hours and "
        f"retraining about 4. Here, on the hardware above: {find.mean():.1f} s and "
        f"{retrain.mean():.1f} s.",
        "",
    ]


def _cell(measures: pd.DataFrame, distance: str, method: str, measure: str) -> str:
    """Write mean ± SD over seeds or, for one seed, the value and its interval."""
    values = values_of(measures, distance, method, measure)
    text = spread(values, number)
    if len(values) != 1:
        return text
    low, high = (
        values_of(measures, distance, method, measure, label=label) for label in ("lower", "upper")
    )
    if len(low) == 0 or np.isnan(low).any():
        return text
    return f"{text} ({number(low[0])} to {number(high[0])})"


def compare_table(dataset: str, measures: pd.DataFrame, names: Methods) -> pd.DataFrame:
    """Put Table 1 beside our numbers: a row for each measure and method.

    The paper's column is missing where Table 1 has no row.
    """
    paper, rows = TABLE_1.get(dataset), []
    theirs = names.natural, names.trades, names.farmur
    for measure, field in {ACCURACY: "accuracy", "Rob(f)": "rob", "V_f": "v_f", "CV": "cv"}.items():
        for method in _shown(names):
            row = {"measure": measure, "method": method}
            if paper is not None:
                printed = dict(zip(theirs, getattr(paper, field), strict=True))
                row["paper"] = number(printed[method]) if method in printed else "-"
            for distance in DISTANCES:
                row[f'ours, "{distance}"'] = _cell(measures, distance, method, measure)
            rows.append(row)
    return pd.DataFrame(rows)


def _shown(names: Methods) -> tuple[str, ...]:
    """List the methods of Table 1 and, where it is trained, EvenMargins and what it begins with."""
    if names.even is None:
        return names.natural, names.trades, names.farmur
    return names.natural, names.trades, names.averaged, names.farmur, names.even


def list_methods(measures: pd.DataFrame, distance: str, names: Methods) -> pd.DataFrame:
    """List all measures of all methods: a row for each method."""
    return pd.DataFrame(
        {"method": method, **{m: _cell(measures, distance, method, m) for m in MEASURES}}
        for method in names
    )


def list_groups(measures: pd.DataFrame, distance: str, names: Methods) -> pd.DataFrame:
    """List Rob(P) of every group, and how it comes about, for TRADES, FARMUR and EvenMargins.

    A row has the means over seeds of the group's size, and of accuracy, mean distance of the
    correct samples and their product Rob(P); and in how many seeds FARMUR found it vulnerable.
    """
    rows = measures[(measures["protocol"] == distance) & measures["label"].isna()]
    means = rows.groupby(["group", "model", "measure"])["value"].mean()
    judged = measures[(measures["protocol"] == TRAINING) & (measures["measure"] == "vulnerable")]
    vulnerable = judged.groupby("group")["value"].sum().to_dict()
    n = measures["seed"].nunique()
    parts = ("group accuracy", "group mean_distance", "Rob(P)")
    return pd.DataFrame(
        {
            "group": group,
            "size": f"{means[group, names.trades, 'group size']:.0f}",
            f"vulnerable (of {n})": "-" if group not in vulnerable else f"{vulnerable[group]:.0f}",
            **{
                f"{method}: accuracy × mean distance = Rob(P)": "{} × {} = {}".format(
                    *(number(means[group, method, part]) for part in parts)
                )
                for method in (names.trades, names.farmur, names.even)
                if method is not None
            },
        }
        for group in means.index.unique("group")
    )


def _classes(measures: pd.DataFrame, distance: str, names: Methods) -> list[str]:
    """Compare groups within each class, where these were measured."""
    table = list_classes(measures, distance, names)
    if table.empty:
        return []
    return [
        "Groups within a class: mean of Rob(P), V_f, CV. Cells of few rows differ by chance, too.",
        *("", markdown(table), ""),
    ]


def list_classes(measures: pd.DataFrame, distance: str, names: Methods) -> pd.DataFrame:
    """List how groups differ within each class: a row for each, a column for each method.

    The last row has all classes, as if every group had the same labels.
    """
    rows = measures[measures["protocol"] == distance]
    inside = rows[rows["measure"] == "Rob(P) in class"]
    sizes = rows[rows["measure"] == "size in class"].groupby("label")["value"].min()
    lines = []
    for name, part in inside.groupby("label"):
        line = {"class": name, "smallest cell": f"{sizes[name]:.0f}"}
        for method in _shown(names):
            each = part[part["model"] == method].groupby("seed")["value"]
            rob, v_f = each.mean(), each.var(ddof=0)
            line[method] = ", ".join(number(x.mean()) for x in (rob, v_f, v_f**0.5 / rob))
        lines.append(line)
    if lines:
        lines.append({"class": "all, same labels", "smallest cell": "-"})
        for method in _shown(names):
            parts = (
                values_of(measures, distance, method, f"{m}, same labels") for m in MEASURES[1:4]
            )
            lines[-1][method] = ", ".join(number(x.mean()) if len(x) else "-" for x in parts)
    return pd.DataFrame(lines)
