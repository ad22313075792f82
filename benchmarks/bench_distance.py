"""Tight distances: robfair's beside those of adv-lib and Foolbox, on the same samples in one run.

Targets: the mean of `method="auto"` at most 1.005 times that of the pointwise best of all methods,
without a failure, in a quarter of the time of DDN with 100 steps; that of "strong" at most 1.0005
times; V_f within 3 % of V_f of the pointwise best; features times 100 give distances times 100.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import Case, adult_cases, digits_cases, mnist_cases, rescaled
from common import alternate, counting, machine, median_ratio, options, table, verdict
from minimal_norm_peers import Search, searches
from numpy.typing import NDArray
from peers import missing
from torch import Tensor, nn

from robfair import ThreatModel, boundary_distance
from robfair.metrics import robustness_variance

PACKAGES = ("foolbox", "adv-lib")
AUTO, STRONG, DDN = "robfair auto", "robfair strong", "adv-lib DDN-100"
AUTO_RATIO, STRONG_RATIO, TIME_RATIO, V_F_ERROR, SCALE_ERROR = 1.005, 1.0005, 0.25, 0.03, 0.001
FACTOR = 100.0
QUICK = 10.0  # seconds

LEGEND = f"""\
L2 distances from the class that the network predicts, in the stated box. Every returned point is
predicted again: "failed" is the share that is not adversarial or not in the box. The pointwise best
is, for each sample, the least distance of all methods; "mean / best" compares a method's mean with
that of the pointwise best over the same samples, those where the method succeeded. Seconds are
medians over rounds in which the methods take turns, one call for all samples, or of one
call where it takes longer than {QUICK:g} s; "/ DDN-100" is to
{DDN} on features in [0, 1]. "forwards" and "backwards" are passes per sample. V_f is the
variance over groups (race; the true class of images) of Rob(P), "-" where a method failed. DDN of
adv-lib runs without its 8-bit rounding, except where the name says so. Each network comes twice,
the second time with all features {FACTOR:g} times as large: adv-lib's attacks are made for [0, 1]
and refuse such samples or, FAB, clip them to it."""

NO_MNIST = """\
### LeNet, MNIST: skipped

No mnist.npz: uint8 arrays X_train and X_test of shape (n, 28, 28), y_train and y_test. Name the
folder that holds it by the environment variable ROBFAIR_DATA or by --data-home. To make it from any
copy of MNIST: `numpy.savez("mnist.npz", X_train=..., y_train=..., X_test=..., y_test=...)`.
"""


@dataclass
class Outcome:
    """What a method returned, predicted again; distances are infinite where it failed."""

    distance: NDArray[np.float64]
    n_forward: float
    n_backward: float
    seconds: list[float] = field(default_factory=list)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which samples got an adversarial point."""
        return np.isfinite(self.distance)


