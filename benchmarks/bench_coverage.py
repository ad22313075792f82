"""How often the 95 % intervals hold, how wide they are, and how often a verdict errs.

Each cell draws data many times from groups whose Rob(P) is known. A distance has one of several
shapes, and a row that is classified wrongly counts 0. Beside robfair's intervals stand those of the
percentile bootstrap. One process; 300 draws a cell take about half an hour. With --json, a run that
was interrupted goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, options, table, verdict
from numpy.typing import NDArray

from robfair._mean_summary import MeanSummary, contrast, p_above, summarize
from robfair.auditing.report._paired import _p_of_spread
from robfair.metrics._interval_extremes import ratio_interval, worst_interval
from robfair.metrics._interval_gini import gini
from robfair.metrics._intervals import average, dispersion, gap, inequality, variance

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]
TARGET, ALPHA, NAMED = 0.93, 0.05, 0.06
ACCURACY = 0.85  # share of rows that are right
N_BOOT = 300
AT_ONCE = 50  # draws whose intervals are computed together: some hundred MB
AGAIN = 0.935  # cells in which fewer intervals hold are drawn again
MORE = 4  # times as many


def _half_zero(rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    """Many rows on the boundary, and many beyond the cap of 1.5."""
    return np.where(rng.random(size) < 0.5, 0.0, np.minimum(rng.exponential(1.0, size), 1.5))


# Each with its mean, so that the truth is known.
SHAPES: dict[str, tuple[Callable[..., Floats], float]] = {
    "exponential": (lambda rng, size: rng.exponential(1.0, size), 1.0),
    "lognormal": (lambda rng, size: rng.lognormal(0.0, 1.0, size), float(np.exp(0.5))),
    "normal": (lambda rng, size: np.abs(rng.normal(1.0, 0.3, size)), 1.0001),
    "half zero": (_half_zero, float(0.5 * (1 - np.exp(-1.5)))),
    "Weibull 0.5": (lambda rng, size: rng.weibull(0.5, size), 2.0),
    "rate": (lambda rng, size: rng.random(size), 0.6),  # a share of rows, as in CAU
}
SIZES: dict[str, tuple[int, ...]] = {
    "2: 60, 600": (60, 600),
    "2: 30, 3000": (30, 3000),
    "3: 30, 200, 2000": (30, 200, 2000),
    "5: 40-1500": (40, 100, 300, 700, 1500),
    "5: 30, 4 x 1000": (30, 1000, 1000, 1000, 1000),
    "10: 50-800": tuple(int(n) for n in np.geomspace(50, 800, 10)),
    "20: 30-500": tuple(int(n) for n in np.geomspace(30, 500, 20)),
    "20: 500 each": (500,) * 20,
}
# The mean of each group, as a factor. Evenly spaced ones come in an order unlike that of sizes.
PATTERNS: dict[str, Callable[[tuple[int, ...]], Floats]] = {
    "equal": lambda sizes: np.ones(len(sizes)),
    "spread 0.4": lambda sizes: _even(len(sizes), 0.4),
    "largest low": lambda sizes: np.where(np.arange(len(sizes)) == np.argmax(sizes), 0.5, 1.0),
    "smallest low": lambda sizes: np.where(np.arange(len(sizes)) == np.argmin(sizes), 0.5, 1.0),
    "smallest high": lambda sizes: np.where(np.arange(len(sizes)) == np.argmin(sizes), 2.0, 1.0),
}
MEASURES: dict[str, Callable[[Floats], Floats]] = {
    "Rob(f)": lambda mean: mean.mean(axis=-1),
    "V_f": lambda mean: mean.var(axis=-1),
    "CV": lambda mean: mean.std(axis=-1) / mean.mean(axis=-1),
    "worst group": lambda mean: mean.min(axis=-1),
    "gap": lambda mean: np.ptp(mean, axis=-1),
    "ratio": lambda mean: mean.min(axis=-1) / mean.max(axis=-1),
    "Gini": gini,
}


def _even(n: int, spread: float) -> Floats:
    return 1 + spread * np.random.default_rng(n).permutation(np.linspace(-1, 1, n))


@dataclass(frozen=True)
class Cell:
    """Groups of known means, and how their values are drawn."""

    shape: str
    sizes: str
    pattern: str

    @property
    def factors(self) -> Floats:
        """Return the mean of each group, where that of the shape is 1."""
        factors = PATTERNS[self.pattern](SIZES[self.sizes])
        return factors / factors.max() if self.shape == "rate" else factors

    @property
    def truth(self) -> Floats:
        """Return Rob(P) of each group."""
        return self.factors * SHAPES[self.shape][1] * (1.0 if self.shape == "rate" else ACCURACY)

    def draw(self, n_draws: int, seed: int) -> list[Floats]:
        """Return the values of each group, of shape (n_in_group, n_draws)."""
        rng = np.random.default_rng([seed, *map(ord, f"{self.shape}{self.sizes}{self.pattern}")])
        values, mean = SHAPES[self.shape]
        blocks = []
        for n, factor in zip(SIZES[self.sizes], self.factors, strict=True):
            drawn = values(rng, (n, n_draws))
            if self.shape == "rate":
                blocks.append((drawn < mean * factor).astype(float))
            else:
                blocks.append(factor * drawn * (rng.random((n, n_draws)) < ACCURACY))
        return blocks


def ours(blocks: list[Floats]) -> dict[str, Ends]:
    """Return robfair's intervals of every draw."""
    return intervals(summarize(blocks))


