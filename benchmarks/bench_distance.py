"""The ruler on robust networks: minimum-norm searches beside the best known distances.

For each network and norm: the passes of each method, its CPU time as a ratio to DDN with 100 steps,
its mean distance and its V_f as ratios to those of the best known points, and its failures. Seed 0
is what the search was tuned on, seed 1 is what is reported. Networks and distances are kept in a
folder, so that a run goes on where it was interrupted; the best known distances of a network are
the least of all methods that ran on it, with those of --deep: ten times the passes of "strong",
DDN with 1,000 steps, an eps-search by APGD, Brendel-Bethge from Foolbox, L-BFGS, and last the ten
times again with other random numbers, which says how far the best known still falls. --curve
measures "auto" with a `budget=` of 20 to 2,000 passes.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import NETWORKS, trained
from common import counting, machine, options
from distance_tables import condensed, summary
from numpy.typing import NDArray
from peers import missing, stand_ins
from quasi_newton import from_starts
from torch import Tensor

from robfair import ThreatModel, boundary_distance
from robfair.metrics import robustness_variance

PACKAGES = ("foolbox", "adv-lib")
Distances = NDArray[np.float64]
Network = dict[str, Any]
# Points of all samples, adversarial or not.
Method = Callable[[Network, float], Tensor]

OLD = """
import sys, time, numpy as np, torch
from dataclasses import replace
from robfair import ThreatModel, boundary_distance
torch.set_num_threads(1)
net = torch.load(sys.argv[1], weights_only=False)
threat = replace(net["threat"], norm=float(sys.argv[3]))
for _ in range(2):
    started = time.process_time()
    found = boundary_distance(
        net["model"], net["x"].numpy(), method=sys.argv[2], threat_model=threat
    )
    seconds = time.process_time() - started
    if seconds > 5:
        break
