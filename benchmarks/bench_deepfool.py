"""DeepFool: seconds, distances and failures of robfair and of four other libraries.

Target: `method="deepfool"` at least 3 times as fast as the fastest peer that searches all classes,
and its mean distance not larger than that peer's.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import torch
from cases import Case, adult_cases, digits_cases
from common import alternate, counting, machine, median_ratio, options, table, verdict
from numpy.typing import NDArray
from peers import MAX_ITER, PACKAGES, Peer, missing, peers
from torch import Tensor, nn

from robfair import ThreatModel, boundary_distance

TARGET = 3.0
PART = 64  # samples for a peer that takes them one by one

LEGEND = f"""\
Samples are searched from the class that the network predicts, L2, at most {MAX_ITER} steps, in the
box [0, 1] unless it says "no box". Seconds are medians over rounds in which all methods take turns;
"ratio" is to the first row. Every returned point is predicted again: "failed" is the share that is
not adversarial (most peers return the sample itself or the last iterate). "mean L2" is over a
method's successes, "robfair there" the first row's mean over the same samples. "forwards" and
"backwards" are passes per sample. torchattacks takes samples one by one: it has the first {PART},
its seconds are scaled."""


@dataclass
class Outcome:
    """What a method returned, predicted again."""

    found: NDArray[np.bool_]
    distance: NDArray[np.float64]
    n_forward: float
    n_backward: float


def robfair_methods(n_classes: int) -> list[Peer]:
    """Return robfair in the peers' box with its default, with all classes, and without a box."""

    def method(n_candidates: int, bounds: tuple[float, float] | None) -> Peer:
        def run(model: nn.Module, x: Tensor, label: Tensor) -> Tensor:
            found = boundary_distance(
                model,
                x,
                method="deepfool",
                threat_model=ThreatModel(bounds=bounds),
                n_candidates=n_candidates,
            )
            return torch.from_numpy(found.adversarial)

        n_targets = min(n_candidates, n_classes - 1)
        name = f"robfair, {n_targets} target{'s' if n_targets > 1 else ''}"
        name = name if bounds is not None else f"{name}, no box"
        return Peer(name, n_targets == n_classes - 1, run)

    box = (0.0, 1.0)
    everything = [method(n_classes - 1, box)] if n_classes > 4 else []
    return [method(3, box), *everything, method(3, None)]


def run(method: Peer, case: Case) -> Tensor:
    """Points that a method returns, for the first few samples if it takes them one by one."""
    rows = slice(PART if method.one_by_one else None)
    return method.run(case.model, case.x[rows], case.label[rows]).detach()


def examine(method: Peer, case: Case) -> Outcome:
    """Run a method once, untimed, and predict what it returns."""
    with counting(case.model) as counts:
        points = run(method, case)
    n = len(points)
    with torch.no_grad():
        finite = points.flatten(1).isfinite().all(dim=1)
        predicted = case.model(points.nan_to_num()).argmax(dim=1)
    return Outcome(
        found=(finite & (predicted != case.label[:n])).numpy(),
        distance=(points.double() - case.x[:n].double()).flatten(1).norm(dim=1).numpy(),
        n_forward=counts[0] / n,
        n_backward=counts[1] / n,
    )


def report(case: Case, rounds: int) -> None:
    """Print the table of one network, and whether the target was met."""
    methods = [*robfair_methods(case.n_classes), *peers(case.n_classes)]
    outcomes = [examine(method, case) for method in methods]  # the warm-up, too
    calls: dict[str, Callable[[], object]] = {
        method.name: partial(run, method, case) for method in methods
    }
    seconds = alternate(calls, rounds, budget=10)
    for method, outcome in zip(methods, outcomes, strict=True):
        scale = len(case.x) / len(outcome.found)
        seconds[method.name] = [scale * duration for duration in seconds[method.name]]
    ours = seconds[methods[0].name]
    means = [_means(outcome, outcomes[0]) for outcome in outcomes]

    print(f"### {case.title}\n")
    print(f"{len(case.x):,} test samples, accuracy {case.accuracy:.3f}.\n")
    rows = [
        {
            "method": method.name,
            "all classes": "yes" if method.searches_all else "no",
            "seconds": f"{statistics.median(seconds[method.name]):.3f}",
            "ratio": f"{median_ratio(seconds[method.name], ours):.2f}",
            "mean L2": f"{mean:.4f}",
            "robfair there": f"{ours_there:.4f}",
            "failed": f"{(~outcome.found).mean():.1%}",
            "forwards": f"{outcome.n_forward:.1f}",
            "backwards": f"{outcome.n_backward:.1f}",
        }
        for method, outcome, (mean, ours_there) in zip(methods, outcomes, means, strict=True)
    ]
    print(table(rows))
    print(f"\n{_targets(methods, seconds, means)}\n", flush=True)


def _means(outcome: Outcome, reference: Outcome) -> tuple[float, float]:
    """Mean distance over the samples for which both succeeded, of each of the two."""
    n = len(outcome.found)
    both = outcome.found & reference.found[:n]
    return float(outcome.distance[both].mean()), float(reference.distance[:n][both].mean())


def _targets(
    methods: list[Peer], seconds: dict[str, list[float]], means: list[tuple[float, float]]
) -> str:
    others = [
        i
        for i, method in enumerate(methods)
        if method.searches_all and not method.name.startswith("robfair")
    ]
    fastest = min(others, key=lambda i: statistics.median(seconds[methods[i].name]))
    ratio = median_ratio(seconds[methods[fastest].name], seconds[methods[0].name])
    mean, mean_ours = means[fastest]
    return (
        f"Fastest peer that searches all classes: {methods[fastest].name}. "
        f"Speed: {ratio:.2f} times as fast, target {TARGET:g}: {verdict(ratio >= TARGET)}. "
        f"Mean distance: {mean_ours:.4f} against {mean:.4f}, target not larger: "
        f"{verdict(mean_ours <= mean)}."
    )


def main() -> None:
    """Print a table for each network."""
    args = options(__doc__ or "")
    absent = missing()
    if absent:
        raise SystemExit(f"not installed: {', '.join(absent)}; see benchmarks/README.md")
    print("## DeepFool\n")
    print(f"{machine(PACKAGES)}\n")
    print(f"{LEGEND}\n", flush=True)
    for case in chain(digits_cases(args.quick, 512), adult_cases(args.quick)):
        report(case, args.rounds or (1 if args.quick else 5))


if __name__ == "__main__":
    main()
