"""Every tuned constant of the searches, halved and doubled: what it does to distances and passes.

Distances are upper bounds, and shorter is better; certified radii are lower bounds, and longer is
better. Numbers are ratios to the default, over all cases, so that they do not depend on the
machine. Prints a Markdown table, and writes the same to a JSON file with --out; the one in
constants.json is cited by the comments of the constants. A certified search counts no passes.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import Case, _case, dense_cases
from common import adult, machine, options, table
from numpy.typing import NDArray

from robfair import AdversarialClassifier, NaturalClassifier, ThreatModel, boundary_distance
from robfair.datasets import load_adult

ROOM = "robfair.distance"
Numbers = NDArray[np.float64]
Run = Callable[[], list[tuple[Numbers, Numbers]]]

# Parts of a budget by their path in it, and other values.
AUTO = [
    ("own.n_candidates", (3, 9)), ("own.near", (1.15, 1.6)), ("own.far", ((2.0,), (8.0,))),
    ("own.n_again", (3, 12)),
    ("own.finish.n_steps", (5, 20)), ("own.finish.step", ((1.0, 0.01), (4.0, 0.01))),
    ("own.finish.step", ((2.0, 0.005), (2.0, 0.02))),
    ("own.finish.change", ((0.15, 0.002), (0.6, 0.002))),
    ("own.finish.change", ((0.3, 0.001), (0.3, 0.004))),
    ("own.race.n_steps", (3, 10)), ("own.race.step", ((1.0, 1.0), (4.0, 1.0))),
    ("own.race.step", ((2.0, 0.5), (2.0, 2.0))), ("own.race.change", ((0.15, 0.1), (0.6, 0.1))),
    ("own.race.change", ((0.3, 0.05), (0.3, 0.2))), ("own.again.n_steps", (8, 32)),
    ("n_rivals", (2, 8)), ("probes", (1, 4)), ("n_others", (0, 2)), ("others.n_steps", (8, 32)),
    ("others.noise", (0.0, 1.0, 4.0)), ("n_rounds", (0, 2)), ("n_donors", (4, 16)),
    ("n_kept", (2,)), ("share.n_steps", (6, 24)), ("share.noise", (0.0, 0.5, 2.0)),
    ("n_around", (1,)), ("polish.n_steps", (4, 16)), ("pays", (0.0, 0.01)), ("flat", (0.25, 1.0)),
]  # fmt: skip
STRONG = [
    ("own.near", (1.3, 2.5)), ("own.race.n_steps", (5, 20)), ("own.finish.n_steps", (15, 60)),
    ("n_others", (1, 4)), ("others.n_steps", (12, 48)), ("n_rounds", (1, 4)), ("n_kept", (2,)),
    ("n_around", (2, 8)), ("polish.n_steps", (10, 40)),
]  # fmt: skip
TABLE = [
    ("n_targets", (1, 6)), ("width", (1, 6)), ("n_tried", (2, 8)), ("n_listed", (100, 400)),
    ("n_rounds", (2, 8)), ("n_edits", (4, 16)),
]  # fmt: skip
# Room, what runs it, constant, other values.
NUMBERS = [
    ("gradient._own_search", "auto", "GAIN", (0.015, 0.06)),
    ("gradient._suggestions", "auto", "OWN_SHARE", (0.25, 1.0)),
    ("gradient._pool", "auto", "ROWS", (64, 256)),
    ("gradient._descent", "auto", "INWARDS", (0.15, 0.6)),
    ("gradient._descent", "auto", "OUTWARDS", (0.005, 0.02)),
    ("gradient._deepfool_step", "deepfool", "ENOUGH", (0.25, 0.9)),
    ("gradient._deepfool_step", "deepfool", "GROWTH", (1.25, 2.0)),
    ("gradient._line_search", "deepfool", "TOLERANCE", (2.5e-4, 1e-3)),
    ("labels._decision", "decision", "HALVINGS", (4, 6)),
    ("labels._decision", "decision", "UNTRIED", (0.01, 0.04)),
    ("labels._decision", "decision", "ENOUGH", (0.0005, 0.002)),
    ("labels._normal", "decision", "ROUNDS", (2, 6)),
    ("labels._normal", "decision", "REACH", (0.15, 0.6)),
    ("labels._normal", "decision", "SHARES", ((1.0, 0.6), (1.0, 0.8, 0.6, 0.4, 0.2, 0.1))),
    ("labels._reduce", "decision", "FINE", (5e-4, 2e-3)),
    ("labels._reduce", "decision", "FIRST", (0.01, 0.04)),
    ("labels._starts", "decision", "N_STARTS", (50, 200)),
    ("labels._starts", "decision", "AT_ONCE", (5, 20)),
    ("labels._starts", "decision", "COARSE", (0.05, 0.2)),
    ("tabular._best", "table", "AT_ONCE", (10, 40)),
    ("tabular._edits", "table", "PARTNERS", (5, 20)),
    ("tabular._gradient_search", "table", "HOPELESS", (1.5, 4.0)),
    ("tabular._distance", "table labels", "ROWS_SHARE", (0.2, 0.8)),
    ("tabular._label_search", "table labels", "NEAREST", (50, 200)),
    ("tabular._label_search", "table labels", "AT_ONCE", (10, 40)),
    ("tabular._label_search", "table labels", "BEAM", (1, 6)),
    ("tabular._label_search", "table labels", "HALVINGS", (6, 16)),
    ("tabular._label_search", "table labels", "BATCH", (25, 100)),
    ("tabular._label_search", "table labels", "LISTED", (0.15, 0.6)),
    ("certify._ball", "certify", "NEWTON_STEPS", (2, 6)),
    ("certify._crown", "certify", "TUNING_STEPS", (5, 20)),
    ("certify._crown", "certify", "LEARNING_RATE", (0.1, 0.4)),
    ("certify._lipschitz", "certify", "MULTIPLIER", (0.15, 0.6)),
    ("certify._radius", "certify", "FIRST_GUESS", (0.25, 0.9)),
    ("certify._radius", "certify", "POWERS", ((0.2, 1.0, 8.0), (0.2, 4.0, 8.0))),
    ("certify._radius", "certify", "AHEAD", (4, 16)),
]


@contextmanager
def replaced(module: str, name: str, value: Any) -> Iterator[None]:
    """Set a constant where it stands; an object also wherever it has been imported."""
    prefix = "robfair" if module.startswith("certify") else ROOM
    home = importlib.import_module(f"{prefix}.{module}")
    old, places = getattr(home, name), [home]
    if not isinstance(old, int | float):
        loaded = [m for key, m in sys.modules.items() if key.startswith("robfair")]
        places = [m for m in loaded if vars(m).get(name) is old]
    for place in places:
        setattr(place, name, value)
    try:
        yield
    finally:
        for place in places:
            setattr(place, name, old)


def changed(budget: Any, path: str, value: Any) -> Any:
    """Return a budget with another value somewhere in it."""
    name, _, rest = path.partition(".")
    return replace(budget, **{name: changed(getattr(budget, name), rest, value) if rest else value})


def variants() -> Iterator[tuple[str, str, str, str, list[tuple[Any, Any]]]]:
    """Yield room, run, constant, default, and the label and value of each alternative."""
    budgets = importlib.import_module(f"{ROOM}.gradient._budget")
    tables = importlib.import_module(f"{ROOM}.tabular._budget")
    for run, budget, parts in (("auto", budgets.AUTO, AUTO), ("strong", budgets.STRONG, STRONG)):
        for path, values in parts:
            new = [(v, changed(budget, path, v)) for v in values]
            default = str(attrgetter(path)(budget))
            yield "gradient._budget", run, f"{run.upper()}.{path}", default, new
    for name, values in TABLE:
        new = [(v, replace(tables.TABLE_AUTO, **{name: v})) for v in values]
        default = str(getattr(tables.TABLE_AUTO, name))
        yield "tabular._budget", "table", f"TABLE_AUTO.{name}", default, new
    for module, run, name, values in NUMBERS:
        prefix = "robfair" if module.startswith("certify") else ROOM
        default = str(getattr(importlib.import_module(f"{prefix}.{module}"), name))
        yield module, run, name, default, [(v, v) for v in values]


def adult_cases(n_test: int) -> Iterator[Case]:
    """Train on 8,000 rows of Adult in the unit box, naturally and with TRADES."""
    (X, y, X_test, y_test), _, race = adult(unit_interval=True)
    arrays = (X[:8000], y[:8000], X_test[:n_test], y_test[:n_test])
    natural = NaturalClassifier(max_epochs=5, random_state=0)
    robust = AdversarialClassifier(eps=0.05, n_steps=3, max_epochs=5, random_state=0)
    for title, model in (("natural", natural), ("TRADES", robust)):
        yield _case(f"Adult, {title}", model, arrays, race[:n_test])


def one_hot_blocks() -> list[range]:
    """Return the columns of each category of Adult, as `adult` encodes them."""
    data = load_adult(split="train").data
    first = data.select_dtypes("number").shape[1]
    blocks = []
    for name in data.select_dtypes("category"):
        blocks.append(range(first, first + len(data[name].cat.categories)))
        first = blocks[-1].stop
    return blocks


def measure(parts: list[tuple[Case, float]], n: int, tables: bool, **how: Any) -> Any:
    """Distances of the first samples of each case in its norm, and the passes for them."""
    rules = {"categories": one_hot_blocks()} if tables else {}
    measured = []
    for case, norm in parts:
        threat_model = ThreatModel(norm, case.bounds, **rules)
        x = case.x[:n].numpy()
        result = boundary_distance(case.model, x, threat_model=threat_model, random_state=0, **how)
        distance = result.lower if how.get("certify") else result.distance
        measured.append((distance, result.n_forward + result.n_backward))
    return measured


def compare(default: Any, other: Any) -> tuple[float, float]:
    """Mean over the parts of the ratio of mean distances and of mean passes."""
    lengths, passes = [], []
    for (d0, n0), (d1, n1) in zip(default, other, strict=True):
        kept = np.isfinite(d0) & np.isfinite(d1)
        lengths.append(d1[kept].mean() / d0[kept].mean())
        passes.append(n1.mean() / n0.mean())
    return float(np.mean(lengths)), float(np.mean(passes))


def main() -> None:
    """Print the table."""
    only = {"default": "", "help": "part of the names of the constants to measure; default: all"}
    args = options(__doc__ or "", {"--out": {"type": Path}, "--only": only})
    quick = args.quick
    digits, rows = list(dense_cases(quick)), list(adult_cases(64 if quick else 256))
    size = 8 if quick else 64
    # Each training in another norm, so that four runs cover both.
    images = list(zip(digits, (2, np.inf), strict=True))
    adults = list(zip(rows, (np.inf, 2), strict=True))
    robust = [images[1], adults[1]]
    runs: dict[str, Run] = {
        "auto": partial(measure, images + adults, size, False),
        "strong": partial(measure, images, size // 4, False, method="strong"),
        "deepfool": partial(measure, images + adults, size, False, method="deepfool"),
        "decision": partial(measure, robust, size // 4, False, method="decision", budget=500),
        "table": partial(measure, adults, size // 2, True),
        "table labels": partial(measure, adults, size // 4, True, method="decision", budget=300),
        "certify": partial(measure, robust, size // 4, False, certify=True),
    }
    torch.set_num_threads(args.threads)
    chosen = [variant for variant in variants() if args.only in f"{variant[0]}.{variant[2]}"]
    defaults = {}
    for name in {run: None for _, run, *_ in chosen}:
        start = time.perf_counter()
        defaults[name] = runs[name]()
        print(f"{name}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    results = []
    for room, run, name, default, values in chosen:
        for shown, value in values:
            with replaced(room, name.split(".")[0], value):
                length, passes = compare(defaults[run], runs[run]())
            result = {
                "room": room, "constant": name, "default": default, "value": str(shown),
                "run": run, "distance": round(length, 4), "passes": round(passes, 3),
            }  # fmt: skip
            results.append(result)
            print(*result.values(), file=sys.stderr, flush=True)
    print(machine(), "", table(results), sep="\n")
    if args.out:
        lines = ",\n".join(json.dumps(result) for result in results)
        args.out.write_text(f'{{"machine": "{machine()}", "seed": 0, "results": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