passes = found.n_forward + found.n_backward
np.savez(sys.argv[4], points=found.adversarial, passes=passes, seconds=seconds)
"""
BUDGETS = (20, 50, 100, 200, 500, 1000, 2000)
LAST = "strong, 4,000 passes, again"
QUICK = 5.0  # CPU seconds below which a method is run again, warm


def robfair_method(name: str, **more: Any) -> Method:
    """Return a method of this robfair."""

    def run(network: Network, norm: float) -> Tensor:
        found = boundary_distance(
            network["model"], network["x"], method=name, threat_model=_threat(network, norm), **more
        )
        return torch.from_numpy(found.adversarial)

    return run


def peers(norm: float, deep: bool) -> dict[str, Method]:
    """Return the methods of other libraries; adv-lib takes features in [0, 1] that all may move."""
    with stand_ins("torchvision", "torchvision.models", "visdom"):
        lib: Any = importlib.import_module("adv_lib.attacks")
        apgd: Any = importlib.import_module("adv_lib.attacks.auto_pgd").minimal_apgd
    foolbox: Any = importlib.import_module("foolbox")

    def adv(attack: Callable[..., Tensor], **more: Any) -> Method:
        def run(network: Network, norm: float) -> Tensor:
            torch.manual_seed(0)
            return attack(network["model"], network["x"], _label(network), **more).detach()

        return run

    def brendel_bethge(network: Network, norm: float) -> Tensor:
        x, label = network["x"], _label(network)
        fattacks = foolbox.attacks
        attack = (
            fattacks.L2BrendelBethgeAttack if norm == 2 else fattacks.LinfinityBrendelBethgeAttack
        )
        begin = boundary_distance(
            network["model"], x, method="deepfool", threat_model=_threat(network, norm)
        ).adversarial
        model = foolbox.PyTorchModel(network["model"], bounds=(0, 1), device=x.device)
        return attack(steps=300).run(
            model,
            x,
            foolbox.criteria.Misclassification(label),
            starting_points=torch.from_numpy(begin),
        )

    if deep:
        most = {2: 20.0, np.inf: 1.0}[norm]
        found = {"Brendel-Bethge": brendel_bethge}
        found["APGD eps-search"] = adv(
            apgd, norm=norm, max_eps=most, n_iter=50, binary_search_steps=12
        )
        return found | ({"DDN-1000": adv(lib.ddn, steps=1000, levels=None)} if norm == 2 else {})
    both = {
        "FMN-100": adv(lib.fmn, norm=norm, steps=100),
        "FAB-50": adv(lib.fab, norm=norm, n_iter=50),
        "PDPGD-100": adv(lib.pdpgd, norm=norm, num_steps=100),
    }
    if norm != 2:
        return both
    ddn = {f"DDN-{n}": adv(lib.ddn, steps=n, levels=None) for n in (20, 100)}
    return ddn | both | {"SDF": adv(lib.sdf), "ALMA-100": adv(lib.alma, num_steps=100)}


def quasi_newton(network: Network, norm: float) -> Tensor:
    """Return the points of L-BFGS, from those of other searches and from rows of other classes."""
    x, model, threat = network["x"], network["model"], _threat(network, norm)
    label, shape = _label(network), x.shape
    box, mask = threat.box(shape[1:]), threat.mask(shape[1:])
    flat = x.flatten(1)
    low, high = (None, None) if box is None else (torch.from_numpy(np.array(s)).to(x) for s in box)
    moving = torch.ones_like(flat[0]) if mask is None else torch.from_numpy(np.array(mask)).to(x)

    def clip(points: Tensor) -> Tensor:
        points = flat + moving * (points - flat)
        return points if low is None else torch.minimum(torch.maximum(points, low), high)

    def margin(points: Tensor) -> Tensor:
        logits = model(points.reshape(shape))
        own = logits.gather(1, label[:, None])[:, 0]
        others: Tensor = logits.scatter(1, label[:, None], -torch.inf).amax(dim=1)
        return own - others

    found = [robfair_method(name)(network, norm).flatten(1) for name in ("auto", "deepfool")]
    rival = torch.where(label[:, None] == label, torch.inf, torch.cdist(flat, flat)).argmin(dim=1)
    halfway = clip(flat + 0.5 * (flat[rival] - flat))
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    radius = (found[0] - flat).norm(dim=1, keepdim=True)
    around = clip(found[0] + moving * noise * radius / flat.shape[1] ** 0.5)
    starts = [torch.where(each.isfinite(), each, halfway) for each in (*found, halfway, around)]
    return from_starts(margin, flat, starts, clip).reshape(shape)


def _threat(network: Network, norm: float) -> ThreatModel:
    threat: ThreatModel = network["threat"]
    return ThreatModel(norm, threat.bounds, threat.mutable)


def _label(network: Network) -> Tensor:
    with torch.no_grad():
        label: Tensor = network["model"](network["x"]).argmax(dim=1)
    return label


def measure(network: Network, norm: float, method: Method) -> dict[str, Any]:
    """Run a method, predict its points, and return distances, passes and CPU seconds."""
    with counting(network["model"]) as counts:
        seconds, points = _timed(network, norm, method)
    if seconds < QUICK:
        seconds, _ = _timed(network, norm, method)
    return {
        "distance": confirmed(network, points, norm).tolist(),
        "passes": sum(counts) / len(points),
        "seconds": seconds,
    }


def _timed(network: Network, norm: float, method: Method) -> tuple[float, Tensor]:
    """Return CPU seconds and points."""
    started = time.process_time()
    points = method(network, norm)
    return time.process_time() - started, points


def confirmed(network: Network, points: Tensor, norm: float) -> Distances:
    """Return the distances of points that flip and are valid, inf for the others."""
    x, threat = network["x"], network["threat"]
    moved = (points.double() - x.double()).flatten(1)
    with torch.no_grad():
        flipped = network["model"](points.nan_to_num()).argmax(dim=1) != _label(network)
    box, mask = threat.box(x.shape[1:]), threat.mask(x.shape[1:])
    valid = flipped.numpy()
    if box is not None:
        low, high = (torch.from_numpy(np.array(side)) for side in box)
        slack = 1e-6 * (high - low)
        flat = points.flatten(1).double()
        valid &= ((flat >= low - slack) & (flat <= high + slack)).all(dim=1).numpy()
    if mask is not None:
        valid &= (moved[:, ~torch.from_numpy(np.array(mask))] == 0).all(dim=1).numpy()
    return np.where(valid, torch.linalg.vector_norm(moved, norm, dim=1).numpy(), np.inf)


def old_method(
    folder: Path, name: str, network: Network, path: Path, norm: float
) -> dict[str, Any]:
    """Run a method of an older robfair, from its checkout, in a process of its own."""
    out = path.with_suffix(".npz")
    command = [sys.executable, "-c", OLD, str(path), name, str(norm), str(out)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(folder)})
    with np.load(out) as found:
        points, passes = torch.from_numpy(found["points"]), float(found["passes"].mean())
        seconds = float(found["seconds"])
    out.unlink()
    distance = confirmed(network, points, norm).tolist()
    return {"distance": distance, "passes": passes, "seconds": seconds}


def v_f(network: Network, distance: Distances) -> float:
    """V_f over the groups of the network; NaN if a distance is missing."""
    label = _label(network).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(
            robustness_variance(
                label, label, distance=distance, sensitive_features=network["groups"]
            )
        )


def rows(
    name: str, seed: int, norm: float, network: Network, runs: dict[str, Any]
) -> list[dict[str, str]]:
    """Return the lines of the table for a network."""
    distances = {key: np.array(run["distance"]) for key, run in runs.items()}
    best = np.min(list(distances.values()), axis=0)
    ddn = runs.get("DDN-100", {}).get("seconds")
    lines = []
    for key, run in runs.items():
        found = np.isfinite(distances[key])
        ratio = distances[key][found].mean() / best[found].mean() if found.any() else np.nan
        variance = v_f(network, distances[key]) / v_f(network, best)
        lines.append(
            {
                "network": f"{name}, seed {seed}",
                "norm": "L2" if norm == 2 else "L-inf",
                "method": key,
                "passes": f"{run['passes']:.0f}",
                "time / DDN-100": f"{run['seconds'] / ddn:.2f}" if ddn else "-",
                "mean / best": f"{ratio:.4f}",
                "V_f / best": f"{variance:.2f}" if np.isfinite(variance) else "-",
                "failed": f"{1 - found.mean():.1%}",
            }
        )
    return lines


def methods_of(network: Network, norm: float, deep: bool, curve: bool) -> dict[str, Method]:
    """Return the methods that can measure a network."""
    own = {name: robfair_method(name) for name in ("auto", "strong", "deepfool")}
    if curve:
        own |= {f"budget={n}": robfair_method("auto", budget=n) for n in BUDGETS}
    if deep:
        own["strong, 4,000 passes"] = robfair_method("strong", budget=4000)
        own |= {"L-BFGS": quasi_newton} if norm == 2 else {}
    last = {LAST: robfair_method("strong", budget=4000, random_state=1)} if deep else {}
    all_move = network["threat"].mask(network["x"].shape[1:]) is None
    others = peers(norm, deep=False) | (peers(norm, deep=True) if deep else {}) if all_move else {}
    return own | others | last


def at_the_end(name: str, runs: dict[str, Any]) -> str:
    """Say by how much the last search has shortened the best known distances of a network."""
    distances = {key: np.array(run["distance"]) for key, run in runs.items()}
    before = np.min([each for key, each in distances.items() if key != LAST], axis=0)
    after = np.minimum(before, distances[LAST])
    fall = 1 - after.mean() / before.mean()
    return f"{name}: the last search shortened the best known by {fall:.2%}."


def main() -> None:
    """Measure, and print one table."""
    home = os.environ.get("ROBFAIR_DATA")
    args = options(
        __doc__ or "",
        {
            "--data-home": {
                "type": Path,
                "default": Path(home) if home else None,
                "help": "mnist.npz",
            },
            "--kept": {
                "type": Path,
                "default": Path("robust-networks"),
                "help": "networks, results",
            },
            "--old": {"type": Path, "default": None, "help": "checkout of an older robfair"},
            "--seeds": {"type": int, "nargs": "+", "default": [1], "help": "of the networks"},
            "--networks": {"nargs": "+", "default": None, "help": "some of them"},
            "--norms": {"nargs": "+", "default": ["2", "inf"], "help": "2, inf"},
            "--samples": {"type": int, "default": None, "help": "test samples (default: 256)"},
            "--deep": {"action": "store_true", "help": "the searches for the best known, too"},
            "--curve": {"action": "store_true", "help": 'budgets of "auto", too'},
            "--table": {
                "type": Path,
                "default": None,
                "help": "an --out file, to print it shorter",
            },
            "--out": {"type": Path, "default": None, "help": "a JSON file for the table"},
        },
    )
    if args.table is not None:
        lines = json.loads(args.table.read_text())
        for norm in dict.fromkeys(line["norm"] for line in lines):
            print(f"{norm}\n\n{summary(lines, norm)}\n")
        return
    absent = missing(PACKAGES)
    if absent:
        raise SystemExit(f"not installed: {', '.join(absent)}; see benchmarks/README.md")
    args.kept.mkdir(parents=True, exist_ok=True)
    n_test, lines = args.samples or (64 if args.quick else 256), []
    falls = []
    few = [name for name in NETWORKS if name.startswith("Adult")]
    for name in args.networks or (few if args.quick else NETWORKS):
        for seed in args.seeds:
            path = args.kept / f"{name.replace(' ', '-')}-{seed}-{n_test}.pt"
            if not path.exists():
                if NETWORKS[name][0] == "mnist" and args.data_home is None:
                    print(f"{name}: skipped, no --data-home", file=sys.stderr)
                    continue
                torch.save(trained(name, seed, n_test, args.data_home), path)
            network = torch.load(path, weights_only=False)
            for norm in map(float, args.norms):
                results = path.with_suffix(f".{norm:g}.json")
                runs = json.loads(results.read_text()) if results.exists() else {}
                todo: dict[str, Callable[[], dict[str, Any]]] = {
                    key: partial(measure, network, norm, method)
                    for key, method in methods_of(network, norm, args.deep, args.curve).items()
                }
                for key in ("auto", "strong") if args.old else ():
                    todo[f"{key} before"] = partial(old_method, args.old, key, network, path, norm)
                for key in [each for each in todo if each not in runs]:
                    try:
                        runs[key] = todo[key]()
                    except Exception as error:
                        print(f"{name}, {key}: {type(error).__name__}: {error}", file=sys.stderr)
                        continue
                    results.write_text(json.dumps(runs))
                lines += rows(name, seed, norm, network, runs)
                falls += [at_the_end(f"{name}, seed {seed}", runs)] if LAST in runs else []
    print(f"{machine(PACKAGES)}\n")
    for norm in dict.fromkeys(line["norm"] for line in lines):
        print(f"{norm}\n\n{condensed([line for line in lines if line['norm'] == norm])}\n")
    print("\n".join(falls))
    if args.out is not None:
        args.out.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
