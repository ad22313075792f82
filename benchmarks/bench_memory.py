"""Memory: a million rows of 100 features through `boundary_distance`.

Target: at most 500 MB above the input. Each case runs in a process of its own. What is printed is
the peak of its resident memory less that before the call, when the input, the imports and a
warm-up on 1,000 rows are already there. The returned points, as many as the input, are part of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import machine, options, table, verdict

from robfair import NaturalClassifier, ThreatModel, boundary_distance
from robfair.models import tabular_network

TARGET = 500.0
N_FEATURES = 100
MB = 1e6

CASES = (
    {"dtype": "float32", "return_adversarial": True, "box": False},
    {"dtype": "float32", "return_adversarial": False, "box": False},
    {"dtype": "float32", "return_adversarial": True, "box": True},
    {"dtype": "float64", "return_adversarial": True, "box": False},
    {"dtype": "float64", "return_adversarial": False, "box": False},
)


def train(path: Path) -> None:
    """Train the network that all cases use."""
    rng = np.random.default_rng(0)
    X = rng.random((20_000, N_FEATURES), dtype=np.float32)
    y = (X[:, :50].sum(axis=1) * (0.5 + X[:, 0]) > 25).astype(int)
    clf = NaturalClassifier(max_epochs=5, random_state=0).fit(X, y)
    torch.save(clf.module_.state_dict(), path)


def measure(
    path: Path, n: int, dtype: str, return_adversarial: bool, box: bool
) -> dict[str, float]:
    """Run one case in this process; MB of the input, MB above it, seconds and shares."""
    model = tabular_network(N_FEATURES, 2)
    model.load_state_dict(torch.load(path))
    threat_model = ThreatModel(bounds=(0, 1) if box else None)
    X = np.random.default_rng(1).random((n, N_FEATURES), dtype=dtype)  # makes no second copy

    def call(rows: slice) -> float:
        found = boundary_distance(
            model, X[rows], threat_model=threat_model, return_adversarial=return_adversarial
        )
        return float((found.status == "found").mean())

    call(slice(1000))
    _reset_peak()
    before, _ = _memory()
    start = time.perf_counter()
    share = call(slice(None))
    seconds = time.perf_counter() - start
    _, peak = _memory()
    return {
        "input": X.nbytes / MB,
        "above": (peak - before) / MB,
        "seconds": seconds,
        "found": share,
    }


def _reset_peak() -> None:
    """Forget the peak so far, where the system can; else that of the imports may hide it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _memory() -> tuple[float, float]:
    """Resident memory of this process now and at its peak, in bytes.

    On Linux not from `ru_maxrss`, which starts with the peak of the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
        return peak, peak
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    now, peak = (int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return now, peak


def main(args: argparse.Namespace) -> None:
    """Print a row for each case."""
    n = 20_000 if args.quick else 1_000_000
    print("## Memory\n")
    print(f"{machine()}\n")
    rows = []
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.pt")
        train(path)
        for case in CASES[:2] if args.quick else CASES:
            arguments = {"path": str(path), "n": n, "threads": args.threads} | case
            command = [sys.executable, __file__, "--child", json.dumps(arguments)]
            result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            worst = max(worst, result["above"])
            rows.append(
                {
                    "input": case["dtype"],
                    "box": "[0, 1]" if case["box"] else "none",
                    "points returned": "yes" if case["return_adversarial"] else "no",
                    "input, MB": f"{result['input']:.0f}",
                    "above it, MB": f"{result['above']:.0f}",
                    "seconds": f"{result['seconds']:.1f}",
                    "found": f"{result['found']:.4f}",
                }
            )
    print(f"{n:,} rows of {N_FEATURES} features, network 100-64-64-2 in float32.\n")
    print(table(rows))
    print(f"\nWorst case: {worst:.0f} MB, target {TARGET:g}: {verdict(worst <= TARGET)}.\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        call = json.loads(sys.argv[2])
        torch.set_num_threads(call.pop("threads"))
        print(json.dumps(measure(Path(call.pop("path")), **call)))
    else:
        main(options(__doc__ or ""))