@dataclass
class Comparison:
    """A network with the outcomes of all methods that ran, and the pointwise best."""

    case: Case
    outcomes: dict[str, Outcome]
    refused: dict[str, str]
    best: NDArray[np.float64]

    def ratio(self, name: str) -> float:
        """Mean distance to that of the pointwise best, where the method succeeded."""
        found = self.outcomes[name].found
        distance = self.outcomes[name].distance
        return float(distance[found].mean() / self.best[found].mean()) if found.any() else np.nan

    def failed(self, name: str) -> float:
        """Share of the samples without an adversarial point."""
        return float((~self.outcomes[name].found).mean())

    def v_f(self, distance: NDArray[np.float64]) -> float:
        """V_f over the groups of the case; NaN if a distance is missing."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of infinite distances: NaN says it
            estimate = robustness_variance(
                self.case.y,
                self.case.label.numpy(),
                distance=distance,
                sensitive_features=self.case.groups,
            )
        return float(estimate)

    def v_f_ratio(self, name: str) -> float:
        """V_f to that of the pointwise best."""
        return self.v_f(self.outcomes[name].distance) / self.v_f(self.best)


def robfair_methods() -> list[Search]:
    """Return the default, the tightest and the plain method."""

    def search(method: Any) -> Search:
        def run(model: nn.Module, x: Tensor, label: Tensor, bounds: tuple[float, float]) -> Tensor:
            # DeepFool with three target classes, as in the figures of docs/benchmarks.md.
            few = {"n_candidates": 3} if method == "deepfool" else {}
            found = boundary_distance(
                model, x, method=method, threat_model=ThreatModel(bounds=bounds), **few
            )
            return torch.from_numpy(found.adversarial)

        return Search(f"robfair {method}", run)

    return [search("auto"), search("strong"), search("deepfool")]


def make_cases(folder: Path | None, quick: bool) -> Iterator[Case]:
    """Train the networks one after the other; MNIST if it is there."""
    yield from chain(digits_cases(quick), adult_cases(quick))
    if folder is None or not (folder / "mnist.npz").is_file():
        print(NO_MNIST, flush=True)
    else:
        yield from mnist_cases(folder, quick)


def examine(method: Search, case: Case) -> Outcome:
    """Run a method once and predict what it returns."""
    started = time.perf_counter()
    with counting(case.model) as counts:
        points = method.run(case.model, case.x, case.label, case.bounds)
    seconds = time.perf_counter() - started
    low, high = case.bounds
    slack = 1e-6 * (high - low)  # x + (p - x) is not always p
    inside = ((points >= low - slack) & (points <= high + slack)).flatten(1).all(dim=1)
    with torch.no_grad():
        predicted = case.model(points.nan_to_num()).argmax(dim=1)
    adversarial = inside & (predicted != case.label)
    distance = (points.double() - case.x.double()).flatten(1).norm(dim=1).numpy()
    n = len(points)
    return Outcome(
        distance=np.where(adversarial, distance, np.inf),
        n_forward=counts[0] / n,
        n_backward=counts[1] / n,
        seconds=[seconds],
    )


def compare(
    case: Case, methods: list[Search], rounds: int, known: NDArray[np.float64] | None = None
) -> Comparison:
    """Run and time all methods on a case.

    `known` are distances of points found otherwise, which count in the pointwise best.
    """
    outcomes: dict[str, Outcome] = {}
    refused: dict[str, str] = {}
    calls: dict[str, Callable[[], object]] = {}
    for method in methods:
        try:
            outcomes[method.name] = examine(method, case)
        except Exception as error:
            if method.name.startswith("robfair"):
                raise
            refused[method.name] = f"{type(error).__name__}: {error}"
        else:
            # The first run of the quick ones is their warm-up; for the slow ones it is enough.
            if outcomes[method.name].seconds[0] < QUICK:
                run = partial(method.run, case.model, case.x, case.label, case.bounds)
                calls[method.name] = run
    for name, seconds in alternate(calls, rounds, budget=10).items():
        outcomes[name].seconds = seconds
    distances = [outcome.distance for outcome in outcomes.values()]
    best = np.min([*distances, *([] if known is None else [known])], axis=0)
    return Comparison(case, outcomes, refused, best)


def report(found: Comparison, ddn_seconds: list[float]) -> None:
    """Print the table of a network and whether the targets were met."""
    case = found.case
    low, high = case.bounds
    print(f"### {case.title}\n")
    print(
        f"{len(case.x):,} test samples in the box [{low:g}, {high:g}], accuracy "
        f"{case.accuracy:.3f}. Pointwise best: mean L2 {_mean(found.best):.4f}, "
        f"V_f {found.v_f(found.best):.3g}.\n"
    )
    rows = []
    for name, outcome in found.outcomes.items():
        v_f = found.v_f(outcome.distance)
        rows.append(
            {
                "method": name,
                "seconds": f"{statistics.median(outcome.seconds):.3f}",
                "/ DDN-100": f"{median_ratio(outcome.seconds, ddn_seconds):.2f}",
                "mean L2": f"{_mean(outcome.distance):.4f}",
                "mean / best": f"{found.ratio(name):.4f}",
                "failed": f"{found.failed(name):.1%}",
                "forwards": f"{outcome.n_forward:.1f}",
                "backwards": f"{outcome.n_backward:.1f}",
                "V_f": _or_dash(v_f, ".3g"),
                "V_f / best": _or_dash(found.v_f_ratio(name), ".3f"),
            }
        )
    print(table(rows))
    for error in dict.fromkeys(found.refused.values()):
        names = [name for name, text in found.refused.items() if text == error]
        print(f"\nn/a: {', '.join(names)}: {error}")
    print(f"\n{_targets(found, ddn_seconds)}", flush=True)


def _mean(distance: NDArray[np.float64]) -> float:
    """Mean of the finite distances."""
    finite = np.isfinite(distance)
    return float(distance[finite].mean()) if finite.any() else np.nan


def _or_dash(value: float, spec: str) -> str:
    return format(value, spec) if np.isfinite(value) else "-"


def _targets(found: Comparison, ddn_seconds: list[float]) -> str:
    auto, strong = found.ratio(AUTO), found.ratio(STRONG)
    failed = found.failed(AUTO)
    share = median_ratio(found.outcomes[AUTO].seconds, ddn_seconds)
    v_f = found.v_f_ratio(AUTO)
    return (
        f'"auto": mean / best {auto:.4f}, target {AUTO_RATIO:g}: {verdict(auto <= AUTO_RATIO)}; '
        f"failed {failed:.1%}, target none: {verdict(failed == 0)}; "
        f"{share:.2f} of the time of DDN-100, target {TIME_RATIO:g}: "
        f"{verdict(share <= TIME_RATIO)}; "
        f"V_f / best {v_f:.3f}, target 1 within {V_F_ERROR:.0%}: "
        f"{verdict(abs(v_f - 1) <= V_F_ERROR)}. "
        f'"strong": mean / best {strong:.4f}, target {STRONG_RATIO:g}: '
        f"{verdict(strong <= STRONG_RATIO)}.\n"
    )


def scaling(unit: Comparison, large: Comparison) -> str:
    """Say whether distances grew with the features."""
    parts = []
    for name in (AUTO, STRONG):
        small = unit.outcomes[name].distance
        factor = float(large.outcomes[name].distance.sum() / small.sum())
        met = abs(factor / FACTOR - 1) <= SCALE_ERROR
        parts.append(f"{name} {factor:.3f} times, target {FACTOR:g}: {verdict(met)}")
    return f"Sum of the distances against that of the features as given: {'; '.join(parts)}.\n"


def summary(unit: Comparison, large: Comparison) -> dict[str, str]:
    """Row of the last table."""
    names = (AUTO, STRONG, "robfair deepfool", DDN, "adv-lib DDN-1000", "adv-lib SDF")
    ratios = {name: f"{unit.ratio(name):.4f}" for name in names if name in unit.outcomes}
    ddn_seconds = unit.outcomes[DDN].seconds
    times = {
        name: f"{median_ratio(unit.outcomes[name].seconds, ddn_seconds):.2f}"
        for name in (AUTO, STRONG)
    }
    return {
        "network": unit.case.title,
        **{f"{_short(name)} / best": ratio for name, ratio in ratios.items()},
        **{f"time, {_short(name)} / DDN-100": ratio for name, ratio in times.items()},
        "auto failed": f"{unit.failed(AUTO):.1%}",
        "V_f, auto / best": f"{unit.v_f_ratio(AUTO):.3f}",
        "V_f, DDN-100 / best": _or_dash(unit.v_f_ratio(DDN), ".3f"),
        f"auto / best, x {FACTOR:g}": f"{large.ratio(AUTO):.4f}",
    }


def _short(name: str) -> str:
    return name.rpartition(" ")[2]


def main() -> None:
    """Print two tables for each network, and one of all."""
    home = os.environ.get("ROBFAIR_DATA")
    args = options(
        __doc__ or "",
        {
            "--data-home": {
                "type": Path,
                "default": Path(home) if home else None,
                "help": "folder that holds mnist.npz; default: the variable ROBFAIR_DATA",
            }
        },
    )
    absent = missing(PACKAGES)
    if absent:
        raise SystemExit(f"not installed: {', '.join(absent)}; see benchmarks/README.md")
    print("## Tight distances\n")
    print(f"{machine(PACKAGES)}\n")
    print(f"{LEGEND}\n", flush=True)
    methods = [*robfair_methods(), *searches(args.quick)]
    rounds = args.rounds or (1 if args.quick else 5)
    rows = []
    for case in make_cases(args.data_home, args.quick):
        unit = compare(case, methods, rounds)
        ddn_seconds = unit.outcomes[DDN].seconds
        report(unit, ddn_seconds)
        large = compare(rescaled(case, FACTOR), methods, 1, known=FACTOR * unit.best)
        report(large, ddn_seconds)
        print(scaling(unit, large))
        rows.append(summary(unit, large))
    print("### Summary\n")
    print(table(rows), flush=True)


if __name__ == "__main__":
    main()
