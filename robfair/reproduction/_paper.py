"""A paper as data, and the one runner that reproduces it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from robfair._files import replacing
from robfair.reproduction._claims import Claim
from robfair.reproduction._records import Run, read_runs

__all__ = ["Excerpt", "Experiment", "Paper", "Part", "Results", "Task", "reproduce"]


@dataclass(frozen=True)
class Task:
    """One part of one seed: what to measure, and where the measures go."""

    run: Run
    recipe: Any
    data: Any
    output: Path
    device: str
    verbose: int


@dataclass(frozen=True)
class Part:
    """A part of a run, which is measured, timed and written on its own."""

    measure: Callable[[Task], None]
    # How the names of those numbers of the recipe begin that the part does not depend on.
    unused: tuple[str, ...] = ()

    def numbers(self, recipe: Any) -> dict[str, Any]:
        """Return the numbers of the recipe that the measures depend on."""
        return {k: v for k, v in asdict(recipe).items() if not k.startswith(self.unused)}


@dataclass(frozen=True)
class Experiment:
    """A data set with the network that is trained on it, None where the paper has only one."""

    dataset: str
    model: str | None
    recipes: Mapping[str, Any]  # by scale: all numbers on which the results depend
    load: Callable[[Any, Path | None], Any]  # from recipe and folder of downloads to `Task.data`
    parts: Mapping[str, Part]  # in the order in which they run
    claims: Callable[[str, Any], list[Claim]]  # from `name` and the recipe, which names the methods

    @property
    def name(self) -> str:
        """First part of the names of files."""
        return self.dataset if self.model is None else f"{self.dataset}-{self.model}"

    def recipe(self, scale: str) -> Any:
        """Return the recipe of a scale; raises ValueError if there is none."""
        if scale not in self.recipes:
            of = self.dataset if self.model is None else f"{self.dataset} with {self.model}"
            raise ValueError(
                f"there is no scale {scale!r} for {of}; choose from: {', '.join(self.recipes)}."
            )
        return self.recipes[scale]


@dataclass(frozen=True)
class Excerpt:
    """A table or figure of a paper: its data set, the parts it needs, and where it stands."""

    dataset: str
    parts: tuple[str, ...]
    where: str | None = None
    figure: int | None = None


@dataclass(frozen=True)
class Results:
    """All runs of an experiment at one scale, from which a report is drawn."""

    experiment: Experiment
    scale: str
    output: Path
    measures: pd.DataFrame
    runs: list[dict[str, Any]]

    @property
    def recipe(self) -> Any:
        """The recipe of the runs."""
        return self.experiment.recipes[self.scale]

    @property
    def claims(self) -> list[Claim]:
        """The paper's claims."""
        return self.experiment.claims(self.experiment.name, self.recipe)

    @property
    def origin(self) -> str:
        """Seeds, date, versions, hardware and duration."""
        made = self.runs[-1]["made"]
        seeds = ", ".join(str(run["seed"]) for run in self.runs)
        minutes = sum(sum(run["seconds"].values()) for run in self.runs) / 60
        return (
            f"{seeds}; {made['date']}, robfair {made['robfair']}, torch {made['torch']}, "
            f"{made['hardware']}, {minutes:.0f} minutes"
        )

    def path(self, ending: str) -> Path:
        """File of the report or of a figure."""
        return self.output / f"{self.experiment.name}-{self.scale}-{ending}"


