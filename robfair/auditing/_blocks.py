"""Audits of tables that are read block by block, with a checkpoint of the rows that are done."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from robfair._cache import result_key
from robfair._checkpoint import read_checkpoint, write_checkpoint
from robfair._label_doubts import label_doubts
from robfair._progress import ProgressBar, shows
from robfair.auditing._options import AuditOptions
from robfair.distance import BoundaryDistance, join_distances, measure_distance

__all__ = ["Checkpoint", "RowBlocks", "measure_blocks", "row_parts", "take_rows"]

BLOCK = 2**14  # rows: 103 features in float64 are 13 MB
TRIAL = (64, 320)  # rows that the estimate of the time is made of
OFTEN = 60  # seconds between two writes of a checkpoint
STATUSES = ("found", "exact", "censored", "skipped")


@dataclass(frozen=True)
class Checkpoint:
    """A file of finished rows, and what tells a run from all others.

    Attributes
    ----------
    path : Path
        The file.
    description : mapping
        What has to be equal for a run to go on from it.
    """

    path: Path
    description: Mapping[str, Any]


class RowBlocks(ABC):
    """Rows of a table that need not fit into memory.

    `audit` takes one for X: it goes through the rows block by block, and keeps of each block
    no more than its distances.

    Attributes
    ----------
    columns : list of str or None
        Names of the columns, if blocks are DataFrames.
    size : int
        Rows of a block.
    checkpoint : Checkpoint or None
        Where finished rows are kept, and read from when the audit begins.
    """

    ndim = 2

    def __init__(self, columns: list[str] | None, checkpoint: Checkpoint | None = None) -> None:
        if columns is not None:
            self.columns = columns
        self.size = BLOCK
        self.checkpoint = checkpoint
        self.measured: tuple[str | None, BoundaryDistance] | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def read(self, rows: NDArray[np.intp]) -> Any:
        """Return some rows.

        Parameters
        ----------
        rows : ndarray of int
            Their numbers, which ascend.

        Returns
        -------
        array-like
            The rows, in a container that the model takes.
        """


def take_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return some rows of X, in their order."""
    if not isinstance(X, RowBlocks):
        return _safe_indexing(X, rows)
    order = np.argsort(rows, kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return _safe_indexing(X.read(rows[order]), back)


def row_parts(X: Any, rows: NDArray[np.intp] | None = None) -> Iterator[Any]:
    """Yield rows of X, all or some in ascending order: X itself, or part by part."""
    if not isinstance(X, RowBlocks):
        yield X if rows is None else _safe_indexing(X, rows)
        return
    rows = np.arange(len(X)) if rows is None else rows
    for start in range(0, len(rows), X.size):
        yield X.read(rows[start : start + X.size])


def measure_blocks(
    model: Any, X: RowBlocks, y_true: NDArray[Any], options: AuditOptions
) -> BoundaryDistance:
    """Compute the distances of all rows, block by block.

    They are kept for the next audit of the same rows. With a checkpoint the finished rows are in a
    file whatever ends the run, and are not computed again. Raises ResultsError if the file is of
    another run, and ValueError if the threat model is that of the data.
    """
    threat_model = options.threat_model
    if threat_model is None or threat_model.bounds == "data":
        raise ValueError(
            "rows in blocks need threat_model= with bounds in numbers, since a block does not know "
            "the range of the others."
        )
    labels, codes = np.unique(y_true, return_inverse=True)
    asked = options.method, threat_model, options.certify, options.distance
    key = result_key(model, labels, codes.astype(np.int32), asked)
    if key is not None and X.measured is not None and X.measured[0] == key:
        return X.measured[1]

    measure = partial(_measure, model, X, y_true, options)
    parts = _read(X.checkpoint, labels, options)
    done = before = sum(map(len, parts))
    if shows(options.verbose) and done == 0:
        _tell_time(measure, X)
    elif shows(options.verbose):
        print(f"robfair: {done:,} of {len(X):,} rows are done already", file=sys.stderr)
    written = time.monotonic()
    try:
        with ProgressBar(
            total=len(X), initial=done, desc="distance", unit="row", verbose=options.verbose
        ) as bar:
            while done < len(X):
                rows = np.arange(done, min(done + X.size, len(X)))
                parts.append(measure(rows))
                done += len(rows)
                bar.update(len(rows))
                if X.checkpoint is not None and time.monotonic() - written > OFTEN:
                    parts = _write(X.checkpoint, parts, labels)
                    written = time.monotonic()
    finally:  # after Ctrl-C, and an error, too
        if done > before and X.checkpoint is not None:
            _write(X.checkpoint, parts, labels)
            if done < len(X):
                kept = f"{done:,} of {len(X):,} rows are kept in {X.checkpoint.path}"
                print(f"robfair: {kept}: the same command goes on there", file=sys.stderr)
    joined = join_distances(parts)
    parts.clear()
    doubts = label_doubts(y_true, joined.predicted)
    joined = replace(joined, warnings_=(*doubts, *joined.warnings_))
    X.measured = (key, joined)
    return joined


def _measure(
    model: Any,
    X: RowBlocks,
    y_true: NDArray[Any],
    options: AuditOptions,
    rows: NDArray[np.intp],
) -> BoundaryDistance:
    """Compute the distances of some rows, and keep no more of them."""
    part = measure_distance(
        model,
        X.read(rows),
        y_true[rows],
        method=options.method,
        threat_model=options.threat_model,
        certify=options.certify,
        options=options.distance,
        return_adversarial=False,
    )
    # What is said of labels is said of all of them, later; and a block is not to be kept.
    doubts = label_doubts(y_true[rows], part.predicted)
    return replace(part, X=None, warnings_=tuple(w for w in part.warnings_ if w not in doubts))


def _tell_time(measure: Callable[[NDArray[np.intp]], Any], X: RowBlocks) -> None:
    """Print how long all rows will take, by what a few of them take."""
    few, more = (min(n, len(X)) for n in TRIAL)
    if more == few:
        return
    seconds = []
    for n in (few, few, more):  # the first time libraries start
        start = time.perf_counter()
        measure(np.arange(n))
        seconds.append(time.perf_counter() - start)
    a_row = max(seconds[2] - seconds[1], 0) / (more - few)
    blocks = -(-len(X) // X.size)
    total = a_row * len(X) + blocks * seconds[1]
    text = f"{total / 60:,.0f} minutes" if total >= 120 else f"{total:,.0f} seconds"
    print(
        f"robfair: {len(X):,} rows in blocks of {X.size:,}, about {text}",
        file=sys.stderr,
        flush=True,
    )


def _write(
    checkpoint: Checkpoint, parts: list[BoundaryDistance], labels: NDArray[Any]
) -> list[BoundaryDistance]:
    """Write the finished rows, and return them as one part."""
    known = labels.tolist()
    joined = join_distances(parts)
    extra = [label for label in np.unique(joined.predicted).tolist() if label not in known]
    place = {label: code for code, label in enumerate([*known, *extra])}
    content = {
        "distance": joined.distance,
        "lower": joined.lower,
        "predicted": np.array([place[label] for label in joined.predicted.tolist()], np.int32),
        "extra": extra,
        "status": np.select([joined.status == s for s in STATUSES], range(4)).astype(np.int8),
        "n_forward": joined.n_forward,
        "n_backward": joined.n_backward,
        "method": joined.method,
        "warnings": list(joined.warnings_),
    }
    write_checkpoint(checkpoint.path, checkpoint.description, content)
    return [joined]


def _read(
    checkpoint: Checkpoint | None, labels: NDArray[Any], options: AuditOptions
) -> list[BoundaryDistance]:
    """Read the rows that an earlier run has finished."""
    found = checkpoint and read_checkpoint(checkpoint.path, checkpoint.description)
    if not found:
        return []
    assert options.threat_model is not None
    known = [*labels.tolist(), *found["extra"]]
    return [
        BoundaryDistance(
            distance=np.asarray(found["distance"]),
            lower=None if found["lower"] is None else np.asarray(found["lower"]),
            predicted=np.array(known, dtype=labels.dtype if not found["extra"] else None)[
                np.asarray(found["predicted"])
            ],
            status=np.array(STATUSES)[np.asarray(found["status"])],
            adversarial=None,
            method=found["method"],
            threat_model=options.threat_model,
            n_forward=np.asarray(found["n_forward"]),
            n_backward=np.asarray(found["n_backward"]),
            warnings_=tuple(found["warnings"]),
        )
    ]