def intervals(means: MeanSummary) -> dict[str, Ends]:
    """Return robfair's intervals of every draw from the summary of its groups."""
    parts = [_intervals(means[k : k + AT_ONCE]) for k in range(0, len(means.mean), AT_ONCE)]
    return {
        name: tuple(np.concatenate([part[name][end] for part in parts]) for end in (0, 1))
        for name in MEASURES
    }


def _intervals(means: MeanSummary) -> dict[str, Ends]:
    return {
        "Rob(f)": average(means, ALPHA),
        "V_f": variance(means, ALPHA, ddof=0),
        "CV": dispersion(means, ALPHA, ddof=0),
        "worst group": worst_interval(means, ALPHA),
        "gap": gap(means, ALPHA),
        "ratio": ratio_interval(means, ALPHA),
        "Gini": inequality(means, ALPHA),
    }


def percentile(blocks: list[Floats], rng: np.random.Generator) -> dict[str, Ends]:
    """Return the percentile bootstrap's intervals of every draw."""
    means = []
    for block in blocks:
        n = len(block)
        means.append(rng.multinomial(n, np.full(n, 1 / n), size=N_BOOT) @ block / n)
    replicates = np.stack(means, axis=-1)
    return {
        name: tuple(np.quantile(measure(replicates), (ALPHA / 2, 1 - ALPHA / 2), axis=0))
        for name, measure in MEASURES.items()
    }


def measure_cell(cell: Cell, n_draws: int, seed: int) -> list[dict[str, Any]]:
    """Return coverage and width of the intervals of each measure."""
    blocks = cell.draw(n_draws, seed)
    mine, boot = ours(blocks), percentile(blocks, np.random.default_rng(seed))
    rows = []
    for name, measure in MEASURES.items():
        truth = float(measure(cell.truth))
        slack = 1e-9 * max(truth, 1.0)
        row = {"measure": name, **vars(cell), "truth": truth}
        for title, (low, high) in (("", mine[name]), ("bootstrap_", boot[name])):
            row[f"{title}coverage"] = float(
                np.mean((low <= truth + slack) & (truth <= high + slack))
            )
            row[f"{title}width"] = float(np.median(high - low))
        rows.append(row)
    return rows


def measure(function: Callable[..., list[dict[str, Any]]], cell: Any,
            n_draws: int) -> list[dict[str, Any]]:  # fmt: skip
    """Measure a cell, and once more with more draws where intervals held seldom.

    Among hundreds of cells some are low by chance. The second draws do not know of the first.
    """
    rows = function(cell, n_draws, seed=2)
    again = None
    for index, row in enumerate(rows):
        row["again"] = None
        if row["coverage"] < AGAIN:
            again = again or function(cell, MORE * n_draws, seed=3)
            row["again"] = again[index]["coverage"]
    return rows


def held(row: dict[str, Any]) -> float:
    """Return the coverage, that of the second draws where there are some."""
    return float(row["coverage"] if row["again"] is None else row["again"])