@dataclass(frozen=True)
class Paper:
    """A paper that can be reproduced.

    Attributes
    ----------
    title : str
        Title of the paper.
    experiments : tuple of Experiment
        Its data sets with their networks, the default ones first.
    report : callable
        Takes `Results` and an `Excerpt` or None, draws figures, and returns lines of Markdown.
    excerpts : mapping of str to Excerpt
        Tables and figures that can be asked for alone, such as "tableI" or "figure1".
    """

    title: str
    experiments: tuple[Experiment, ...]
    report: Callable[[Results, Excerpt | None], list[str]]
    excerpts: Mapping[str, Excerpt] = field(default_factory=dict)

    def experiment(self, dataset: str, model: str | None = None) -> Experiment:
        """Find an experiment.

        Parameters
        ----------
        dataset : str
            Name of the data set.
        model : str, default=None
            Name of the network. None: the first of the data set.

        Returns
        -------
        Experiment
            The experiment.

        Raises
        ------
        ValueError
            If the paper has no such data set, or the network does not fit it.
        """
        fitting = [e for e in self.experiments if e.dataset == dataset]
        if not fitting:
            names = ", ".join(dict.fromkeys(e.dataset for e in self.experiments))
            raise ValueError(f"unknown data set {dataset!r}; choose from: {names}.")
        chosen = [e for e in fitting if model in (None, e.model)]
        if not chosen:
            names = ", ".join(str(e.model) for e in fitting)
            raise ValueError(f"model {model!r} does not fit {dataset}; choose from: {names}.")
        return chosen[0]


def reproduce(
    paper: Paper,
    output: Path,
    *,
    dataset: str | None = None,
    model: str | None = None,
    only: str | None = None,
    scale: str = "small",
    seeds: Sequence[int] = (0,),
    data_home: Path | None = None,
    device: str = "cpu",
    verbose: int = 1,
) -> str:
    """Run an experiment of a paper, and put its numbers beside ours.

    Finished parts of a run are read from the output folder, so an interrupted reproduction
    continues where it stopped.

    Parameters
    ----------
    paper : Paper
        `FARMUR` or `FAIRNESS`.
    output : Path
        Folder for results (JSON), weights and checkpoints (safetensors), the report (Markdown)
        and figures (PNG).
    dataset : str, default=None
        Name of the data set. None: the paper's first, or that of `only`.
    model : str, default=None
        Name of the network. None: the first of the data set.
    only : str, default=None
        A key of ``paper.excerpts``, such as "tableIV" or "figure5": run what it needs. None: all.
    scale : str, default="small"
        Name of the recipe. "small" runs in a minute or so, to see that all works; its numbers
        mean nothing.
    seeds : sequence of int, default=(0,)
        One run for each.
    data_home : Path, default=None
        Folder of MNIST, CIFAR-10 and UTKFace; see `robfair.datasets`.
    device : str, default="cpu"
        Device of FARMUR's training and measuring.
    verbose : int, default=1
        1 shows progress bars.

    Returns
    -------
    str
        The report, in Markdown.

    Raises
    ------
    ValueError
        If the paper has no such data set, network, scale, table or figure.
    ResultsError
        If results, checkpoints or weights in the folder are damaged, or come from another recipe.
    """
    if only is not None and only not in paper.excerpts:
        names = ", ".join(paper.excerpts) or "none"
        raise ValueError(f"unknown table or figure {only!r}; choose from: {names}.")
    excerpt = None if only is None else paper.excerpts[only]
    dataset = excerpt.dataset if excerpt else dataset or paper.experiments[0].dataset
    experiment = paper.experiment(dataset, model)
    recipe, results = experiment.recipe(scale), output / "results"
    data = None  # loaded at the first part that is not finished, often not at all
    for seed in seeds:
        run = Run(experiment.name, scale, seed)
        run.resume(results)
        for name in excerpt.parts if excerpt else experiment.parts:
            part = experiment.parts[name]
            numbers = part.numbers(recipe)
            if run.has(name, numbers):
                continue
            if data is None:
                data = experiment.load(recipe, data_home)
            started = time.perf_counter()
            part.measure(Task(run, recipe, data, output, device, verbose))
            run.seconds[name] = round(time.perf_counter() - started, 1)
            run.recipes[name] = numbers
            run.write(results)  # after every part, so that little is lost where a run is stopped
    drawn = Results(experiment, scale, output, *read_runs(results, experiment.name, scale))
    report = "\n".join(paper.report(drawn, excerpt)).rstrip() + "\n"
    with replacing(drawn.path(f"{only or 'report'}.md")) as temporary:
        temporary.write_text(report, encoding="utf-8")
    return report
