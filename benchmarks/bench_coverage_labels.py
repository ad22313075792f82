"""How often the 95 % intervals hold within labels, standardised by them, and of EOU and CRU.

Each group has rows of two labels, which differ in accuracy and in distance, and the groups have
other mixes of them. Beside them stand the plain means, and the rates and confidences that CRU and
EOU compare. One process; 300 draws a cell take about six minutes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from bench_coverage import (
    AGAIN,
    ALPHA,
    MEASURES,
    MORE,
    PATTERNS,
    SHAPES,
    SIZES,
    TARGET,
    Cell,
    Ends,
    Floats,
    held,
    intervals,
    measure,
    ours,
)
from common import machine, options, table, verdict
from numpy.typing import NDArray

from robfair._mean_summary import MeanSummary, mean_ends, summarize
from robfair._standardize import weigh_cells
from robfair.metrics._interval_extremes import gap_interval

GROUPS = ("2: 60, 600", "5: 40-1500", "5: 30, 4 x 1000", "20: 30-500")
TRIED = ("equal", "spread 0.4", "largest low", "smallest low")
DRAWN = ("exponential", "lognormal", "normal")
FACTORS, RIGHT = np.array([1.4, 0.6]), np.array([0.9, 0.7])  # of each label
# The share of the second label in each group.
MIXES: dict[str, Callable[[int], Floats]] = {
    "mixed": lambda n: np.random.default_rng(n).permutation(np.linspace(0.2, 0.6, n)),
    "few of one label": lambda n: np.linspace(0.1, 0.4, n),  # 3 rows of it in the group of 30
}
FEW_ROWS = (3, 5, 7, 10, 12, 15, 20, 30)
Task = tuple[Callable[..., list[dict[str, Any]]], Any]  # what measures a cell, and the cell
# Confidences, as the two parameters of a beta distribution.
CONFIDENCES = {"extreme": (0.4, 0.3), "sure": (5.0, 0.6), "unsure": (2.0, 2.0)}


@dataclass(frozen=True)
class ByLabel:
    """Groups of two labels, each with known means within them."""

    shape: str
    sizes: str
    pattern: str
    mix: str

    @property
    def counts(self) -> NDArray[np.intp]:
        """Return the number of rows, of shape (n_groups, 2)."""
        sizes = np.array(SIZES[self.sizes])
        second = np.maximum(np.round(sizes * MIXES[self.mix](len(sizes))), 2).astype(int)
        return np.stack([sizes - second, second], axis=-1)

    @property
    def weights(self) -> Floats:
        """Return the share of each label among all rows."""
        return self.counts.sum(axis=0) / self.counts.sum()

    @property
    def truth(self) -> Floats:
        """Return Rob(P) within each label, of shape (n_groups, 2)."""
        factors = PATTERNS[self.pattern](SIZES[self.sizes])
        return factors[:, None] * FACTORS * RIGHT * SHAPES[self.shape][1]

    def draw(self, n_draws: int, seed: int) -> list[Floats]:
        """Return the values of each cell, group by group, of shape (n_in_cell, n_draws)."""
        rng = np.random.default_rng([seed, *map(ord, "".join(vars(self).values()))])
        blocks = []
        for factor, counts in zip(PATTERNS[self.pattern](SIZES[self.sizes]), self.counts,
                                  strict=True):  # fmt: skip
            for label, n in enumerate(counts):
                drawn = factor * FACTORS[label] * SHAPES[self.shape][0](rng, (n, n_draws))
                blocks.append(drawn * (rng.random((n, n_draws)) < RIGHT[label]))
        return blocks


def standardized(blocks: list[Floats], cell: ByLabel) -> MeanSummary:
    """Summarize the groups of every draw, standardised to one mix of labels."""
    cells = summarize(blocks)
    rows = MeanSummary(*(x.reshape(len(x), -1, 2) for x in vars(cells).values()))
    return weigh_cells(rows, cell.counts, cell.weights)


def covered(ends: Ends, truth: float) -> float:
    """Return the share of draws whose interval holds the truth."""
    slack = 1e-9 * max(abs(truth), 1.0)
    return float(np.mean((ends[0] <= truth + slack) & (truth <= ends[1] + slack)))


def _rows(found: dict[str, Ends], truth: Floats, **names: str) -> list[dict[str, Any]]:
    rows = []
    for name, statistic in MEASURES.items():
        low, high = found[name]
        value = float(statistic(truth))
        row = {"measure": name, **names, "truth": value, "coverage": covered((low, high), value)}
        rows.append(row | {"width": float(np.median(high - low))})
    return rows


def measure_labels(cell: ByLabel, n_draws: int, seed: int) -> list[dict[str, Any]]:
    """Return coverage and width of each measure, standardised and within the second label."""
    blocks = cell.draw(n_draws, seed)
    means = standardized(blocks, cell)
    rows = _rows(intervals(means), cell.truth @ cell.weights, kind="standardised", **vars(cell))
    if cell.mix == "mixed":  # within a label the other label, and the mix, have no part
        rows += _rows(ours(blocks[1::2]), cell.truth[:, 1], kind="within a label", **vars(cell))
    return rows


def measure_plain(cell: Cell, n_draws: int, seed: int) -> list[dict[str, Any]]:
    """Return coverage and width of each measure of all rows."""
    found = ours(cell.draw(n_draws, seed))
    return _rows(found, cell.truth, kind="all rows", mix="", **vars(cell))


@dataclass(frozen=True)
class Gap:
    """Groups whose means are compared within some rows, such as the confidence within a label.

    A value is drawn, and counts with a probability that depends on the group and on the row.
    """

    kind: str
    shape: str
    sizes: str
    pattern: str

    @property
    def chances(self) -> Floats:
        """Return the probability that a value counts, of shape (n_rows, n_groups)."""
        factors = PATTERNS[self.pattern](SIZES[self.sizes])
        rows = [1.0, 0.8] if self.kind == "EOU" else [1.0]
        return np.outer(rows, factors / factors.max())

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[Floats, float]:
        """Return values, and their mean in truth."""
        if self.kind == "EOU":
            a, b = CONFIDENCES[self.shape]
            return rng.beta(a, b, size), a / (a + b)
        if self.kind == "CRU_s":
            return (rng.random(size) < 0.7).astype(float), 0.7
        return np.minimum(rng.exponential(0.5, size), 1.0), 0.5 * (1 - np.exp(-2.0))


def measure_gap(cell: Gap, n_draws: int, seed: int) -> list[dict[str, Any]]:
    """Return coverage and width of the greatest difference between two groups, over all rows."""
    rng = np.random.default_rng([seed, *map(ord, "".join(vars(cell).values()))])
    summaries = []
    for chances in cell.chances:
        blocks = []
        for n, chance in zip(SIZES[cell.sizes], chances, strict=True):
            size = (max(n // len(cell.chances), 2), n_draws)
            values, mean = cell.draw(rng, size)
            blocks.append(values * (rng.random(size) < chance))
        summaries.append(vars(summarize(blocks)).values())
    means = MeanSummary(*(np.stack(each, axis=-2) for each in zip(*summaries, strict=True)))
    low, high = gap_interval(means, ALPHA)
    truth = float(mean * np.ptp(cell.chances, axis=-1).max())
    row = {"measure": cell.kind, **vars(cell), "mix": "", "truth": truth}
    row |= {"coverage": covered((low, high), truth), "width": float(np.median(high - low))}
    return [row]


def show(rows: list[dict[str, Any]], n_draws: int) -> None:
    """Print the least and the mean coverage of each measure and kind."""
    lines = []
    for kind, name in dict.fromkeys((row["kind"], row["measure"]) for row in rows):
        mine = [row for row in rows if (row["kind"], row["measure"]) == (kind, name)]
        second = [row for row in mine if row["again"] is not None]
        least = min(second or mine, key=held)
        where = (least[part] for part in ("shape", "sizes", "pattern", "mix"))
        lines.append({
            "of": kind, "measure": name, "cells": len(mine),
            "mean": f"{np.mean([row['coverage'] for row in mine]):.3f}",
            "least": f"{min(row['coverage'] for row in mine):.3f}",
            "drawn again": len(second),
            "least then": f"{held(least):.3f}" if second else "",
            "in": ", ".join(filter(None, where)),
        })  # fmt: skip
    drawn = f"{n_draws} draws a cell, {MORE * n_draws} new ones where less than {AGAIN} held"
    print(f"\n## By label: {drawn}\n\n{table(lines)}")
    low = [row for row in rows if held(row) < TARGET]
    for row in low:
        print({k: v for k, v in row.items() if k not in ("truth", "width")})
    print(f"\nTarget 0.93 in every cell: {verdict(not low)} ({len(low)} of {len(rows)} below).")


def show_small_cells(n_draws: int, seed: int) -> list[dict[str, Any]]:
    """Print how often the interval of one mean holds, by the number of rows and of right ones."""
    rows = []
    for shape, right in product(DRAWN, (0.3, 0.6, 0.9)):
        row: dict[str, Any] = {"shape": shape, "right": right}
        rng = np.random.default_rng([seed, len(shape), int(10 * right)])
        values, mean = SHAPES[shape]
        for n in FEW_ROWS:
            few = values(rng, (n, n_draws)) * (rng.random((n, n_draws)) < right)
            # Beside a larger group, which gives cells of wrong rows alone a scale.
            ends = mean_ends(summarize([few, values(rng, (200, n_draws))])[:, 0], ALPHA / 2)
            row[f"{n} rows"] = f"{covered(ends, right * mean):.3f}"
        rows.append(row)
    print(f"\n## Few rows: {n_draws} draws\n\n{table(rows)}")
    return rows


def list_tasks(shapes: Iterable[str], sizes: Iterable[str]) -> list[Task]:
    """List the cells, each with what measures it."""
    tasks: list[Task] = []
    for shape, size, pattern in product(shapes, sizes, TRIED):
        tasks.append((measure_plain, Cell(shape, size, pattern)))
        tasks += [(measure_labels, ByLabel(shape, size, pattern, mix)) for mix in MIXES]
    for size, pattern in product(sizes, TRIED):
        tasks += [(measure_gap, Gap("EOU", name, size, pattern)) for name in CONFIDENCES]
        tasks += [(measure_gap, Gap(kind, "", size, pattern)) for kind in ("CRU_s", "CRU_eps")]
    return tasks


def main() -> None:
    """Print the table and, if asked for, write its numbers."""
    extra = {
        "--draws": {"type": int, "default": 300, "help": "draws of each cell"},
        "--json": {"type": Path, "help": "file for the numbers behind the table"},
    }
    args = options(__doc__ or "", extra)
    n_draws, shapes, sizes = args.draws, DRAWN, GROUPS
    if args.quick:
        n_draws, shapes, sizes = 50, ("lognormal",), ("2: 60, 600", "5: 40-1500")
    print(machine())
    tasks = list_tasks(shapes, sizes)
    rows = [row for task in tasks for row in measure(*task, n_draws)]
    show(rows, n_draws)
    few = show_small_cells(10 * n_draws, seed=2)
    if args.json:
        numbers = {"draws": n_draws, "cells": rows, "few rows": few}
        args.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
