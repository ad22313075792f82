"""`BoundaryDistance`, the result of a distance computation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._notebook import html_block, html_table, shares_drawing
from robfair._shares import plot_shares
from robfair._tables import Cell, Table
from robfair._text import table_number
from robfair.threat import ThreatModel

__all__ = ["BoundaryDistance"]

FOUND, EXACT, CENSORED, SKIPPED = STATUSES = ("found", "exact", "censored", "skipped")


@dataclass(frozen=True, eq=False, repr=False)
class BoundaryDistance:
    """Distance d(x) of each sample to the decision boundary, and how it was found.

    Attributes
    ----------
    distance : ndarray of shape (n_samples,), float64
        Distance from the sample to the nearest point found that is predicted differently, in
        `threat_model`'s norm and the units of the space that is perturbed. An upper bound of d(x),
        or d(x) itself where `status` is "exact"; ``method="paper"`` averages the last two iterates
        (Eq. 8) and is an estimate that can be lower. inf where no point was found, NaN where the
        search was skipped. Never 0 for a failed search.
    lower : ndarray of shape (n_samples,) or None
        Certified: no point nearer than this is predicted differently. Where the distance is exact
        it is less by what the model's own rounding can do; with ``certify=True`` a bound. NaN where
        nothing could be certified or the search was skipped. None if it was not asked for.
    predicted : ndarray of shape (n_samples,)
        The label that the model predicts.
    status : ndarray of shape (n_samples,), str
        "found", "exact", "censored" (no adversarial was found: `distance` is inf) or "skipped" (`y`
        was given and the model is wrong there, so no measure needs the distance: NaN).
    adversarial : ndarray of the shape of X, or None
        The point behind `distance`, which the model predicted differently; NaN where there is none.
        For an exact distance it lies a relative 1e-7 beyond the boundary, or as far as the rounding
        of the model makes necessary. None if it was not asked for.
    method : str
        The method that ran: what "auto" chose, or "auto" where that is its own search.
    threat_model : ThreatModel
        Norm, box and mutable features.
    n_forward, n_backward : ndarray of shape (n_samples,), int32
        Times that the sample went through the model, forwards and backwards. For a model that only
        predicts, `n_forward` counts the points predicted.
    warnings_ : tuple of str
        What speaks against trusting these distances: a sentence each. Empty if nothing was seen.
    X : object, or None
        The samples as they were passed to `boundary_distance`; not a copy.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import boundary_distance
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> boundary_distance(LogisticRegression().fit(X, y), X)
    BoundaryDistance(4 samples: 4 exact; mean distance 1.5; method='linear', ThreatModel(norm=2))
    """

    distance: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    predicted: NDArray[Any]
    status: NDArray[np.str_]
    adversarial: NDArray[Any] | None
    method: str
    threat_model: ThreatModel
    n_forward: NDArray[np.int32]
    n_backward: NDArray[np.int32]
    warnings_: tuple[str, ...] = ()
    X: Any = None

    def __len__(self) -> int:
        return len(self.distance)

    def counts(self) -> dict[str, int]:
        """Count the samples of each status, leaving out those that do not occur.

        Returns
        -------
        dict of str to int
            The number of samples by status.
        """
        counts = {status: int((self.status == status).sum()) for status in STATUSES}
        return {status: n for status, n in counts.items() if n}

    def as_rows(self) -> pd.DataFrame:
        """Write the points behind the distances in the original columns of a table.

        Returns
        -------
        DataFrame of shape (n_samples, n_columns + 1)
            The columns of `X`, as `adversarial` has them, and a column "changed" that says in words
            what has changed, such as "hours 40 -> 47; job Sales -> Tech". Rows of samples for which
            no point was found, or which were skipped, are missing values.

        Raises
        ------
        ValueError
            If the points were not kept, or the threat model was not made by
            :meth:`ThreatModel.from_transformer <robfair.ThreatModel.from_transformer>`.
        """
        if self.adversarial is None or self.X is None:
            raise ValueError(
                "as_rows needs the points behind the distances: call boundary_distance with "
                "return_adversarial=True."
            )
        points = self.adversarial.reshape(len(self), -1)
        rows = self.threat_model.as_rows(points, self.X)
        rows.loc[self.status == SKIPPED, "changed"] = "not searched: the model is wrong here"
        return rows

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the share of the samples that lies farther from the boundary than each size.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        matplotlib Axes
            What was drawn on. Samples for which no point was found are farther than all sizes;
            skipped ones are left out.
        """
        xlabel = "distance to the decision boundary"
        return plot_shares({"": self.distance}, xlabel, ax=ax, caller="BoundaryDistance.plot")

    def _repr_html_(self) -> str:
        found = np.sort(self.distance[np.isfinite(self.distance)])
        counts = ", ".join(f"{n:,} {status}" for status, n in self.counts().items())
        names = ("least", "lower quartile", "median", "upper quartile", "greatest", "mean")
        known = len(found) > 0
        ends = np.quantile(found, [0, 0.25, 0.5, 0.75, 1]) if known else np.full(5, np.nan)
        values = [*ends, found.mean() if known else np.nan]
        row = tuple(Cell(table_number(value), float(value)) for value in values)
        drawing = shares_drawing(self.distance, float(ends[-1]))
        table = Table(("", *names), ((Cell("distance", ""), *row),))
        caption = f'By "{self.method}", {self.threat_model!r}; the share that lies farther'
        return html_block(
            [f"Distances of {len(self):,} samples to the decision boundary: {counts}."],
            self.warnings_,
            html_table(table, caption, [drawing]),
        )

    def __repr__(self) -> str:
        finite = self.distance[np.isfinite(self.distance)]
        mean = f"{finite.mean():.4g}" if len(finite) else "none"
        counts = ", ".join(f"{n} {status}" for status, n in self.counts().items())
        return (
            f"BoundaryDistance({len(self)} samples: {counts}; mean distance {mean}; "
            f"method={self.method!r}, {self.threat_model!r})"
        )
