"""Draw the change of V_f against that of Rob(f), from the files of bench_even_margins.py.

Each point is a method's mean over pairs, relative to averaged TRADES of the same pairs, with 95 %
t-intervals, distances by "strong". The picture goes to docs/images/even-margins.png.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from bench_even_margins import BASE, numbers
from scipy import stats

HERE = Path(__file__).parent
FILES = ("even_margins.json", "strategies.json")
TITLES = {"digits": "digits, by class", "sex": "Adult, by sex", "race": "Adult, by race"}


def changes(rows: list[dict[str, Any]], data: str, method: str) -> np.ndarray | None:
    """Return the changes of Rob(f) and V_f in per cent: two means, and two half intervals."""
    found = {(r["method"], r["pair"]): numbers(r, "strong") for r in rows if r["data"] == data}
    pairs = [pair for name, pair in found if name == method]
    if len(pairs) < 2:
        return None
    values = np.array([
        [[found[name, pair][key] for name in (BASE, method)] for pair in pairs]
        for key in ("Rob(f)", "V_f")
    ])  # fmt: skip
    change = 100 * (values[..., 1] - values[..., 0]) / values[..., :1].mean(axis=1)
    half = stats.t.ppf(0.975, len(pairs) - 1) * stats.sem(change, axis=1)
    return np.stack([change.mean(axis=1), half])


def main() -> None:
    """Draw one panel for each data set."""
    rows = [row for name in FILES for row in json.loads((HERE / name).read_text())]
    methods = [name for name in dict.fromkeys(row["method"] for row in rows) if name != BASE]
    figure, axes = plt.subplots(
        1, len(TITLES), figsize=(11, 4.2), sharey=True, layout="constrained"
    )
    for axis, (data, title) in zip(axes, TITLES.items(), strict=True):
        axis.axhline(0, color="0.8", zorder=0)
        axis.axvline(0, color="0.8", zorder=0)
        axis.plot(0, 0, "k+", markersize=10, label=BASE)
        for number, method in enumerate(methods):
            found = changes(rows, data, method)
            if found is not None:
                (x, y), half = found
                axis.errorbar(
                    x, y, xerr=half[0], yerr=half[1], label=method, elinewidth=0.8,
                    fmt="osD^vPX*"[number % 8], color=f"C{number}",
                )  # fmt: skip
        axis.set(title=title, xlabel="change of Rob(f), %", ylim=(-130, 30))
    axes[0].set_ylabel("change of V_f, %")
    # The first panel has all methods.
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False
    )
    figure.savefig(HERE.parent / "docs" / "images" / "even-margins.png", dpi=110)


if __name__ == "__main__":
    main()
