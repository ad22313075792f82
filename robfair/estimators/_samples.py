"""The samples of a fit: held out, repeated, and put into batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples"]


@dataclass(frozen=True)
class Samples:
    """Samples with their classes, groups and weights."""

    X: NDArray[Any]  # in the dtype of the module
    y: NDArray[np.intp]  # classes and groups are integers from 0
    groups: NDArray[np.intp]
    weight: NDArray[np.float64] | None  # 0 to 1; 0 leaves out, see `TensorBatches`. None: all alike

    def __getitem__(self, rows: NDArray[Any]) -> Samples:
        weight = None if self.weight is None else self.weight[rows]
        return Samples(self.X[rows], self.y[rows], self.groups[rows], weight)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Mask of the samples that are not left out."""
        return np.ones(len(self.y), dtype=bool) if self.weight is None else self.weight > 0

    @property
    def inputs(self) -> dict[str, NDArray[Any]]:
        """Arrays that the net batches beside y."""
        inputs = {"X": self.X, "groups": self.groups}
        if self.weight is not None:
            # A weight too small for the module's dtype must not become 0: that means left out.
            smallest = np.where(self.kept, np.finfo(self.X.dtype).tiny, 0)
            inputs["weight"] = np.maximum(self.weight, smallest).astype(self.X.dtype)
        return inputs

    def oversampled(self) -> Samples:
        """Repeat the samples of smaller classes as often as brings them closest to the largest."""
        sizes = np.bincount(self.y[self.kept], minlength=self.y.max() + 1)
        # A class whose samples are all left out is not repeated.
        times = np.rint(np.where(sizes == 0, 1, sizes.max() / np.maximum(sizes, 1))).astype(int)
        return self[np.repeat(np.arange(len(self.y)), times[self.y])]

    def split(self, held_out: NDArray[np.bool_], labels: Any) -> tuple[Samples, Samples]:
        """Split into samples to train on, and those held out to evaluate the groups `labels`.

        Raises ValueError if some are held out and a group has no sample left in one of the two.
        """
        if not held_out.any():
            return self, self[held_out]  # spares a copy of the samples
        for part, name in ((held_out, "held out"), (~held_out, "trained on")):
            sizes = np.bincount(self.groups[part & self.kept], minlength=len(labels))
            if (sizes == 0).any():
                raise ValueError(
                    f"group {list(labels)[sizes.argmin()]!r} has no sample of weight above 0 that "
                    f"is {name}, so it cannot be evaluated. Merge it with another group, or change "
                    "validation_fraction or the weights."
                )
        # Samples of weight 0 stay among those to train on, where they keep the others' places.
        return self[~held_out], self[held_out & self.kept]
