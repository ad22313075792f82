"""A method run on the rows that miss values in the same columns, one set of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from robfair._problem import Problem
from robfair.distance._options import DistanceOptions
from robfair.distance._writer import ResultWriter
from robfair.threat import rows_by_gaps

__all__ = ["run_by_gaps"]


def run_by_gaps(
    run: Callable[[Problem, ResultWriter, DistanceOptions], None],
    results: ResultWriter,
    options: DistanceOptions,
    X: Any,
) -> None:
    """Run a method so that missing values stay missing, and no others go missing.

    Parameters
    ----------
    run : callable
        The method.
    results : ResultWriter
        The results to fill, and their problem.
    options : DistanceOptions
        Options of the method.
    X : object
        The samples as the user has them.
    """
    problem = results.problem
    parts = rows_by_gaps(problem.threat_model, X)
    if parts is None:
        run(problem, results, options)
        return
    for rows, threat_model in parts:
        part = results.part(rows)
        part.progress = results.advance
        part.problem = replace(part.problem, others=problem.X)
        if threat_model is not None:
            part.problem = replace(part.problem, threat_model=threat_model)
        run(part.problem, part, options)
        if threat_model is None:  # labels are all that is wanted
            rows_left = np.flatnonzero(~part.skipped)
            with part.muted():
                part.write_found(
                    rows_left, np.inf, np.full((len(rows_left), *problem.shape), np.nan)
                )
        results.put(rows, part.written())
