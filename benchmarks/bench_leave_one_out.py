"""Leave-one-out refits: two worker processes against one.

Target: at least 1.7 times as fast. The two take turns, with warm workers, and give the same numbers
to the last bit, which is checked.
"""

from __future__ import annotations

import statistics
from functools import partial

import numpy as np
from common import adult, alternate, machine, median_ratio, options, table, verdict

from robfair import NaturalClassifier
from robfair.leave_one_out import leave_one_out

TARGET = 1.7


def main() -> None:
    """Print the table, and whether the target was met."""
    args = options(__doc__ or "")
    rounds = args.rounds or (1 if args.quick else 3)
    n_train, n_left_out = (2000, 3) if args.quick else (30162, 10)
    (X, y, X_test, _), *_ = adult(unit_interval=False)
    clf = NaturalClassifier(max_epochs=2, random_state=0)
    run = partial(
        leave_one_out, clf, X[:n_train], y[:n_train], X_test[:1000], n_left_out=n_left_out
    )
    jobs = {"1": 1, "2": 2}
    one, two = (run(n_jobs=n_jobs) for n_jobs in jobs.values())  # the warm-up
    same = np.array_equal(one.proba_refitted, two.proba_refitted)
    seconds = alternate(
        {name: partial(run, n_jobs=n_jobs) for name, n_jobs in jobs.items()}, rounds, budget=600
    )
    ratio = median_ratio(seconds["1"], seconds["2"])
    print("## Leave-one-out refits\n")
    print(f"{machine(['joblib'])}\n")
    print(
        f"NaturalClassifier, 2 epochs on {n_train:,} rows of UCI Adult (104 features): "
        f"{n_left_out} samples left out, {n_left_out} other seeds and 2 fits on all, each on one "
        f"thread; medians of {rounds} runs, in turns.\n"
    )
    n_refits = 2 * n_left_out + 2
    print(
        table(
            [
                {
                    "workers": name,
                    "seconds": f"{statistics.median(times):.2f}",
                    "per refit, s": f"{statistics.median(times) / n_refits:.3f}",
                }
                for name, times in seconds.items()
            ]
        )
    )
    print(f"\nSame confidences to the last bit: {'yes' if same else '**no**'}.")
    print(f"\n2 workers: {ratio:.2f} times, target {TARGET:g}: {verdict(ratio >= TARGET)}.\n")


if __name__ == "__main__":
    main()
