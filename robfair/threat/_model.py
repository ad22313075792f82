"""The threat model: norm, box and mutable features; categories, integers and units of tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair.threat._frame import FrameCodec
from robfair.threat._from_frame import FrameOptions, read_frame
from robfair.threat._from_transformer import Names, read_fields
from robfair.threat._spread import SpreadFields


@dataclass(frozen=True, eq=False, repr=False)
class ThreatModel(SpreadFields):
    """The perturbations that an attacker may make: their norm, box and mutable features.

    Parameters
    ----------
    norm : {2, numpy.inf}, default=2
        The norm in which a perturbation is measured.
    bounds : tuple (low, high), "data" or None, default=None
        The box that perturbed samples must stay in. Each side is a number or an array that
        broadcasts to the shape of one sample; ``-inf`` and ``inf`` leave a side open. "data" is the
        least box around the samples that the threat model is applied to. None: unbounded. Units are
        those of the space that is perturbed: for a Pipeline the input of its last step, with
        fractions of one-hot columns unless there are `categories`.
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
        The change of each feature that counts as 1 in the norm. None: 1.
    category_cost : float, default=1.0
        Cost of another category in one block.

    Raises
    ------
    TypeError
        If `bounds` is not a pair or `mutable` is not boolean.
    ValueError
        If `norm` is neither 2 nor infinity, the bounds cross or hold NaN, nothing is mutable,
        blocks overlap, or an integer feature has a fractional box.

    See Also
    --------
    ThreatModel.from_transformer : The threat model of the columns of a table before a transformer.
    ThreatModel.from_frame : That of the columns of a table which the model takes as it is.

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
    """

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

        Raises
        ------
        ValueError
            If an integer feature gets a fractional box.
        """
        if not self._is_unbound():
            return self
        X = np.asarray(X)
        # A block has no bounds, only its codes.
        in_block = self._in_block(X.shape[1:]).reshape(X.shape[1:])
        low = np.where(in_block, -np.inf, X.min(axis=0))
        return replace(self, bounds=(low, np.where(in_block, np.inf, X.max(axis=0))))

    def check(self, X: NDArray[Any]) -> None:
        """Check that samples fit the threat model.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            Samples.

        Raises
        ------
        ValueError
            If a sample leaves the box, holds no category or has another shape.
        """
        shape = X.shape[1:]
        self.mask(shape)  # raises where the shapes do not fit, as the calls below do
        flat = X.reshape(len(X), -1)
        if self.is_mixed:
            self.spacing(shape)
            self.units(shape)
            self.mutable_blocks(shape)
            for block in self.blocks:
                block.find(flat[~np.isnan(flat[:, list(block.columns)]).any(axis=1)])
        box = None if self._is_unbound() else self.box(shape)
        if box is None:
            return
        # Rounded as X was: float32 data may lie an ulp outside of the float64 bounds they define.
        dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float64)
        box = (box[0].astype(dtype), box[1].astype(dtype))
        # Gaps of a table, which are NaN, are neither inside nor outside.
        least, most = np.fmin.reduce(flat), np.fmax.reduce(flat)
        outside = (least < box[0]) | (most > box[1])
        if outside.any():
            worst = int(np.flatnonzero(outside)[0])
            called, ends = f"feature {worst}", np.array([least[worst], most[worst]])
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
        """Make the threat model of the columns of a table, for the features that are made of them.

        The transformer is read by trying it: a numeric column must end up in one feature, as an
        affine function (scalers, imputers). Strings, booleans and what is encoded are categories.

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
            The change that counts as 1 in the norm, in the units of the original columns. "std":
            one standard deviation in X, which also holds for columns that a mapping leaves out.
            None: 1.
        integer : "auto" or sequence of str, default="auto"
            Numeric columns that move by whole numbers. "auto": as None of :meth:`from_frame`.
        category_cost : float, default=1.0
            Cost of another category in one column.

        Returns
        -------
        ThreatModel
            The threat model in the space of the transformer's output.

        Raises
        ------
        TypeError
            If X is not a DataFrame, or an argument has another type than those above.
        ValueError
            If a name is not a column of X, a mutable column can be read as neither, X leaves its
            bounds, or X holds a category that its encoder does not take.

        See Also
        --------
        as_rows : Return to the original columns.

        Notes
        -----
        Categories that share a code, such as infrequent ones, are one here; `as_rows` names all.
        The least change of a number is that of :meth:`from_frame`.

        Examples
        --------
        >>> import pandas as pd
        >>> from robfair import ThreatModel
        >>> from sklearn.compose import make_column_transformer
        >>> from sklearn.preprocessing import OneHotEncoder, StandardScaler
        >>> people = pd.DataFrame(
        ...     {"age": [25, 40, 62], "hours": [20, 45, 40], "job": ["a", "b", "c"]}
        ... )
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
        fields, codec = read_fields(
            transformer, X, mutable, sensitive_features, bounds, unit, integer
        )
        model = cls(norm=norm, category_cost=category_cost, **fields)
        object.__setattr__(model, "_codec", codec)  # frozen; nor can a user give a codec
        return model

    @property
    def held_columns(self) -> Mapping[Hashable, str] | None:
        """Columns that stay since they cannot be read, with the reason; None if it was named."""
        return None if self._codec is None else self._codec.held

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        mutable: Names | None = None,
        categories: Names | None = None,
        integer: Names | None = None,
        unit: Literal["std"] | Mapping[Hashable, float] | None = "std",
        sensitive_features: Names = (),
        norm: float = 2,
        bounds: Literal["data"] | Mapping[Hashable, tuple[float, float]] | None = "data",
        category_cost: float = 1.0,
    ) -> ThreatModel:
        """Make the threat model of the columns of a table, for a model that takes it as it is.

        That is boosting with categories and gaps, or what is wrapped around a whole Pipeline: it is
        given rows in the columns, dtypes and categories of the table. A missing value stays
        missing, and no other goes missing.

        Parameters
        ----------
        frame : DataFrame of pandas or polars, or ndarray, of shape (n_samples, n_columns)
            Samples, such as the training data: the box, the units and the values of categories are
            theirs.
        mutable : str or sequence of str, default=None
            Columns that may change. None: all but `sensitive_features`; of these, dates and times,
            whole numbers beyond 2**53, and columns that hold one value only stay as they are.
        categories : str or sequence of str, default=None
            Columns of numbers that are codes of categories. Columns of categories, text or truth
            values need not be named.
        integer : str or sequence of str, default=None
            Numeric columns that move by whole numbers. None: those of an integer dtype, and those
            that hold gaps and, beside these, whole numbers.
        unit : "std", mapping of columns to float, or None, default="std"
            The change that counts as 1 in the norm. "std": one standard deviation in `frame`, which
            also holds for columns that a mapping leaves out. None: 1.
        sensitive_features : str or sequence of str, default=()
            Columns that stay as they are.
        norm : {2, numpy.inf}, default=2
            The norm in which a perturbation is measured.
        bounds : "data", mapping of columns to (low, high), or None, default="data"
            The box. "data": from the least value in `frame` to the greatest, which also holds for
            columns that a mapping leaves out.
        category_cost : float, default=1.0
            Cost of another category in one column.

        Returns
        -------
        ThreatModel
            The threat model in the space of the columns: a feature for each, with codes for
            categories and NaN for missing values.

        Raises
        ------
        TypeError
            If `frame` is not a table, or an argument has another type than those above.
        ValueError
            If a name is not a column, a mutable column is neither a number nor a category or holds
            one value only, nothing can change, `frame` leaves its bounds, or holds infinity.

        See Also
        --------
        from_transformer : For a Pipeline, whose last step is then seen with its gradients.
        as_rows : Return to the original columns.

        Notes
        -----
        Samples that are measured need the same columns, in the same order. Their categories have to
        occur in `frame`: give it the training data if the samples are few.

        Trees often cut at values of the data, which a change at the resolution of floats would
        cross. So where labels or trees are searched, a number that changes does so by the last
        decimal place in which its column is written (0.01 for prices), and always by 1e-9 of its
        unit.

        Examples
        --------
        >>> from robfair import ThreatModel, boundary_distance
        >>> from robfair.datasets import load_adult
        >>> from sklearn.ensemble import HistGradientBoostingClassifier
        >>> people, y = load_adult(split="test", return_X_y=True)
        >>> model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(people, y)
        >>> threat_model = ThreatModel.from_frame(people, sensitive_features=["race", "sex"])
        >>> distance = boundary_distance(model, people[:3], threat_model=threat_model)
        >>> distance.as_rows()["changed"].tolist()
        ['capital-gain 0 -> 2897', 'age 33 -> 36; capital-gain 0 -> 2897', 'capital-gain 0 -> 5037']
        """
        options = FrameOptions(mutable, categories, integer, unit, sensitive_features, bounds)
        fields, codec = read_frame(frame, options)
        model = cls(norm=norm, category_cost=category_cost, **fields)
        object.__setattr__(model, "_codec", codec)
        return model

    @property
    def table(self) -> FrameCodec | None:
        """The columns of `from_frame` as numbers, and back; None for other threat models."""
        return self._codec if isinstance(self._codec, FrameCodec) else None

    def _key(self) -> tuple[Any, ...]:
        return *super()._key(), self.table  # the same numbers may stand for other columns

    @property
    def mutable_columns(self) -> tuple[Hashable, ...] | None:
        """Original columns that may change; None if no table or transformer has told them."""
        if self._codec is None:
            return None
        names = (column.name for column in self._codec.columns)
        return tuple(name for name in names if name in self._codec.mutable)

    def as_rows(self, points: ArrayLike, start: Any) -> pd.DataFrame:
        """Write perturbed samples in the original columns, and name their changes.

        Parameters
        ----------
        points : array-like of shape (n_samples, n_features)
            The perturbed samples; a row without one is NaN.
        start : DataFrame or array-like of shape (n_samples, n_features)
            The samples before: the original columns, or the output of the transformer.

        Returns
        -------
        DataFrame of shape (n_samples, n_columns + 1)
            The columns of `start`, in their dtypes, with new values where a mutable column has
            changed, and a column "changed" such as "hours 40 -> 47; job Sales -> Tech". Without a
            point all is missing, for which integers become "Int64".

        Raises
        ------
        ValueError
            If the threat model knows no columns, the shapes do not fit, or `start` is an array from
            which a column cannot be read back.
        """
        if self._codec is None:
            raise ValueError(
                "as_rows needs the original columns, which only a threat model made by "
                "ThreatModel.from_transformer or ThreatModel.from_frame knows."
            )
        return self._codec.as_rows(points, start)
