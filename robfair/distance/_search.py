"""What every method shares: the arrays that results are written to, and the box as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair.adapters import LabelModel, LogitModel
from robfair.distance._result import BoundaryDistance
from robfair.threat import ThreatModel, norms

__all__ = ["Forward", "Problem", "Results", "distances", "finite", "margins"]

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """The samples, the model and the threat model of one distance computation."""

    model: LogitModel | LabelModel
    X: NDArray[Any]
    codes: NDArray[np.intp] | None
    n_classes: int
    threat_model: ThreatModel
    batch_size: int
    y: NDArray[Any] | None = None

    @property
    def network(self) -> LogitModel:
        """The model, where a method needs logits."""
        if not isinstance(self.model, LogitModel):
            raise TypeError(f"this method needs logits, and {self.model!r} has none.")
        return self.model

    def part(self, index: NDArray[np.intp]) -> Problem:
        """Return the problem of some samples, whatever their true labels."""
        return replace(self, X=self.X[index], y=None, codes=None)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.X.shape[1:]

    @property
    def norm(self) -> float:
        """The norm distances are measured in."""
        return self.threat_model.norm

    def rows(self, start: int, stop: int) -> Tensor:
        """Return samples `start` to `stop`, flattened, in the model's dtype."""
        return self.model.tensor(self.X[start:stop])

    def tensor(self, index: NDArray[np.intp]) -> Tensor:
        """Return some samples, flattened, in the model's dtype."""
        return self.model.tensor(self.X[index])

    def true_codes(self, start: int, stop: int) -> Tensor | None:
        """Return the true classes of samples `start` to `stop`, if `y` was given."""
        if self.codes is None:
            return None
        return torch.from_numpy(self.codes[start:stop]).to(self.model.device)

    def box(self, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Sides of the box, each of shape (n_features,)."""
        box = self.threat_model.box(self.shape)
        if box is None:
            return None
        low, high = (torch.from_numpy(b.copy()).to(self.model.device, dtype) for b in box)
        return low, high

    def mask(self) -> Tensor | None:
        """Mutable features, of shape (n_features,), or None when all are."""
        mask = self.threat_model.mask(self.shape)
        return None if mask is None else torch.from_numpy(mask.copy()).to(self.model.device)


@dataclass
class Results:
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


def finite(logits: Tensor) -> Tensor:
    """Return logits, or raise if they hold NaN or infinity."""
    if not bool(torch.isfinite(logits).all()):
        raise ValueError(
            "the module returns NaN or infinity for some samples; check its weights and the scale "
            "of X."
        )
    return logits


def margins(logits: Tensor, label: Tensor) -> Tensor:
    """Logit of `label` minus the greatest other logit, of shape (n,); negative once flipped."""
    own = logits.gather(1, label[:, None])[:, 0]
    if logits.shape[1] == 2:
        return own - logits.gather(1, 1 - label[:, None])[:, 0]
    return own - logits.scatter(1, label[:, None], -torch.inf).amax(dim=1)


def distances(points: Tensor, start: Tensor, norm: float) -> Tensor:
    """Distance between rows, subtracted in float64 so that large features lose nothing."""
    return norms(points.double() - start.double(), norm)
