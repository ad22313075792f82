"""Searches of chunks of rows, in this process or by joblib in others, with the same numbers.

The chunks do not depend on the number of processes, and each of them is computed with the settings
of torch that hold here, so that the results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from joblib import effective_n_jobs

from robfair._parallel import in_order
from robfair._problem import Problem
from robfair.distance._writer import ResultWriter

__all__ = ["in_chunks"]

Search = Callable[[Problem, ResultWriter], None]


def in_chunks(
    search: Search, problem: Problem, results: ResultWriter, n_jobs: int | None, size: int
) -> None:
    """Run a search of each row by itself on chunks of the rows.

    Parameters
    ----------
    search : callable
        Takes the problem of some rows and their results, and fills these. Other processes get it
        pickled.
    problem, results : Problem, ResultWriter
        All rows, and the results to fill.
    n_jobs : int or None
        Processes, as in joblib. None: what ``joblib.parallel_config`` says, or else this process.
    size : int
        Rows of a chunk.

    Raises
    ------
    TypeError
        If other processes are asked for, and the model cannot be pickled.
    RuntimeError
        If processes are lost again and again.
    """
    chunks = [slice(first, first + size) for first in range(0, len(problem.X), size)]
    if effective_n_jobs(n_jobs) == 1 or len(chunks) == 1:
        for rows in chunks:
            part = results.part(rows)
            part.progress = results.advance
            search(part.problem, part)
            results.put(rows, part.written())
        return
    # Pickled whole, since arrays that joblib maps into memory are read-only.
    written = in_order(
        partial(_search, search), lambda i: results.part(chunks[i]), len(chunks), n_jobs, None
    )
    for rows, each in zip(chunks, written, strict=True):
        results.put(rows, each)
        results.advance(each["n_advanced"])


def _search(search: Search, part: ResultWriter) -> dict[str, Any]:
    """Search a chunk, and return what has been written."""
    search(part.problem, part)
    return part.written()
