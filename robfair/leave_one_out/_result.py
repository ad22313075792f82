"""Results of a leave-one-out run, and their measures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._notebook import html_block, html_table, shares_drawing
from robfair._shares import plot_shares
from robfair._tables import Cell, Table
from robfair._text import table_number
from robfair.metrics import leave_one_out_summary, leave_one_out_table

__all__ = ["LeaveOneOut", "Refits"]


@dataclass(frozen=True, eq=False, repr=False)
class Refits:
    """Refitted models, compared with the model that they are refits of.

    Attributes
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Confidences of the model trained on all training samples, on the test samples.
    proba_refitted : ndarray of shape (n_refits, n_samples, n_classes)
        The same for each refitted model.
    """

    proba: NDArray[np.float64]
    proba_refitted: NDArray[np.float64]

    @cached_property
    def luf(self) -> NDArray[np.float64]:
        """LUF(x) of each test sample: the largest change of a confidence, in [0, 1]."""
        return leave_one_out_table(self.proba, self.proba_refitted)["luf"].to_numpy()

    @cached_property
    def _summary(self) -> pd.Series[float]:
        return leave_one_out_summary(self.proba, self.proba_refitted)

    @property
    def mean(self) -> float:
        """LUF, the mean of LUF(x) over the test samples."""
        return float(self._summary["luf"])

    @property
    def luf_t(self) -> float:
        """Mean over test samples of the number of models that predict another class."""
        return float(self._summary["luf_t"])

    @property
    def luf_l(self) -> float:
        """Mean over models of the number of test samples predicted as another class."""
        return float(self._summary["luf_l"])

    @property
    def n_refits(self) -> int:
        """Number of refitted models: LUF, a maximum over them, grows with it."""
        return len(self.proba_refitted)

    def _measures(self) -> dict[str, Any]:
        names = ("n_refits", "luf", "luf_t", "luf_l")
        return dict(zip(names, (self.n_refits, self.mean, self.luf_t, self.luf_l), strict=True))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.n_refits} refits, {len(self.proba)} test samples: "
            f"{self._in_words()})"
        )

    def _in_words(self) -> str:
        return f"LUF {self.mean:.4g}, LUF_t {self.luf_t:.4g}, LUF_l {self.luf_l:.4g}"


@dataclass(frozen=True, eq=False, repr=False)
class LeaveOneOut(Refits):
    """Leave-one-out unfairness of an estimator, beside what another seed changes.

    Attributes
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Confidences F_D of the model trained on all training samples, on the test samples.
    proba_refitted : ndarray of shape (n_left_out, n_samples, n_classes)
        The same for the model trained without the sample ``left_out[j]``, for each j.
    left_out : ndarray of shape (n_left_out,), int
        Positions of the training samples that were left out, one at a time.
    classes : ndarray of shape (n_classes,)
        The label of each column of confidences.
    baseline : Refits or None
        Models trained on *all* samples with other seeds: what chance alone changes. Compare it with
        LUF where it has as many refits. None if none were asked for, or if the estimator takes no
        `random_state`.
    takes_seed : bool
        Whether the estimator, or a part of it, has a parameter `random_state`.
    repeat_difference : float
        The largest difference of a confidence between two fits of the same estimator with the same
        seed on all samples. 0 if fits can be repeated, as LUF assumes.
    """

    left_out: NDArray[np.intp]
    classes: NDArray[Any]
    baseline: Refits | None
    takes_seed: bool
    repeat_difference: float

    @property
    def n_left_out(self) -> int:
        """Number of samples left out, one at a time."""
        return len(self.left_out)

    def to_frame(self) -> pd.DataFrame:
        """Put LUF, LUF_t and LUF_l into a table, with those of the baseline.

        Returns
        -------
        pandas DataFrame
            The rows "left out" and, if there is a baseline, "other seed"; a column for the number
            of refits and for each measure.
        """
        rows = {name: refits._measures() for name, refits in self._kinds().items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the share of the test samples whose confidence changes by more than each size.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        matplotlib Axes
            What was drawn on: a line for the refits without a sample and, if there is a baseline,
            one for those with another seed.
        """
        lines = {name: refits.luf for name, refits in self._kinds().items()}
        xlabel = "LUF(x), largest change of a confidence"
        return plot_shares(lines, xlabel, ax=ax, caller="LeaveOneOut.plot")

    def _kinds(self) -> dict[str, Refits]:
        kinds: dict[str, Refits] = {"left out": self}
        return kinds if self.baseline is None else kinds | {"other seed": self.baseline}

    def _repr_html_(self) -> str:
        end = max(float(refits.luf.max(initial=0.0)) for refits in self._kinds().values())
        frame = self.to_frame()
        rows = tuple(
            (Cell(str(name), str(name)), *(Cell(table_number(x), float(x)) for x in row))
            for name, row in zip(frame.index, frame.to_numpy(), strict=True)
        )
        head, _, other = repr(self).removeprefix("LeaveOneOut(").removesuffix(")").partition("; ")
        drawings = [shares_drawing(refits.luf, end) for refits in self._kinds().values()]
        caption = "Largest change of a confidence; the share of test samples with a larger LUF(x)"
        table = Table(("refits", *map(str, frame.columns)), rows)
        return html_block([f"{head}; {other}."], (), html_table(table, caption, drawings))

    def __repr__(self) -> str:
        if self.baseline is not None:
            other = f"{self.baseline.n_refits} other seeds: {self.baseline._in_words()}"
        elif self.takes_seed:
            other = "no other seeds"
        else:
            other = "no baseline, since the estimator takes no random_state"
        return (
            f"LeaveOneOut({self.n_left_out} left out, {len(self.proba)} test samples: "
            f"{self._in_words()}; {other})"
        )
