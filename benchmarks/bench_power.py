"""Which differences a verdict sees: between groups by their sizes, between models by the rows.

Groups: distances of one shape, of which one group's are shorter; how much shorter do they have to
be for the verdict to name the group in 80 % of draws? Models: TRADES and FARMUR on digits, on test
rows that are drawn again, with replacement within each class, until there are enough of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from common import machine, options, table
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from robfair import AdversarialClassifier, FarmurClassifier, ThreatModel, compare
from robfair._group_tests import compare_groups
from robfair._groups import encode_groups
from robfair.auditing.report._paired import paired_block_p_values

Floats = NDArray[np.float64]
SEEN = 0.8  # share of draws
ACCURACY = 0.85
SHORTER = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SIZES = ((100, 100), (300, 300), (1000, 1000), (3000, 3000), (30, 3000), (100, 3000), (300, 10000),
         (100, 300, 300, 1000, 3000), (1000,) * 5)  # fmt: skip
SHAPES: dict[str, Callable[..., Floats]] = {
    "exponential": lambda rng, n: rng.exponential(1.0, n),
    "lognormal": lambda rng, n: rng.lognormal(0.0, 1.0, n),
    "normal": lambda rng, n: np.abs(rng.normal(1.0, 0.3, n)),
}
TIMES = (0.1, 0.25, 0.5, 1, 2, 4, 8)  # the test rows of digits


def named(sizes: tuple[int, ...], shape: str, shorter: float, rng: np.random.Generator) -> bool:
    """Tell whether the first group, whose distances are shorter, is said to be below another."""
    values = [SHAPES[shape](rng, n) * (rng.random(n) < ACCURACY) for n in sizes]
    values[0] *= 1 - shorter
    groups = encode_groups(np.repeat(np.arange(len(sizes)), sizes), sum(sizes))
    one_label = encode_groups(np.zeros(sum(sizes), dtype=int), sum(sizes))
    tests = compare_groups(np.concatenate(values), groups, one_label, 0.05)
    return bool(tests.pairs.apart[tests.pairs.a == 0].any())


def show_groups(n_draws: int) -> None:
    """Print the least difference that is seen, for each shape and sizes."""
    rows = []
    for sizes in SIZES:
        row = {"rows by group, the lower one first": ", ".join(f"{n:,}" for n in sizes)}
        for shape in SHAPES:
            for shorter in SHORTER:
                rng = np.random.default_rng([len(sizes), sizes[0], int(100 * shorter)])
                seen = np.mean([named(sizes, shape, shorter, rng) for _ in range(n_draws)])
                row[shape] = f"{shorter:.0%}" if seen >= SEEN else "more than 90%"
                if seen >= SEEN:
                    break
        rows.append(row)
    print(table(rows), "\n")


def show_models(n_seeds: int, n_draws: int, epochs: tuple[int, int]) -> None:
    """Print how often FARMUR's effect on digits is seen, by the number of test rows."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    rows = []
    for seed in range(n_seeds):
        blocks = _digits_blocks(X, y, seed, epochs)
        rng = np.random.default_rng(seed)
        for times in TIMES:
            drawn = [_p_values(blocks, times, rng) for _ in range(n_draws)]
            seen = {m: np.mean([p[m] <= 0.05 for p in drawn]) for m in drawn[0]}
            n = sum(round(times * len(block)) for block in blocks)
            shares = {m: f"{share:.2f}" for m, share in seen.items()}
            rows.append({"seed": seed, "test rows": f"{n:,}", **shares})
    print(table(rows))


def _digits_blocks(X: Any, y: Any, seed: int, epochs: tuple[int, int]) -> list[Floats]:
    """Return for each class what Rob(P) is the mean of, in a column for each of two models."""
    common: dict[str, Any] = {
        "optimizer": "adam", "lr": 1e-3, "batch_size": 64, "eps": 0.1, "step_size": 0.025,
        "n_steps": 10, "beta": 6.0, "threat_model": ThreatModel(norm=np.inf, bounds=(0, 1)),
        "random_state": seed,
    }  # fmt: skip
    first, last = epochs
    train, test = slice(None, None, 2), slice(1, None, 2)  # as in `robfair reproduce`
    models = {
        "TRADES": AdversarialClassifier(max_epochs=first + last, **common),
        "FARMUR": FarmurClassifier(max_epochs=first, retrain_epochs=last, **common),
    }
    models["TRADES"].fit(X[train], y[train])
    models["FARMUR"].fit(X[train], y[train], groups=y[train])
    result = compare(
        models, X[test], y[test], sensitive_features=y[test], tau_max=10.0, n_check=0, metrics=[],
        threat_model=ThreatModel(bounds=(0, 1)),
    )  # fmt: skip
    print(result.overall.round(4).to_string(), "\n")
    values = np.stack(
        [
            np.where(audit.distances.predicted == y[test], audit.distances.distance, 0.0)
            for audit in result.audits.values()
        ],
        axis=-1,
    )
    return [values[y[test] == label] for label in np.unique(y)]


def _p_values(blocks: list[Floats], times: float, rng: np.random.Generator) -> dict[str, float]:
    drawn = [block[rng.integers(len(block), size=round(times * len(block)))] for block in blocks]
    return paired_block_p_values(drawn)


def main() -> None:
    """Run the script."""
    args = options(__doc__)
    print(machine(), "\n")
    show_groups(20 if args.quick else 300)
    show_models(*((1, 10, (2, 1)) if args.quick else (2, 300, (100, 20))))


if __name__ == "__main__":
    main()
