"""How often the verdict of an audit names a group, over all rows or within labels.

Each setting draws rows of two labels, which differ in distance, for groups that are alike, and for
groups of which one is lower. The verdict looks at all pairs of groups, over all rows and within
each label, and at the groups below Rob(f). One process; 300 draws take some minutes.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from bench_coverage import ACCURACY, ALPHA, NAMED, SHAPES, SIZES
from common import machine, options, table, verdict
from numpy.typing import NDArray

from robfair._group_tests import compare_groups, holm, row_values
from robfair._groups import Groups

SETTINGS = {
    "30, 5000": (30, 5000),
    "200, 2000": (200, 2000),
    "3 x 30, 2000, 5000": (30, 30, 30, 2000, 5000),
    "5 x 30": (30,) * 5,
    "5: 100-1500": (100, 150, 300, 700, 1500),
    "10 x 100": (100,) * 10,
    "20: 30-500": SIZES["20: 30-500"],
}
DRAWN = ("lognormal", "exponential", "normal")
FACTORS, SHARE = np.array([1.0, 0.6]), 0.3  # distance by label, and how many rows have the second
COLUMNS = ("over all rows", "within a label", "either", "vulnerable", "pairs alone")


def told(values: NDArray[np.float64], groups: Groups, labels: Groups) -> NDArray[np.bool_]:
    """Tell which kinds of claims a verdict makes; the last is that of pairs over all rows alone."""
    tests = compare_groups(values, groups, labels, ALPHA)
    over = tests.pairs.apart.any()
    within = any(each.apart.any() for each in tests.within)
    alone = (holm(tests.pairs.p) <= ALPHA).any()
    return np.array([over, within, over or within, tests.vulnerable.any(), alone])


def measure(sizes: tuple[int, ...], shape: str, n_draws: int) -> dict[str, NDArray[np.float64]]:
    """Return the shares of draws with each kind of claim, by what is true."""
    rng = np.random.default_rng([1, len(sizes), len(shape), sum(sizes)])
    groups = Groups(np.repeat(np.arange(len(sizes)), sizes), pd.RangeIndex(len(sizes)))
    lower = {
        "none differs": (-1, 1.0),
        "smallest at 0.5": (int(np.argmin(sizes)), 0.5),
        "largest at 0.8": (int(np.argmax(sizes)), 0.8),
    }
    claims = {name: np.zeros(len(COLUMNS)) for name in lower}
    for _ in range(n_draws):
        labels = Groups((rng.random(sum(sizes)) < SHARE).astype(int), pd.RangeIndex(2))
        distance = SHAPES[shape][0](rng, (sum(sizes),)) * FACTORS[labels.codes]
        right = rng.random(sum(sizes)) < ACCURACY
        for name, (group, factor) in lower.items():
            changed = np.where(groups.codes == group, factor * distance, distance)
            claims[name] += told(row_values(right, changed, None), groups, labels)
    return {name: counts / n_draws for name, counts in claims.items()}


def main() -> None:
    """Print the table."""
    extra = {"--draws": {"type": int, "default": 300, "help": "draws of each setting"}}
    args = options(__doc__ or "", extra)
    n_draws = 20 if args.quick else args.draws
    print(machine())
    rows: list[dict[str, Any]] = []
    for (title, sizes), shape in product(SETTINGS.items(), DRAWN):
        found = measure(sizes, shape, n_draws)
        null = dict(zip(COLUMNS, found["none differs"], strict=True))
        power = {
            name: f"{shares[0]:.2f} ({shares[-1]:.2f})"
            for name, shares in found.items()
            if name != "none differs"
        }
        rows.append(
            {"groups": title, "shape": shape}
            | {name: f"{share:.3f}" for name, share in null.items()}
            | power
        )
    print(f"\nShare of {n_draws} draws in which a verdict names a group, where none differs:\n")
    print(table(rows))
    worst = max(float(row["either"]) for row in rows)
    print(f"\nTarget {NAMED:.0%} where none differs: {verdict(worst <= NAMED)} ({worst:.3f}).")
    print("The last columns: one group is lower, told over all rows (by pairs alone).")


if __name__ == "__main__":
    main()
