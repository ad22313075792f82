"""The arrays that a method of distance writes its results to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from robfair._problem import Problem
from robfair.distance._invariants import check_points
from robfair.distance._result import BoundaryDistance

__all__ = ["ResultWriter"]

# Attributes with an entry for each sample, or None.
ARRAYS = (
    "distance",
    "predicted_codes",
    "predicted",
    "skipped",
    "exact",
    "flat",
    "failed",
    "n_forward",
    "n_backward",
    "lower",
    "adversarial",
)


class ResultWriter:
    """Arrays of length n that a method fills, sample by sample, in any order.

    A sample is skipped, given up or written, and may be written again: the last number counts.
    Passes are counted in `n_forward` and `n_backward` by whoever makes them.
    """

    def __init__(
        self,
        problem: Problem,
        keep_adversarial: bool,
        progress: Callable[[int], Any] | None = None,
        method: str = "search",
    ) -> None:
        n = len(problem.X)
        self.problem, self.method, self.is_muted = problem, method, False
        self.progress: Callable[[int], Any] = progress or _ignore
        self.n_advanced = 0  # samples told to `progress`
        self.distance = np.full(n, np.inf)
        self.predicted_codes = np.zeros(n, dtype=np.intp)
        self.predicted: NDArray[Any] | None = None  # labels; None: those of the codes
        self.skipped, self.exact, self.flat = (np.zeros(n, dtype=bool) for _ in range(3))
        self.failed = np.zeros(n, dtype=bool)  # for a fallback to try, before they are given up
        self.n_forward, self.n_backward = (np.zeros(n, dtype=np.int32) for _ in range(2))
        self.lower: NDArray[np.float64] | None = None
        self.adversarial: NDArray[Any] | None = None
        self.warnings: list[str] = []
        if keep_adversarial:
            dtype = torch.empty(0, dtype=problem.model.dtype).numpy().dtype
            self.adversarial = np.full(problem.X.shape, np.nan, dtype=dtype)

    def advance(self, n: int) -> None:
        """Move the progress bar by n samples, unless it is muted."""
        if not self.is_muted:
            self.n_advanced += n
            self.progress(n)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Write without moving the bar: what is written was counted before, or will be again."""
        self.is_muted = True
        try:
            yield
        finally:
            self.is_muted = False

    def skip(self, index: NDArray[np.intp]) -> None:
        """Record that the model is wrong on these samples."""
        self.skipped[index] = True
        self.distance[index] = np.nan
        self.advance(len(index))

    def give_up(self, index: NDArray[np.intp]) -> None:
        """Leave these samples censored."""
        self.advance(len(index))

    def write_found(
        self,
        index: NDArray[np.intp],
        distance: Tensor | ArrayLike,
        adversarial: Tensor | NDArray[Any] | None,
        *,
        exact: ArrayLike = False,
        is_of_points: bool = True,
    ) -> None:
        """Record distances (m,) and the points (m, ...) behind them.

        None for the points: those written before are still the nearest. `is_of_points` is False
        where a distance is another number than how far away the point is.

        Raises RuntimeError if points are not what they must be, which no method should do.
        """
        if isinstance(distance, Tensor):
            distance = distance.double().cpu().numpy()
        self.distance[index] = distance
        self.exact[index] = exact
        if adversarial is not None:
            if isinstance(adversarial, Tensor):
                adversarial = adversarial.cpu().numpy()
            adversarial = adversarial.reshape(-1, *self.problem.shape)
            self._check(index, adversarial, is_of_points)
            if self.adversarial is not None:
                self.adversarial[index] = adversarial
        self.advance(len(index))

    def _check(self, index: NDArray[np.intp], points: NDArray[Any], is_of_points: bool) -> None:
        """Raise RuntimeError if points that were found are not what they must be."""
        found = np.flatnonzero(np.isfinite(self.distance[index]))
        if len(found):
            index = index[found]
            check_points(
                self.problem.threat_model,
                self.problem.X[index],
                points[found],
                self.distance[index] if is_of_points else None,
                self.exact[index],
                self.method,
            )

    def write_lower(self, index: NDArray[np.intp], lower: ArrayLike) -> None:
        """Record certified lower bounds; those of samples that never get one are NaN."""
        if self.lower is None:
            self.lower = np.full(len(self.distance), np.nan)
        self.lower[index] = lower

    def part(self, rows: slice | NDArray[np.intp]) -> ResultWriter:
        """Return a writer for some rows, which begins with what has been written of them.

        In the same process it writes to the same arrays.
        """
        part = ResultWriter(
            self.problem.chunk(rows), self.adversarial is not None, method=self.method
        )
        for name in ARRAYS:
            array = getattr(self, name)
            setattr(part, name, None if array is None else array[rows])
        part.is_muted = self.is_muted
        return part

    def written(self) -> dict[str, Any]:
        """Return what was written, for :meth:`put` of the writer that this is a part of."""
        return {name: getattr(self, name) for name in (*ARRAYS, "warnings", "n_advanced")}

    def put(self, rows: slice | NDArray[np.intp], written: dict[str, Any]) -> None:
        """Take over what was written to a part."""
        for name in ARRAYS:
            array, new = getattr(self, name), written[name]
            if new is None or (array is not None and np.may_share_memory(array, new)):
                continue
            if array is None:
                fill = np.nan if name == "lower" else np.zeros((), new.dtype)
                array = np.full((len(self.distance), *new.shape[1:]), fill)
                setattr(self, name, array)
            elif array.dtype != new.dtype:  # labels that are strings have a width
                array = array.astype(np.promote_types(array.dtype, new.dtype))
                setattr(self, name, array)
            array[rows] = new
        self.warnings += [each for each in written["warnings"] if each not in self.warnings]

    def predicted_labels(self) -> NDArray[Any]:
        """Return the label of each sample that the model predicts."""
        if self.predicted is not None:
            return self.predicted
        return self.problem.model.labels(self.predicted_codes)

    def finish(self) -> BoundaryDistance:
        """Put the arrays together."""
        status = np.where(self.exact, "exact", "found").astype("<U8")
        status[np.isinf(self.distance)] = "censored"
        status[self.skipped] = "skipped"
        return BoundaryDistance(
            distance=self.distance,
            lower=self.lower,
            predicted=self.predicted_labels(),
            status=status,
            adversarial=self.adversarial,
            method=self.method,
            threat_model=self.problem.threat_model,
            n_forward=self.n_forward,
            n_backward=self.n_backward,
            warnings_=tuple(self.warnings),
        )


def _ignore(n: int) -> None:
    """Show no progress; a function with a name, since other processes get it."""
