"""What an attacker may change, as one object: norm, box, mutable features, rules of tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair.threat._block import Block
from robfair.threat._codec import Codec
from robfair.threat._fields import Rules
from robfair.threat._from_transformer import Names, read_fields

__all__ = ["ThreatModel"]


@dataclass(frozen=True, eq=False)
class ThreatModel(Rules):
    """The perturbations an attacker may make: how they are measured and where they must stay.

    Parameters
    ----------
    norm : {2, numpy.inf}, default=2
        The norm in which a perturbation is measured.
    bounds : tuple (low, high), "data" or None, default=None
        The box that perturbed samples must stay in. Each side is a number or an array that
        broadcasts to the shape of one sample; ``-inf`` and ``inf`` leave a side open. "data" is the
        least box around the samples that the threat model is applied to. None is no box. Units are
        those of the space that is perturbed (for a Pipeline: the input of its last step).
    mutable : array of bool, broadcastable to the shape of one sample, or None, default=None
        True for features that may change. None: all of them.
    categories : sequence of blocks, or None, default=None
        Columns of a table that hold one category together, and change only to another. A block is
        a sequence of column indices, for a one-hot code, or a :class:`~robfair.threat.Block`.
        Features of a block have no bounds, spacing or unit of their own.
    integer : array of bool or of float, broadcastable to the shape of one sample, default=None
        Features that move from their value by whole multiples of a spacing: 1 where True, any value
        where 0 or False. In a standardised table the spacing is 1 / scale.
    unit : array of positive float, broadcastable to the shape of one sample, default=None
        What counts as 1 in the norm, for each feature. None: 1.
    category_cost : float, default=1.0
        What the change of one block counts in the norm.

    Raises
    ------
    TypeError
        If `bounds` is not a pair or `mutable` is not boolean.
    ValueError
        If `norm` is neither 2 nor infinity, the bounds cross or hold NaN, nothing is mutable,
        blocks overlap, or an integer feature has a fractional box.

    See Also
    --------
    ThreatModel.from_transformer : What an attacker may do to the original columns of a table.

    Notes
    -----
    The cost of a perturbation, and so a distance under this threat model, is the norm of a vector
    with ``delta / unit`` for each feature outside of blocks and `category_cost` for each block that
    has changed.

    Examples
    --------
    >>> import numpy as np
    >>> from robfair import ThreatModel
    >>> ThreatModel(norm=np.inf, bounds=(0, 1))
    ThreatModel(norm=inf, bounds=(0, 1))

    A table of an age in years, of which 10 count as 1, and a colour in three one-hot columns:

    >>> threat_model = ThreatModel(
    ...     integer=[True, False, False, False], unit=10, categories=[[1, 2, 3]]
    ... )
    >>> threat_model
    ThreatModel(norm=2, categories=1, integer=1 of 4, unit=10)
    >>> x, moved = np.array([[40, 1, 0, 0]]), np.array([[47.0, 0, 1, 0]])
    >>> threat_model.cost(x, moved).round(4)  # a vector of 0.7 and 1
    array([1.2207])
    >>> threat_model.valid(x, moved), threat_model.valid(x, moved + 0.5)
    (array([ True]), array([False]))

    Behind a transformer, :meth:`from_transformer` works all of this out:

    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.preprocessing import OneHotEncoder, StandardScaler
    >>> people = pd.DataFrame({"age": [25, 40, 62], "hours": [20, 45, 40], "job": ["a", "b", "c"]})
    >>> encode = make_column_transformer(
    ...     (StandardScaler(), ["age", "hours"]), (OneHotEncoder(), ["job"])
    ... ).fit(people)
    >>> threat_model = ThreatModel.from_transformer(encode, people, mutable=["hours", "job"])
    >>> threat_model
    ThreatModel(norm=2, bounds=(array of 5, array of 5), mutable=4 of 5, categories=1,
    integer=1 of 5, unit=array of 5)
    >>> points = encode.transform(people.assign(job=["a", "c", "c"], hours=[25, 45, 40]))
    >>> threat_model.as_rows(points, people)
       age  hours job         changed
    0   25     25   a  hours 20 -> 25
    1   40     45   c      job b -> c
    2   62     40   c
    """

    norm: float = 2
    bounds: tuple[ArrayLike, ArrayLike] | Literal["data"] | None = None
    mutable: ArrayLike | None = None
    categories: Sequence[Block | Sequence[int]] | None = None
    integer: ArrayLike | None = None
    unit: ArrayLike | None = None
    category_cost: float = 1.0
    _codec: Codec | None = field(init=False, default=None)

    def __post_init__(self) -> None:
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
                    "Use numpy.isin(columns, names) to make a mask from names."
                )
            if not mask.any():
                raise ValueError("mutable is False everywhere: no feature may change.")

    def _check_table(self) -> None:
        if self.categories is not None:
            blocks = tuple(b if isinstance(b, Block) else Block(b) for b in self.categories)
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
        if not isinstance(other, ThreatModel):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        """Contents by value, since arrays neither compare nor hash as one thing."""
        fields = (
            self._sides() if self._has_box() else self.bounds,
            self.mutable,
            # A mask and the spacings that it stands for are the same.
            None if self.integer is None else np.asarray(self.integer, dtype=np.float64),
            None if self.unit is None else np.asarray(self.unit, dtype=np.float64),
        )
        contents = tuple(_frozen(field) for field in fields)
        return float(self.norm), contents, self.categories, float(self.category_cost)

    def bind(self, X: ArrayLike) -> ThreatModel:
        """Replace ``bounds="data"`` by the least box around samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ThreatModel
            This threat model with numbers for bounds; itself where it has them already.
        """
        if not self._is_unbound():
            return self
        X = np.asarray(X)
        in_block = self._in_block(X.shape[1:]).reshape(X.shape[1:])
        low = np.where(in_block, -np.inf, X.min(axis=0))
        return replace(self, bounds=(low, np.where(in_block, np.inf, X.max(axis=0))))

    def check(self, X: NDArray[Any]) -> None:
        """Raise a ValueError if a sample leaves the box, holds no category or has another shape.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            Samples.
        """
        shape = X.shape[1:]
        self.mask(shape)
        flat = X.reshape(len(X), -1)
        if self.is_mixed:
            self.spacing(shape)
            self.units(shape)
            self.mutable_blocks(shape)
            for block in self.blocks:
                block.find(flat)
        box = None if self._is_unbound() else self.box(shape)
        if box is None:
            return
        # Rounded as X was: float32 data may lie an ulp outside of the float64 bounds they define.
        dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)
        box = (box[0].astype(dtype), box[1].astype(dtype))
        outside = (flat.min(axis=0) < box[0]) | (flat.max(axis=0) > box[1])
        if outside.any():
            worst = int(np.flatnonzero(outside)[0])
            column = flat[:, worst]
            called, ends = f"feature {worst}", np.array([column.min(), column.max()])
            sides = np.array([box[0][worst], box[1][worst]])
            number = None if self._codec is None else self._codec.number(worst)
            if number is not None:
                called = f"column {number.name!r}"
                ends, sides = number.read(ends), number.read(sides)
            raise ValueError(
                f"X leaves the bounds in {int(outside.sum())} feature(s); the first is {called}, "
                f"where X runs from {min(ends):.6g} to {max(ends):.6g} and the bounds are "
                f"[{min(sides):.6g}, {max(sides):.6g}]. Widen the bounds, or clip X."
            )

    @classmethod
    def from_transformer(
        cls,
        transformer: Any,
        X: pd.DataFrame,
        *,
        mutable: Names | None = None,
        sensitive_features: Names = (),
        norm: float = 2,
        bounds: Literal["data"] | Mapping[Hashable, tuple[float, float]] | None = "data",
        unit: Literal["std"] | Mapping[Hashable, float] | None = "std",
        integer: Literal["auto"] | Names = "auto",
        category_cost: float = 1.0,
    ) -> ThreatModel:
        """Describe what may happen to the columns of a table, for the features made of them.

        The transformer is read by trying it: numeric columns must each end up in one feature, as an
        affine function (scalers, imputers, "passthrough"), and columns of categories are those of
        strings, categories or booleans, and those that an encoder takes apart.

        Parameters
        ----------
        transformer : ColumnTransformer, Pipeline or another transformer
            Fitted on a DataFrame. Of a Pipeline that ends in a classifier, ``pipeline[:-1]``.
        X : DataFrame of shape (n_samples, n_columns)
            Samples in the original columns, such as the training data: the box and the units are
            theirs.
        mutable : str or sequence of str, default=None
            Columns that may change. None: all but `sensitive_features`; of these, columns that the
            transformer does not use or that hold one value only stay as they are.
        sensitive_features : str or sequence of str, default=()
            Columns that stay as they are.
        norm : {2, numpy.inf}, default=2
            The norm in which a perturbation is measured.
        bounds : "data", mapping of columns to (low, high), or None, default="data"
            The box, in the units of the original columns. "data": from the least value in X to the
            greatest, which also holds for columns that a mapping leaves out.
        unit : "std", mapping of columns to float, or None, default="std"
            What counts as 1 in the norm, in the units of the original columns. "std": one standard
            deviation in X, which also holds for columns that a mapping leaves out. None: 1.
        integer : "auto" or sequence of str, default="auto"
            Numeric columns that move by whole numbers. "auto": those of an integer dtype.
        category_cost : float, default=1.0
            What the change of one column of categories counts in the norm.

        Returns
        -------
        ThreatModel
            The threat model in the space of the transformer's output.

        Raises
        ------
        TypeError
            If X is no DataFrame.
        ValueError
            If a name is no column of X, a mutable column is neither made of categories nor mapped
            by an affine function, or X holds a category that its encoder has not seen.

        See Also
        --------
        as_rows : Back to the original columns.

        Notes
        -----
        Categories that share a code, such as infrequent ones, are one category here; `as_rows`
        names them all, and puts in the one that is most frequent in X.

        Examples
        --------
        >>> from robfair import ThreatModel
        >>> from robfair.datasets import load_adult
        >>> from sklearn.compose import make_column_selector, make_column_transformer
        >>> from sklearn.preprocessing import OneHotEncoder, StandardScaler
        >>> X = load_adult(split="test").data
        >>> encode = make_column_transformer(
        ...     (OneHotEncoder(), make_column_selector(dtype_include="category")),
        ...     remainder=StandardScaler(),
        ... ).fit(X)
        >>> ThreatModel.from_transformer(encode, X, mutable=["hours-per-week", "occupation"])
        ThreatModel(norm=2, bounds=(array of 103, array of 103), mutable=15 of 103, categories=1,
        integer=1 of 103, unit=array of 103)
        """
        fields, codec = read_fields(
            transformer, X, mutable, sensitive_features, bounds, unit, integer
        )
        model = cls(norm=norm, category_cost=category_cost, **fields)
        object.__setattr__(model, "_codec", codec)
        return model

    @property
    def mutable_columns(self) -> tuple[Hashable, ...] | None:
        """Original columns that may change; None where only `from_transformer` would know them."""
        if self._codec is None:
            return None
        names = (column.name for column in self._codec.columns)
        return tuple(name for name in names if name in self._codec.mutable)

    def as_rows(self, points: ArrayLike, start: Any) -> pd.DataFrame:
        """Write perturbed samples in the original columns, and say in words what changed.

        Parameters
        ----------
        points : array-like of shape (n_samples, n_features)
            The perturbed samples; rows of NaN where there is none.
        start : DataFrame or array-like of shape (n_samples, n_features)
            What they started from: the original columns, or what the transformer made of them.

        Returns
        -------
        DataFrame of shape (n_samples, n_columns + 1)
            The columns of `start`, in their dtypes, with new values where a mutable column has
            changed, and a column "changed" such as "hours 40 -> 47; job Sales -> Tech". Rows
            without a point are missing values, for which integers become "Int64".

        Raises
        ------
        ValueError
            If the threat model was not made by `from_transformer`, the shapes do not fit, or
            `start` is an array from which a column cannot be read back.
        """
        if self._codec is None:
            raise ValueError(
                "as_rows needs the original columns, which only a threat model made by "
                "ThreatModel.from_transformer knows."
            )
        return self._codec.as_rows(points, start)


def _frozen(field: Any) -> Any:
    """Turn an array, or a pair of them, into something that compares and hashes."""
    if isinstance(field, tuple):
        return tuple(_frozen(part) for part in field)
    if field is None or isinstance(field, str):
        return field
    array = np.asarray(field)
    return array.shape, array.tobytes()


def _short(side: ArrayLike) -> str:
    array = np.asarray(side)
    return str(side) if array.ndim == 0 else f"array of {array.size}"
