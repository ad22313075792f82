"""Certified lower bounds: how near they come to the distances found, and how long they take.

Targets: mean certified bound at least 0.65 of the mean distance of `method="auto"` on digits, 0.6
on the adversarially trained network for Adult; less time than 20 epochs of training it. LeNet
takes seconds per sample, so that a few samples have to do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np
from cases import Case, adult_cases, dense_cases, digits_cases
from common import alternate, machine, options, table, verdict

from robfair import BoundaryDistance, ThreatModel, boundary_distance

EPOCHS = 20
FEW = 8
CASES = {
    "dense": dense_cases,
    "Adult": adult_cases,
    "LeNet": lambda quick: some(digits_cases(quick)),
}
TARGETS = {"digits": 0.65, "Adult, TRADES": 0.6}  # by data, or by data and training

LEGEND = f"""\
Samples are measured from the class that the network predicts, in the box [0, 1]. "certified" is the
mean of the bounds below which no perturbation changes the label, "auto" and "strong" the mean
distances found; "above strong" counts the samples whose bound exceeds the distance of "strong",
which must not happen. "no bound" is the share of bounds that are 0 or missing; a missing one counts
as 0 in the mean. "auto, s" and "with bounds, s" are medians over rounds in which the calls take
turns, without and with `certify=True`; "CPU ms each" is the processor time of a sample with bounds,
which other work on the machine hardly changes; "{EPOCHS} epochs, s" is what so many epochs of the
network's own training take, judged by those of this run."""


def measure(case: Case, norm: float, rounds: int) -> dict[str, str]:
    """Row of the table: one network, one norm."""
    threat_model = ThreatModel(norm=norm, bounds=case.bounds)

    def call(method: str, certify: bool) -> BoundaryDistance:
        return boundary_distance(
            case.model, case.x, method=method, threat_model=threat_model, certify=certify
        )

    strong = call("strong", False)
    started = time.process_time()
    found = call("auto", True)  # the warm-up, too
    cpu = time.process_time() - started
    bound = np.nan_to_num(found.lower)
    calls: dict[str, Callable[[], object]] = {
        "auto": partial(call, "auto", False),
        "bounds": partial(call, "auto", True),
    }
    seconds = {
        name: statistics.median(each) for name, each in alternate(calls, rounds, budget=60).items()
    }
    ratio = bound.mean() / found.distance.mean()
    targets = [value for words, value in TARGETS.items() if _applies(words, case.title)]
    training = EPOCHS * case.seconds_per_epoch
    rounding = 1 + 1e-6
    return {
        "network": case.title,
        "norm": "L-inf" if norm == np.inf else "L2",
        "samples": f"{len(case.x):,}",
        "certified": f"{bound.mean():.4f}",
        "auto": f"{found.distance.mean():.4f}",
        "strong": f"{strong.distance.mean():.4f}",
        "certified / auto": f"{ratio:.3f}",
        "target": f"{targets[0]:g}: {verdict(ratio >= targets[0])}" if targets else "none",
        "no bound": f"{(bound <= 0).mean():.1%}",
        "above strong": str(int((bound > strong.distance * rounding).sum())),
        "auto, s": f"{seconds['auto']:.2f}",
        "with bounds, s": f"{seconds['bounds']:.2f}",
        "CPU ms each": f"{1000 * cpu / len(case.x):.0f}",
        f"{EPOCHS} epochs, s": f"{training:.1f}",
        "time": verdict(seconds["bounds"] < training),
    }


def some(cases: Iterable[Case]) -> Iterator[Case]:
    """Return the cases with their first few samples only."""
    for case in cases:
        n = min(FEW, len(case.x))
        yield replace(
            case, x=case.x[:n], y=case.y[:n], label=case.label[:n], groups=case.groups[:n]
        )


def _applies(words: str, title: str) -> bool:
    return all(word in title for word in words.split(", "))


def main() -> None:
    """Print one table."""
    only = {"nargs": "+", "default": list(CASES), "choices": list(CASES), "help": "some of them"}
    norms = {"nargs": "+", "default": ["2", "inf"], "help": "2, inf"}
    args = options(__doc__ or "", {"--networks": only, "--norms": norms})
    rounds = args.rounds or (1 if args.quick else 3)
    print("## Certified lower bounds\n")
    print(f"{machine()}\n")
    print(f"{LEGEND}\n", flush=True)
    rows = [
        measure(case, norm, rounds)
        for case in chain.from_iterable(CASES[name](args.quick) for name in args.networks)
        for norm in map(float, args.norms)
    ]
    print(table(rows))
    wrong = sum(int(row["above strong"]) for row in rows)
    print(f"\nBounds above a distance found: {wrong}, target none: {verdict(wrong == 0)}.\n")


if __name__ == "__main__":
    main()
