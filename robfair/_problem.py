"""The problem that distances and attacks solve: samples, model and threat model, checked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, check_random_state
from torch import Tensor

from robfair._alignment import check_aligned
from robfair._batches import check_batch_size, default_batch_size
from robfair._geometry import norms
from robfair._precision import warn_of_rounding
from robfair._progress import ProgressBar
from robfair._validation import check_unmasked
from robfair.adapters import (
    LabelModel,
    LogitModel,
    Sees,
    TableModel,
    adapt,
    check_codes,
    check_labels,
    check_output,
    hold,
    of_array,
    of_table,
)
from robfair.threat import ThreatModel

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """The samples, the model and the threat model of one distance computation."""

    model: LogitModel | LabelModel
    X: NDArray[Any]
    true_codes: NDArray[np.intp] | None  # None where y is, or where the model has no logits
    n_classes: int  # 0 where the model has no logits
    threat_model: ThreatModel
    batch_size: int
    y: NDArray[Any] | None = None
    mismatch: str | None = None  # why labels alone are asked for, although there is more to read
    others: NDArray[Any] | None = None  # all samples, of which X is a part that searches start from

    @property
    def network(self) -> LogitModel:
        """The model, where a method needs logits; raises TypeError if it has none."""
        if not isinstance(self.model, LogitModel):
            raise TypeError(f"this method needs logits, and {self.model!r} has none.")
        return self.model

    def part(self, index: NDArray[np.intp]) -> Problem:
        """Return the problem of some samples, whatever their true labels."""
        return replace(self, X=self.X[index], y=None, true_codes=None)

    def chunk(self, rows: slice | NDArray[np.intp]) -> Problem:
        """Return the problem of some samples, with their true labels."""
        return replace(
            self,
            X=self.X[rows],
            y=None if self.y is None else self.y[rows],
            true_codes=None if self.true_codes is None else self.true_codes[rows],
        )

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

    def truth(self, start: int, stop: int) -> Tensor | None:
        """Return the true classes of samples `start` to `stop`, if `y` was given."""
        if self.true_codes is None:
            return None
        return torch.from_numpy(self.true_codes[start:stop]).to(self.model.device)

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


def finite(logits: Tensor) -> Tensor:
    """Return logits, or raise ValueError if they hold NaN or infinity."""
    if not bool(torch.isfinite(logits).all()):
        raise ValueError(
            "the module returns NaN or infinity for some samples; check its weights and the scale "
            "of X."
        )
    return logits


def margins(logits: Tensor, label: Tensor) -> Tensor:
    """Logit of `label` minus the greatest other logit, of shape (n,); negative once flipped."""
    own = logits.gather(1, label[:, None])[:, 0]
    if logits.shape[1] == 2:  # the most frequent case, without the copy of all logits
        return own - logits.gather(1, 1 - label[:, None])[:, 0]
    return own - logits.scatter(1, label[:, None], -torch.inf).amax(dim=1)


def distances(points: Tensor, start: Tensor, norm: float) -> Tensor:
    """Distance between rows, subtracted in float64 so that large features lose nothing."""
    return norms(points.double() - start.double(), norm)


def progress_bar(problem: Problem, title: str, verbose: int | None) -> Any:
    """Return a progress bar over the samples."""
    return ProgressBar(total=len(problem.X), desc=title, unit="sample", verbose=verbose)


def as_seed(random_state: Any) -> int:
    """Turn a `random_state` into one integer; numpy's global generator is not advanced."""
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, int | np.integer) and random_state >= 0:  # itself, also 2**32 on
        return int(random_state)
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as error:
        raise ValueError(
            "random_state must be an integer from 0, a RandomState, a Generator or None; got "
            f"{random_state!r}."
        ) from error


def as_problem(
    model: Any,
    X: Any,
    y: ArrayLike | None,
    threat_model: ThreatModel,
    batch_size: int | None,
    sees: Sees = "either",
) -> Problem:
    """Check everything before any work starts; raise TypeError or ValueError for what is wrong.

    `sees` is what is needed of the model: "logits", "labels" or "either". `mismatch` of the result
    says why it is labels alone, where what was read of the model is not what it predicts.
    """
    check_batch_size(batch_size)
    check_aligned(X=X, y=y)
    check_unmasked(X=X, y=y)
    adapted = adapt(model, X, sees)
    if threat_model.table is not None:
        adapted = of_table(model, adapted, X, threat_model.table)
    array = adapted.inputs(X)
    if array.ndim < 2:
        raise ValueError(f"X must have a row per sample; got shape {array.shape}.")
    if isinstance(adapted, LogitModel):
        warn_of_rounding(array, torch.empty(0, dtype=adapted.dtype).numpy().dtype)
    threat_model = threat_model.bind(array)
    threat_model.check(array)
    if y is not None:
        y = np.asarray(y)
        if y.ndim != 1:
            raise ValueError(f"y must be one-dimensional; got shape {y.shape}.")
        check_consistent_length(array, y)
    reading = hold(model, adapted, X, array, batch_size)
    adapted, n_classes, codes = reading.model, 0, None
    if isinstance(adapted, LogitModel):
        n_classes = check_output(adapted, array)
        codes = None if y is None else adapted.codes(y, n_classes)
    else:
        adapted = adapted.in_dtype_of(array)
        if adapted.classes is None:
            check_labels(adapted, array, y)
        elif y is not None:
            adapted.codes(y, len(adapted.classes))  # raises for labels that the model does not know
        if array.ndim == 2:
            table = isinstance(adapted, TableModel)  # of which no user has said what is a number
            moving = threat_model.numeric if table else threat_model.free
            check_codes(adapted, array, moving(array.shape[1:]))
            adapted = adapted if table else of_array(adapted, array)
    if batch_size is None:
        batch_size = default_batch_size(array.shape[1:])
    return Problem(
        adapted, array, codes, n_classes, threat_model, batch_size, y, mismatch=reading.mismatch
    )
