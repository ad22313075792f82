"""Paper B as a whole: its runs, then tables and figures from what they have written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from robfair.reproduction._fairness_adult import ADULT_PARTS, AdultRecipe, measure_adult
from robfair.reproduction._fairness_cifar import CIFAR_PARTS, CifarRecipe, measure_cifar
from robfair.reproduction._fairness_figures import FIGURES, draw_figure
from robfair.reproduction._fairness_tables import CLAIMS, compare_claims, markdown
from robfair.reproduction._records import Run, read_runs

__all__ = ["FIGURE_OF", "TABLE_OF", "reproduce_fairness"]

Dataset = Literal["adult", "cifar10"]
Scale = Literal["small", "full"]

# Which data set and which parts of a run a table or figure of the paper needs.
TABLE_OF: dict[str, tuple[Dataset, tuple[str, ...]]] = {
    "I": ("cifar10", ("classes", "honest")),
    "II": ("adult", ADULT_PARTS),
    "III": ("cifar10", ("leave-one-out",)),
    "IV": ("adult", ADULT_PARTS),
    "V": ("adult", ADULT_PARTS),
}
FIGURE_OF: dict[int, tuple[Dataset, tuple[str, ...]]] = {
    1: ("cifar10", ("classes", "honest")),
    2: ("cifar10", ("classes", "honest")),
    3: ("cifar10", ("classes", "honest")),
    4: ("adult", ADULT_PARTS),
    5: ("adult", ADULT_PARTS),
    6: ("adult", ADULT_PARTS),
}
PARTS: dict[Dataset, tuple[str, ...]] = {"adult": ADULT_PARTS, "cifar10": CIFAR_PARTS}


def reproduce_fairness(
    output: Path,
    *,
    dataset: Dataset = "adult",
    table: str | None = None,
    figure: int | None = None,
    scale: Scale = "small",
    seeds: Sequence[int] = (0,),
    data_home: Path | None = None,
    verbose: int = 1,
) -> str:
    """Reproduce "Adversarial Training Negatively Affects Fairness" and compare the numbers.

    Finished parts of a run are read from the output folder, not computed again, so an interrupted
    reproduction goes on where it stopped.

    Parameters
    ----------
    output : Path
        Folder for results (JSON), tables (Markdown) and figures (PNG).
    dataset : {"adult", "cifar10"}, default="adult"
        Which half of the paper; given by `table` or `figure` where one of them is named.
    table : {"I", "II", "III", "IV", "V"}, default=None
        Only what this table needs.
    figure : {1, ..., 6}, default=None
        Only what this figure needs.
    scale : {"small", "full"}, default="small"
        "small" runs in a minute or so, to see that all works; its numbers mean nothing.
    seeds : sequence of int, default=(0,)
        A run for each.
    data_home : Path, default=None
        Where CIFAR-10 is kept; see `robfair.datasets.fetch_cifar10`.
    verbose : int, default=1
        1 shows progress bars.

    Returns
    -------
    str
        The report, in Markdown.
    """
    parts = PARTS[dataset]
    if table is not None:
        dataset, parts = TABLE_OF[table]
    elif figure is not None:
        dataset, parts = FIGURE_OF[figure]
    recipe = _recipe(dataset, scale)
    results = output / "results"
    for seed in seeds:
        run = Run(dataset, scale, seed)
        run.resume(results)
        for part in parts:
            numbers = _numbers(recipe, part)
            if run.has(part, numbers):
                continue
            started = time.perf_counter()
            if isinstance(recipe, AdultRecipe):
                measure_adult(run, recipe, part, verbose)
            else:
                measure_cifar(run, recipe, part, data_home, verbose)
            run.seconds[part] = round(time.perf_counter() - started, 1)
            run.recipes[part] = numbers
            run.write(results)
    return _report(output, dataset, scale, table, figure)


def _recipe(dataset: Dataset, scale: Scale) -> AdultRecipe | CifarRecipe:
    recipe = AdultRecipe if dataset == "adult" else CifarRecipe
    return recipe.small() if scale == "small" else recipe()


def _numbers(recipe: AdultRecipe | CifarRecipe, part: str) -> dict[str, Any]:
    """Numbers of a recipe that a part depends on; some are of one part alone."""
    alone = {"honest_": "honest", "luf_": "leave-one-out"}
    return {
        name: value
        for name, value in asdict(recipe).items()
        if all(part == only for prefix, only in alone.items() if name.startswith(prefix))
    }


def _report(
    output: Path, dataset: Dataset, scale: Scale, table: str | None, figure: int | None
) -> str:
    measures, runs = read_runs(output / "results", dataset, scale)
    claims = CLAIMS[dataset]
    if table is not None:
        claims = [claim for claim in claims if claim.where == f"Table {table}"]
    numbers = [n for n in FIGURES if FIGURE_OF[n][0] == dataset]
    if table is not None or figure is not None:
        numbers = [] if figure is None else [figure]
        claims = claims if figure is None else []
    drawn = [
        path
        for n in numbers
        if draw_figure(n, measures, path := output / f"{dataset}-{scale}-figure{n}.png")
    ]
    protocols = tuple(p for p in ("paper", "honest") if (measures["protocol"] == p).any())
    lines = [_heading(dataset, scale, runs), ""]
    if claims:
        lines += [markdown(compare_claims(claims, measures, protocols)), ""]
    lines += [f"Figure: {path.name}" for path in drawn]
    report = "\n".join(lines).rstrip() + "\n"
    name = f"table{table}" if table else f"figure{figure}" if figure else "report"
    (output / f"{dataset}-{scale}-{name}.md").write_text(report, encoding="utf-8")
    return report


def _heading(dataset: Dataset, scale: Scale, runs: list[dict[str, Any]]) -> str:
    made = runs[-1]["made"]
    seeds = ", ".join(str(run["seed"]) for run in runs)
    minutes = sum(sum(run["seconds"].values()) for run in runs) / 60
    return (
        f"{dataset}, scale {scale}, seeds {seeds}; {made['date']}, robfair {made['robfair']}, "
        f"torch {made['torch']}, {made['hardware']}, {minutes:.0f} minutes. Mean ± standard "
        "deviation over seeds, standard → robust network. The direction is undecided where the "
        "95 % interval (Student's t) of the mean difference holds zero."
    )
