"""Attacks: PGD of robfair beside Foolbox and torchattacks, and the least eps beside a grid of PGD.

Targets: PGD with 20 steps not slower than the faster of the two peers, and its success not lower
than either's by more than a percentage point, which random starts make; `least_eps` at least 5
times as fast as PGD on a grid of the same resolution.
"""

from __future__ import annotations

import importlib
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from cases import Case, adult_cases, digits_cases
from common import alternate, counting, machine, median_ratio, options, table, verdict
from peers import missing, stand_ins
from torch import Tensor

from robfair import ThreatModel
from robfair.attacks import attack, attack_success, least_eps

PACKAGES = ("foolbox", "torchattacks")
N_STEPS = 20
STEP = 2.5 / N_STEPS  # relative to eps
EPS_MAX = 0.3
TARGET = 5.0
LUCK = 0.01  # that success may differ by
# Grids take long: samples for the second table, images and rows.
FEW = {"LeNet": 32, "Adult": 512}

LEGEND = f"""\
PGD, L-inf, in the box [0, 1], away from the true class: {N_STEPS} steps of {STEP:g} eps from a
random start, the same for all. Every returned point is predicted again: "success" is the share that
is wrong then, samples that the network gets wrong anyway included. "forwards" and "backwards" are
passes per sample. Seconds are medians over rounds in which all methods take turns."""

LEGEND_LEAST = f"""\
The least eps up to {EPS_MAX}, from the true class, in the box [0, 1]. The grid is `attack_success`
with PGD at multiples of the mean resolution of `least_eps`; it attacks only samples that no smaller
eps has fooled. "distance" is `least_eps(method="distance")`. "mean eps" is over the samples that
all three found; "censored" are those not fooled at any eps."""

Call = Callable[[], Any]


def attacks(case: Case, eps: float) -> dict[str, Callable[[], Tensor]]:
    """PGD of each library, from nothing to the points that it returns."""
    foolbox: Any = importlib.import_module("foolbox")
    with stand_ins("torchvision", "torchvision.models"):
        torchattacks: Any = importlib.import_module("torchattacks")
    y, threat_model = torch.from_numpy(case.y), ThreatModel(np.inf, case.bounds)

    def ours() -> Tensor:
        found = attack(
            case.model, case.x, case.y, eps=eps, n_steps=N_STEPS, threat_model=threat_model
        )
        return torch.from_numpy(found.adversarial)

    def by_foolbox() -> Tensor:
        pgd = foolbox.attacks.LinfPGD(rel_stepsize=STEP, steps=N_STEPS)
        model = foolbox.PyTorchModel(case.model, bounds=case.bounds, device=case.x.device)
        return torch.as_tensor(pgd(model, case.x, y, epsilons=eps)[1])

    def by_torchattacks() -> Tensor:
        pgd = torchattacks.PGD(case.model, eps=eps, alpha=STEP * eps, steps=N_STEPS)
        return torch.as_tensor(pgd(case.x, y))

    return {"robfair": ours, "Foolbox": by_foolbox, "torchattacks": by_torchattacks}


def compare(case: Case, eps: float, rounds: int) -> None:
    """Print the table of PGD for one network and eps."""
    calls = attacks(case, eps)
    success, passes = {}, {}
    for name, call in calls.items():  # the warm-up, too
        with counting(case.model) as counts:
            points = call()
        with torch.no_grad():
            wrong = case.model(points).argmax(dim=1).numpy() != case.y
        success[name] = float(wrong.mean())
        passes[name] = [count / len(points) for count in counts]
    seconds = alternate(calls, rounds, budget=60)
    print(f"### {case.title}, eps {eps:g}\n")
    print(f"{len(case.x):,} test samples, accuracy {case.accuracy:.3f}.\n")
    rows = [
        {
            "method": name,
            "seconds": f"{statistics.median(seconds[name]):.3f}",
            "ratio": f"{median_ratio(seconds[name], seconds['robfair']):.2f}",
            "success": f"{success[name]:.2%}",
            "forwards": f"{passes[name][0]:.1f}",
            "backwards": f"{passes[name][1]:.1f}",
        }
        for name in calls
    ]
    print(table(rows))
    fastest = min(seconds, key=lambda n: (n == "robfair", statistics.median(seconds[n])))
    ratio = median_ratio(seconds[fastest], seconds["robfair"])
    best = max(success[name] for name in calls if name != "robfair")
    print(
        f"\nSpeed: {ratio:.2f} times that of {fastest}, target 1: {verdict(ratio >= 1)}. "
        f"Success: {success['robfair']:.2%} against {best:.2%}, target not lower "
        f"by more than {LUCK:.0%}: {verdict(success['robfair'] >= best - LUCK)}.\n",
        flush=True,
    )


