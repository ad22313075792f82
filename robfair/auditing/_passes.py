"""Passes over rows in blocks, whose finished rows survive whatever ends the run.

Everything that an audit computes of each row by itself goes through here: distances, also of rows
that are classified wrongly, and probabilities.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from robfair._checkpoint import read_checkpoint, write_checkpoint
from robfair._content import content_hash
from robfair._progress import ProgressBar, shows
from robfair.auditing._blocks import RowBlocks

__all__ = ["FIRST", "RowPass", "run_pass"]

OFTEN = 60  # seconds between two writes of a checkpoint
FIRST = 2**11  # rows of the first block, whatever is computed

Part = TypeVar("Part")


def _same(part: Any) -> Any:
    return part


def _in_one(parts: list[Any]) -> Any:
    return np.concatenate(parts)


@dataclass(frozen=True)
class RowPass(Generic[Part]):
    """A computation of each row by itself; by default of an array with an entry for each row.

    Attributes
    ----------
    name : str
        What is computed. Passes over the same rows have different names.
    measure : callable
        Computes some rows, whose numbers ascend.
    key : str or None
        A hash of the model and the options. A result of the same key is not computed again. None
        where that cannot be known.
    begin : callable
        Called before the first row, where no row is done.
    join : callable
        Puts the parts of consecutive rows together.
    pack, unpack : callable
        Turn a part into arrays and plain values for a file, and back.
    size : callable
        Tells from a part how many rows the next block may have.
    """

    name: str
    measure: Callable[[NDArray[np.intp]], Part]
    key: str | None
    begin: Callable[[], None] = lambda: None
    join: Callable[[list[Part]], Part] = _in_one
    pack: Callable[[Part], Any] = _same
    unpack: Callable[[Any], Part] = _same
    size: Callable[[Part], int] = lambda part: sys.maxsize


def run_pass(
    task: RowPass[Part], X: RowBlocks, rows: NDArray[np.intp], verbose: int | None
) -> Part:
    """Compute something of some rows, at least one, block by block.

    The result is kept for the next audit of the same rows. With a checkpoint the finished rows are
    in a file whatever ends the run, and are not computed again.

    Raises
    ------
    ResultsError
        If the file is of another run.
    """
    same_rows = content_hash(rows)
    key = None if task.key is None else f"{task.key} {same_rows}"
    if key is not None and X.results.get(task.name, ("", None))[0] == key:
        kept: Part = X.results[task.name][1]
        return kept
    parts, done = _read(task, X, same_rows)
    before = done
    if done == 0:
        task.begin()
    elif shows(verbose):
        print(f"robfair: {task.name}: {done:,} of {len(rows):,} rows are done", file=sys.stderr)
    written = time.monotonic()
    try:
        with ProgressBar(
            total=len(rows), initial=done, desc=task.name, unit="row", verbose=verbose
        ) as bar:
            while done < len(rows):
                size = min(X.size, task.size(parts[-1]) if parts else FIRST)
                block = rows[done : done + size]
                parts.append(task.measure(block))
                done += len(block)
                bar.update(len(block))
                if time.monotonic() - written > OFTEN:
                    parts = _write(task, X, same_rows, parts, done)
                    written = time.monotonic()
    finally:  # after Ctrl-C, and an error, too
        if done > before and X.checkpoint is not None:
            parts = _write(task, X, same_rows, parts, done)
            if done < len(rows):
                finished = f"{done:,} of {len(rows):,} rows are kept in {X.checkpoint.path}"
                print(
                    f"robfair: {task.name}: {finished}: the same command goes on there",
                    file=sys.stderr,
                )
    result = task.join(parts)
    parts.clear()
    if key is not None:
        X.results[task.name] = key, result
    return result


def _read(task: RowPass[Part], X: RowBlocks, same_rows: str) -> tuple[list[Part], int]:
    """Return what an earlier run has finished of these rows, and how many they are."""
    if X.checkpoint is None:
        return [], 0
    if X.in_file is None:
        X.in_file = read_checkpoint(X.checkpoint.path, X.checkpoint.description) or {}
    found = X.in_file.get(task.name)
    if found is None or found["rows"] != same_rows:
        return [], 0
    return [task.unpack(found["part"])], found["done"]


def _write(
    task: RowPass[Part], X: RowBlocks, same_rows: str, parts: list[Part], done: int
) -> list[Part]:
    """Write the finished rows, beside those of other passes, and return them as one part."""
    if X.checkpoint is None:
        return parts
    joined = task.join(parts)
    parts.clear()  # or all rows are in memory twice
    assert X.in_file is not None
    X.in_file[task.name] = {"rows": same_rows, "done": done, "part": task.pack(joined)}
    write_checkpoint(X.checkpoint.path, X.checkpoint.description, X.in_file)
    return [joined]