def named(blocks: list[Floats]) -> float:
    """Return the share of draws in which some pair of groups is told apart (Holm's first step)."""
    pairs = np.stack(np.triu_indices(len(blocks), 1), axis=-1)
    difference = contrast(summarize(blocks), pairs)
    p = 2 * np.minimum(p_above(difference), p_above(-difference)).min(axis=-1)
    return float(np.mean(p * len(pairs) <= ALPHA))


def tell_models(rng: np.random.Generator, sizes: Iterable[int], one: Floats, other: Floats,
                correlation: float, n_draws: int) -> tuple[float, float]:  # fmt: skip
    """Return the shares of draws in which two models are told apart by V_f, and by CV."""
    told = []
    for _ in range(n_draws):
        rows = []
        for n, a, b in zip(sizes, one, other, strict=True):
            z = rng.normal(size=(n, 2))
            z[:, 1] = correlation * z[:, 0] + np.sqrt(1 - correlation**2) * z[:, 1]
            distance = np.exp(0.8 * z) * [a, b]
            rows.append(distance * (rng.random((n, 1)) < ACCURACY))
        told.append([_p_of_spread(rows, relative=relative) <= ALPHA for relative in (False, True)])
    v_f, cv = np.mean(told, axis=0)
    return float(v_f), float(cv)


def measure_all(cells: list[Cell], n_draws: int, path: Path | None) -> list[dict[str, Any]]:
    """Measure the cells that the file does not have, and write it after each."""
    rows: list[dict[str, Any]] = []
    if path and path.exists():
        seen = json.loads(path.read_text())
        rows = seen["intervals"] if seen["draws"] == n_draws else []
    done = {(row["shape"], row["sizes"], row["pattern"]) for row in rows}
    for cell in cells:
        if tuple(vars(cell).values()) not in done:
            rows += measure(measure_cell, cell, n_draws)
            write(path, {"draws": n_draws, "intervals": rows})
    return rows


def write(path: Path | None, numbers: dict[str, Any]) -> None:
    """Write the numbers, if a file is named."""
    if path:
        path.write_text(json.dumps(numbers, indent=1) + "\n")


def show_intervals(rows: list[dict[str, Any]], n_draws: int) -> list[dict[str, Any]]:
    """Print the least and the mean coverage of each measure."""
    lines = []
    for name in MEASURES:
        mine = [row for row in rows if row["measure"] == name]
        second = [row for row in mine if row["again"] is not None]
        least = min(second or mine, key=held)
        ratio = np.median([row["width"] / row["bootstrap_width"] for row in mine])
        lines.append({
            "measure": name,
            "mean": f"{np.mean([row['coverage'] for row in mine]):.3f}",
            "least": f"{min(row['coverage'] for row in mine):.3f}",
            "drawn again": len(second),
            "least then": f"{held(least):.3f}" if second else "",
            "in": f"{least['shape']}, {least['sizes']}, {least['pattern']}",
            "bootstrap's mean": f"{np.mean([row['bootstrap_coverage'] for row in mine]):.3f}",
            "its least": f"{min(row['bootstrap_coverage'] for row in mine):.3f}",
            "width / bootstrap's": f"{ratio:.2f}",
        })  # fmt: skip
    drawn = f"{n_draws} draws a cell, {MORE * n_draws} new ones where less than {AGAIN} held"
    print(f"\n## Intervals: {len(rows) // len(MEASURES)} cells, {drawn}\n\n{table(lines)}")
    low = [row for row in rows if held(row) < TARGET]
    for row in low:
        print({key: row[key] for key in ("measure", "shape", "sizes", "pattern", "again")})
    print(f"\nTarget 0.93 in every cell: {verdict(not low)} ({len(low)} of {len(rows)} below).")
    return lines


