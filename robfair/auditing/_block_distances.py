"""Distances of rows in blocks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from numpy.typing import NDArray

from robfair._cache import result_key
from robfair._label_doubts import label_doubts
from robfair._progress import shows
from robfair.auditing._blocks import RowBlocks
from robfair.auditing._options import AuditOptions
from robfair.auditing._passes import FIRST, RowPass, run_pass
from robfair.distance import BoundaryDistance, join_distances, measure_distance

__all__ = ["measure_blocks", "measure_wrong_blocks"]

TRIAL = (64, 320)  # rows that the estimate of the time is made of
SLOW = ("exact", "decision")  # methods that take 5 to 1,000 ms for a row
STATUSES = ("found", "exact", "censored", "skipped")


def measure_blocks(
    model: Any, X: RowBlocks, y_true: NDArray[Any], options: AuditOptions
) -> BoundaryDistance:
    """Compute the distances of all rows, block by block.

    Raises ResultsError if a checkpoint is of another run, and ValueError if the threat model is
    that of the data.
    """
    threat_model = options.threat_model
    if threat_model is None or threat_model.bounds == "data":
        raise ValueError(
            "rows in blocks need threat_model= with bounds in numbers, since a block does not know "
            "the range of the others."
        )
    codes, labels = pd.factorize(y_true)
    asked = options.method, threat_model, options.certify, options.distance
    measure = partial(_measure, model, X, y_true, options)
    task: RowPass[BoundaryDistance] = RowPass(
        "distance",
        measure,
        result_key(model, labels, codes.astype(np.int32), asked),
        begin=partial(_tell_time, measure, X, options),
        **_forms(labels, options),
    )
    found = run_pass(task, X, np.arange(len(X)), options.verbose)
    doubts = label_doubts(y_true, found.predicted)
    return replace(found, warnings_=(*doubts, *found.warnings_))


def measure_wrong_blocks(
    model: Any,
    X: RowBlocks,
    y_true: NDArray[Any],
    rows: NDArray[np.intp],
    options: AuditOptions,
) -> BoundaryDistance:
    """Compute the distances of rows that are classified wrongly, block by block."""
    asked = options.method, options.threat_model, options.distance
    task: RowPass[BoundaryDistance] = RowPass(
        "distance of wrong rows",
        partial(_measure, model, X, None, replace(options, certify=False)),
        result_key(model, asked),
        **_forms(pd.unique(y_true), options),
    )
    return run_pass(task, X, rows, options.verbose)


def _forms(labels: NDArray[Any], options: AuditOptions) -> dict[str, Any]:
    """Return how the parts of a pass are joined and written, and how many rows they have."""
    n_jobs = effective_n_jobs(options.distance.n_jobs)
    return {
        "join": join_distances,
        "pack": partial(_pack, labels),
        "unpack": partial(_unpack, labels, options),
        # So that little is lost with a block that is not finished.
        "size": lambda part: n_jobs * FIRST if part.method in SLOW else sys.maxsize,
    }


def _measure(
    model: Any,
    X: RowBlocks,
    y_true: NDArray[Any] | None,
    options: AuditOptions,
    rows: NDArray[np.intp],
) -> BoundaryDistance:
    """Compute the distances of some rows, and keep no more of them."""
    y = None if y_true is None else y_true[rows]
    part = measure_distance(
        model,
        X.read(rows),
        y,
        method=options.method,
        threat_model=options.threat_model,
        certify=options.certify,
        options=options.distance,
        return_adversarial=False,
    )
    # What is said of labels is said of all of them, later; and a block is not to be kept.
    doubts = () if y is None else label_doubts(y, part.predicted)
    warnings = tuple(w for w in part.warnings_ if w not in doubts)
    return replace(part, X=None, status=_told(_coded(part.status)), warnings_=warnings)


def _tell_time(
    measure: Callable[[NDArray[np.intp]], BoundaryDistance], X: RowBlocks, options: AuditOptions
) -> None:
    """Print how long all rows will take, by what a few of them take."""
    few, more = (min(n, len(X)) for n in TRIAL)
    if more == few or not shows(options.verbose):
        return
    seconds = []
    for n in (few, few, more):  # the first time libraries start
        start = time.perf_counter()
        part = measure(np.arange(n))
        seconds.append(time.perf_counter() - start)
    a_row = max(seconds[2] - seconds[1], 0) / (more - few)
    if options.favorable_label is not None:  # wrong rows, which cost nothing here, come later
        a_row /= max(1 - float(np.mean(part.status == "skipped")), 1 / more)
    size = min(X.size, _forms(np.empty(0), options)["size"](part))
    total = a_row * len(X) + -(-len(X) // size) * seconds[1]
    text = f"{total / 60:,.0f} minutes" if total >= 120 else f"{total:,.0f} seconds"
    print(
        f"robfair: {len(X):,} rows in blocks of {size:,}, about {text}",
        file=sys.stderr,
        flush=True,
    )


def _coded(status: NDArray[Any]) -> NDArray[np.int8]:
    return np.select([status == s for s in STATUSES], range(4)).astype(np.int8)


def _told(codes: NDArray[np.int8]) -> NDArray[Any]:
    """Return statuses as references to four strings: text of numpy takes 32 bytes a row."""
    return np.array(STATUSES, dtype=object)[codes]


def _pack(labels: NDArray[Any], part: BoundaryDistance) -> dict[str, Any]:
    known = labels.tolist()
    codes, found = pd.factorize(part.predicted)
    extra = [label for label in found.tolist() if label not in known]
    place = {label: code for code, label in enumerate([*known, *extra])}
    return {
        "distance": part.distance,
        "lower": part.lower,
        "predicted": np.array([place[label] for label in found.tolist()], np.int32)[codes],
        "extra": extra,
        "status": _coded(part.status),
        "n_forward": part.n_forward,
        "n_backward": part.n_backward,
        "method": part.method,
        "warnings": list(part.warnings_),
    }


def _unpack(labels: NDArray[Any], options: AuditOptions, found: dict[str, Any]) -> BoundaryDistance:
    assert options.threat_model is not None
    known = [*labels.tolist(), *found["extra"]]
    return BoundaryDistance(
        distance=found["distance"],
        lower=found["lower"],
        predicted=np.array(known, dtype=labels.dtype if not found["extra"] else None)[
            found["predicted"]
        ],
        status=_told(found["status"]),
        adversarial=None,
        method=found["method"],
        threat_model=options.threat_model,
        n_forward=found["n_forward"],
        n_backward=found["n_backward"],
        warnings_=tuple(found["warnings"]),
    )
