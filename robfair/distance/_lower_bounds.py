"""Certified lower bounds beside the distances of a search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from robfair._problem import Problem
from robfair.certify import UnsupportedLayer, certified_radius
from robfair.distance._writer import ResultWriter

__all__ = ["add_lower_bounds"]


def add_lower_bounds(
    problem: Problem, results: ResultWriter, progress: Callable[[int], Any]
) -> None:
    """Write certified bounds; NaN, and a warning that names it, where a layer is not supported."""
    index = (~results.skipped).nonzero()[0]
    results.write_lower(index, np.nan)
    if len(index) == 0:
        return
    try:
        lower = certified_radius(
            problem.network,
            torch.from_numpy(problem.X[index].reshape(len(index), -1)).double(),
            torch.from_numpy(results.predicted_codes[index]),
            torch.from_numpy(results.distance[index]),
            norm=problem.norm,
            shape=problem.shape,
            box=problem.box(torch.float64),
            mask=problem.mask(),
            batch_size=problem.batch_size,
            progress=progress,
        )
    except UnsupportedLayer as error:
        results.warnings.append(f"no distance is certified: {error}")
        return
    results.write_lower(index, lower.cpu().numpy())
