"""The fields of a threat model, checked when it is made, and compared by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robfair.threat._block import Block


@dataclass(frozen=True, eq=False, repr=False)
class ThreatModelFields:
    """The fields that a user sets; :class:`~robfair.ThreatModel` describes them."""

    norm: float = 2
    bounds: tuple[ArrayLike, ArrayLike] | Literal["data"] | None = None
    mutable: ArrayLike | None = None
    categories: Sequence[Block | Sequence[int]] | None = None
    integer: ArrayLike | None = None
    unit: ArrayLike | None = None
    category_cost: float = 1.0

    def __post_init__(self) -> None:
        """Check the fields; ThreatModel says what raises."""
        if self.norm not in (2, np.inf):
            raise ValueError(f"norm must be 2 or numpy.inf; got {self.norm!r}.")
        self._check_table()
        if self._has_box():
            low, high = self._sides()
            if np.isnan(low).any() or np.isnan(high).any():
                raise ValueError("bounds hold NaN; use -inf or inf for a side that is open.")
            crossed = np.atleast_1d(low > high)
            if crossed.any():
                raise ValueError(
                    f"bounds cross: low is greater than high at {int(crossed.sum())} place(s), "
                    f"first at feature {int(np.flatnonzero(crossed)[0])}. Give (low, high)."
                )
        if self.mutable is not None:
            mask = np.asarray(self.mutable)
            if mask.dtype != bool:
                raise TypeError(
                    f"mutable must be an array of bool, one per feature; got dtype {mask.dtype}. "
                    "Use numpy.isin(columns, names) to make a mask from names; for the columns of "
                    "a table ThreatModel.from_frame(X, mutable=names), or from_transformer."
                )
            if not mask.any():
                raise ValueError("mutable is False everywhere: no feature may change.")

    def _check_table(self) -> None:
        """Check the fields of tables, and make Blocks of the categories."""
        if self.categories is not None:
            blocks = tuple(b if isinstance(b, Block) else Block(b) for b in self.categories)
            # With an empty part, since there may be no block.
            columns = np.concatenate([(), *(b.columns for b in blocks)])
            column, times = np.unique(columns, return_counts=True)
            if (times > 1).any():
                raise ValueError(f"blocks overlap: column {int(column[times > 1][0])} is in two.")
            object.__setattr__(self, "categories", blocks)
        if not 0 < self.category_cost < np.inf:
            raise ValueError(f"category_cost must be a positive number; got {self.category_cost}.")
        if self.unit is not None:
            unit = np.asarray(self.unit, dtype=np.float64)
            if not ((unit > 0) & (unit < np.inf)).all():
                raise ValueError(f"unit must be positive and finite; got {_short(unit)}.")
        if self.integer is None:
            return
        spacing = np.asarray(self.integer)
        if not np.isfinite(steps := spacing.astype(np.float64)).all() or (steps < 0).any():
            raise ValueError(
                "integer must be a mask, or spacings that are positive, or 0 where a feature is "
                f"continuous; got {_short(spacing)}."
            )
        # Spacings that are numbers are those of scaled features, whose bounds need not be whole.
        if spacing.dtype == bool and self._has_box():
            for side in self._sides():
                broken = np.atleast_1d(spacing & np.isfinite(side) & (side != np.round(side)))
                if broken.any():
                    feature = int(np.flatnonzero(broken)[0])
                    value = np.broadcast_to(side, broken.shape).flat[feature]
                    raise ValueError(
                        f"an integer feature with a fractional box: feature {feature} is bounded "
                        f"by {value:.6g}. Give whole bounds, or as `integer` the spacing of a "
                        "feature that is scaled."
                    )

    def __repr__(self) -> str:
        parts = [f"norm={'inf' if self.norm == np.inf else 2}"]
        if self._is_unbound():
            parts.append(f"bounds={self.bounds!r}")
        elif self.bounds is not None:
            low, high = self.bounds  # type: ignore[str-unpack]
            parts.append(f"bounds=({_short(low)}, {_short(high)})")
        if self.mutable is not None:
            mask = np.asarray(self.mutable)
            parts.append(f"mutable={int(mask.sum())} of {mask.size}")
        if self.categories is not None:
            parts.append(f"categories={len(self.categories)}")
        if self.integer is not None:
            steps = np.asarray(self.integer)
            parts.append(f"integer={np.count_nonzero(steps)} of {steps.size}")
        if self.unit is not None:
            parts.append(f"unit={_short(self.unit)}")
        if self.category_cost != 1:
            parts.append(f"category_cost={self.category_cost:g}")
        return f"ThreatModel({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ThreatModelFields):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        """Return the contents by value, since arrays neither compare nor hash as one thing."""
        fields = (
            self._sides() if self._has_box() else self.bounds,
            self.mutable,
            # A mask and the spacings that it stands for are the same.
            None if self.integer is None else np.asarray(self.integer, dtype=np.float64),
            None if self.unit is None else np.asarray(self.unit, dtype=np.float64),
        )
        contents = tuple(_frozen(field) for field in fields)
        return float(self.norm), contents, self.categories, float(self.category_cost)

    @property
    def is_mixed(self) -> bool:
        """True if there are categories, integers or units beside a norm inside a box."""
        return any(field is not None for field in (self.categories, self.integer, self.unit))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of `categories`."""
        return tuple(self.categories or ())  # type: ignore[arg-type]  # made Blocks at the start

    def _has_box(self) -> bool:
        """Tell whether the bounds are numbers."""
        return not (self.bounds is None or self._is_unbound())

    def _is_unbound(self) -> bool:
        """Tell whether the bounds are to be those of samples that are not known yet."""
        return isinstance(self.bounds, str) and self.bounds == "data"

    def _sides(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both sides of the box as arrays, or raise if the bounds are not a pair."""
        try:
            if isinstance(self.bounds, str):
                raise TypeError
            low, high = self.bounds  # type: ignore[misc]
        except (TypeError, ValueError):
            raise TypeError(
                f'bounds must be a pair (low, high), "data" or None; got {self.bounds!r}.'
            ) from None
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        # Raises where the two do not fit each other.
        np.broadcast_shapes(low.shape, high.shape)
        return low, high


def _frozen(field: Any) -> Any:
    """Turn an array, or a pair of them, into something that compares and hashes."""
    if isinstance(field, tuple):
        return tuple(_frozen(part) for part in field)
    if field is None or isinstance(field, str):
        return field
    array = np.asarray(field)
    return array.shape, array.tobytes()


def _short(side: ArrayLike) -> str:
    """Show a number, or the size of an array."""
    array = np.asarray(side)
    return str(side) if array.ndim == 0 else f"array of {array.size}"