def show_groups(n_draws: int, seed: int) -> list[dict[str, Any]]:
    """Print how often a verdict names a group, where none differs and where one does."""
    settings = {
        "30, 5000": (30, 5000),
        "3 x 30, 2000, 5000": (30, 30, 30, 2000, 5000),
        "5 x 30": (30,) * 5,
        "10 x 100": (100,) * 10,
        "20: 30-500": SIZES["20: 30-500"],
    }
    rows = []
    for (title, sizes), shape in product(settings.items(), ("lognormal", "exponential", "normal")):
        rng = np.random.default_rng([seed, len(title)])
        blocks = [
            SHAPES[shape][0](rng, (n, n_draws)) * (rng.random((n, n_draws)) < ACCURACY)
            for n in sizes
        ]
        row = {"groups": title, "shape": shape, "none differs": f"{named(blocks):.3f}"}
        small, large = int(np.argmin(sizes)), int(np.argmax(sizes))
        for name, which, factor in (
            ("smallest at 0.5", small, 0.5), ("largest at 0.8", large, 0.8),
        ):  # fmt: skip
            changed = [b * factor if g == which else b for g, b in enumerate(blocks)]
            row[name] = f"{named(changed):.2f}"
        rows.append(row)
    print(f"\n## Verdicts on groups: share of {n_draws} draws that name one\n\n{table(rows)}")
    worst = max(float(row["none differs"]) for row in rows)
    print(f"\nTarget 6 % where none differs: {verdict(worst <= NAMED)} ({worst:.3f}).")
    return rows


def show_models(n_draws: int, seed: int) -> list[dict[str, Any]]:
    """Print how often two models are told apart, where they are equal in truth and where not."""
    rng = np.random.default_rng(seed)
    rows, errors = [], []
    groups = {"5 x 200": (200,) * 5, "10 x 100": (100,) * 10, "5: 40-1500": SIZES["5: 40-1500"]}
    for title, sizes in groups.items():
        one, u = np.ones(len(sizes)), _even(len(sizes), 0.3)
        cases = [(f"V_f = 0, Rob(f) x {k}", one, k * one, 0.0, (0, 1)) for k in (2, 3, 5, 10)]
        cases += [
            ("same V_f, other groups low", u, 2 - u, 0.7, (0, 1)),
            ("same CV, Rob(f) x 3", u, 3 * u, 0.7, (1,)),
            ("V_f halved", u, 1 + (u - 1) / np.sqrt(2), 0.7, ()),
            ("V_f quartered", u, 1 + (u - 1) / 2, 0.9, ()),
        ]
        for name, a, b, correlation, equal in cases:
            told = tell_models(rng, sizes, a, b, correlation, n_draws)
            errors += [told[k] for k in equal]
            rows.append({
                "groups": title, "models": name, "V_f": f"{told[0]:.3f}", "CV": f"{told[1]:.3f}",
                "equal in truth": {(0, 1): "both", (1,): "CV", (): "neither"}[equal],
            })  # fmt: skip
    print(f"\n## Two models on the same rows: share of {n_draws} draws told apart\n\n{table(rows)}")
    print(f"\nTarget 5 % of equal models: {verdict(max(errors) <= ALPHA)} ({max(errors):.3f}).")
    return rows


def show_cost() -> dict[str, float]:
    """Print the seconds of all intervals of 15,000 rows."""
    seconds = {}
    for n_groups in (5, 20):
        rng = np.random.default_rng(0)
        blocks = [rng.exponential(1.0, (15_000 // n_groups, 1)) for _ in range(n_groups)]
        ours(blocks)
        start = time.perf_counter()
        ours(blocks)
        seconds[f"{n_groups} groups"] = time.perf_counter() - start
    told = ", ".join(f"{value:.3f} s ({name})" for name, value in seconds.items())
    print(f"\nAll intervals of 15,000 rows: {told}.")
    return seconds


def main() -> None:
    """Print the tables and, if asked for, write their numbers."""
    extra = {
        "--draws": {"type": int, "default": 300, "help": "draws of each cell"},
        "--json": {"type": Path, "help": "file for the numbers behind the tables"},
    }
    args = options(__doc__ or "", extra)
    n_draws, shapes, sizes = args.draws, list(SHAPES), list(SIZES)
    if args.quick:
        n_draws, shapes, sizes = 50, ["lognormal"], ["2: 60, 600", "5: 40-1500"]
    print(machine())
    cells = [Cell(*each) for each in product(shapes, sizes, PATTERNS)]
    rows = measure_all(cells, n_draws, args.json)
    numbers = {
        "draws": n_draws,
        "intervals": rows,
        "table": show_intervals(rows, n_draws),
        "groups": show_groups(4 * n_draws, seed=1),
        "models": show_models(n_draws, seed=1),
        "seconds": show_cost(),
    }
    write(args.json, numbers)


if __name__ == "__main__":
    main()
