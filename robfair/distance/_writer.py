"""The arrays that a method of distance writes its results to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair._problem import Problem
from robfair.distance._result import BoundaryDistance

__all__ = ["ResultWriter"]


@dataclass
class ResultWriter:
    """Arrays of length n that a method fills, sample by sample, in any order."""

    problem: Problem
    keep_adversarial: bool
    progress: Callable[[int], Any] = lambda n: None
    distance: NDArray[np.float64] = field(init=False)
    codes: NDArray[np.intp] = field(init=False)
    skipped: NDArray[np.bool_] = field(init=False)
    n_forward: NDArray[np.int32] = field(init=False)
    n_backward: NDArray[np.int32] = field(init=False)
    exact: NDArray[np.bool_] = field(init=False)
    flat: NDArray[np.bool_] = field(init=False)
    predicted: NDArray[Any] | None = field(init=False, default=None)
    lower: NDArray[np.float64] | None = field(init=False, default=None)
    adversarial: NDArray[Any] | None = field(init=False, default=None)
    warnings: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        n = len(self.problem.X)
        self.distance = np.full(n, np.inf)
        self.codes = np.zeros(n, dtype=np.intp)
        self.skipped = np.zeros(n, dtype=bool)
        self.exact = np.zeros(n, dtype=bool)
        self.flat = np.zeros(n, dtype=bool)
        self.n_forward = np.zeros(n, dtype=np.int32)
        self.n_backward = np.zeros(n, dtype=np.int32)
        if self.keep_adversarial:
            dtype = torch.empty(0, dtype=self.problem.model.dtype).numpy().dtype
            self.adversarial = np.full(self.problem.X.shape, np.nan, dtype=dtype)

    def skip(self, index: NDArray[np.intp]) -> None:
        """Record that the model is wrong on these samples."""
        self.skipped[index] = True
        self.distance[index] = np.nan
        self.progress(len(index))

    def give_up(self, index: NDArray[np.intp]) -> None:
        """Record that nothing was found for these samples; they stay censored."""
        self.progress(len(index))

    def found(self, index: NDArray[np.intp], distance: Tensor, adversarial: Tensor) -> None:
        """Record distances and the points behind them."""
        self.distance[index] = distance.double().cpu().numpy()
        if self.adversarial is not None:
            points = adversarial.cpu().numpy()
            self.adversarial[index] = points.reshape(-1, *self.problem.shape)
        self.progress(len(index))

    def finish(self, method: str) -> BoundaryDistance:
        """Put the arrays together."""
        status = np.where(self.exact, "exact", "found").astype("<U8")
        status[np.isinf(self.distance)] = "censored"
        status[self.skipped] = "skipped"
        predicted = self.predicted
        if predicted is None:
            predicted = self.problem.model.labels(self.codes)
        return BoundaryDistance(
            distance=self.distance,
            lower=self.lower,
            predicted=predicted,
            status=status,
            adversarial=self.adversarial,
            method=method,
            threat_model=self.problem.threat_model,
            n_forward=self.n_forward,
            n_backward=self.n_backward,
            warnings_=tuple(self.warnings),
        )