def search(case: Case, rounds: int, tolerance: float) -> None:
    """Print the table of the least eps for one network."""
    threat_model = ThreatModel(np.inf, case.bounds)
    given = (case.model, case.x, case.y)

    def least(method: str) -> Any:
        return least_eps(
            *given, eps_max=EPS_MAX, method=method, threat_model=threat_model, tolerance=tolerance
        )

    ours, distance = least("pgd"), least("distance")
    found = ours.status == "found"
    step = float(ours.resolution[found].mean())
    grid = EPS_MAX * np.arange(1, math.ceil(EPS_MAX / step) + 1) / math.ceil(EPS_MAX / step)
    calls: dict[str, Call] = {
        "least_eps": partial(least, "pgd"),
        "distance": partial(least, "distance"),
        f"grid of {len(grid)} eps": partial(
            attack_success, *given, grid, threat_model=threat_model
        ),
    }
    seconds = alternate(calls, rounds, budget=120)
    success = attack_success(*given, grid, threat_model=threat_model).to_numpy()
    first = np.where(success.any(axis=1), grid[success.argmax(axis=1)], np.inf)
    eps = dict(zip(calls, (ours.eps, distance.eps, first), strict=True))
    all_found = found & (distance.status == "found") & np.isfinite(first)
    print(f"### {case.title}\n")
    print(f"{len(case.x):,} test samples, accuracy {case.accuracy:.3f}.\n")
    rows = [
        {
            "method": name,
            "seconds": f"{statistics.median(seconds[name]):.2f}",
            "ratio": f"{median_ratio(seconds[name], seconds['least_eps']):.2f}",
            "mean eps": f"{eps[name][all_found].mean():.4f}",
            "censored": str(int(np.isinf(eps[name]).sum())),
        }
        for name in calls
    ]
    print(table(rows))
    ratio = median_ratio(seconds[list(calls)[-1]], seconds["least_eps"])
    print(
        f"\nMean resolution of least_eps {step:.5f}. Speed: {ratio:.1f} times that of the grid, "
        f"target {TARGET:g}: {verdict(ratio >= TARGET)}.\n",
        flush=True,
    )


def cases(quick: bool) -> Iterator[tuple[Case, float]]:
    """Networks, each with the eps of its attack."""
    return chain(
        ((case, 0.1) for case in digits_cases(quick)), ((case, 0.05) for case in adult_cases(quick))
    )


def main() -> None:
    """Print the tables of both parts for each network."""
    args = options(__doc__ or "")
    absent = missing(PACKAGES)
    if absent:
        raise SystemExit(f"not installed: {', '.join(absent)}; see benchmarks/README.md")
    torch.manual_seed(0)  # the peers draw from the global generator
    trained = list(cases(args.quick))
    print("## PGD\n")
    print(f"{machine(PACKAGES)}\n")
    print(f"{LEGEND}\n", flush=True)
    for case, eps in trained:
        compare(case, eps, args.rounds or (1 if args.quick else 9))
    print("## Least eps\n")
    print(f"{LEGEND_LEAST}\n", flush=True)
    for case, _ in trained:
        n = 8 if args.quick else next(n for word, n in FEW.items() if word in case.title)
        part = replace(
            case, x=case.x[:n], y=case.y[:n], label=case.label[:n], groups=case.groups[:n]
        )
        search(part, args.rounds or (1 if args.quick else 2), 0.1 if args.quick else 0.01)


if __name__ == "__main__":
    main()
