"""Accuracy of every class, and CAU as their spread."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from robfair._alignment import check_aligned
from robfair._groups import encode_groups
from robfair._validation import check_confidence, check_correct
from robfair._warnings import each_once
from robfair.metrics import class_accuracy_unfairness
from robfair.plotting._dots import Kind, draw_dots, figsize
from robfair.plotting._predictions import predictions
from robfair.plotting._style import axes_for, text

__all__ = ["ClassAccuracyDisplay"]


class ClassAccuracyDisplay:
    """Accuracy of the classes, with Wilson's intervals, and CAU, their spread (figure 1 of [1]_).

    The accuracy of a class is the fraction of its samples that are predicted to be of it. CAU is
    the largest difference between two classes: the width of the shaded span.

    Parameters
    ----------
    by_class : DataFrame
        A row per class: size, accuracy, and lower and upper end of its interval.
    cau : float
        The spread.
    confidence : float
        Level of the intervals.
    name : str, default=None
        Name of the model, the title of the figure.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the classes were drawn.
    figure_ : matplotlib Figure
        Its figure.
    dots_ : list of matplotlib Line2D
        The dots: of classes with 30 samples or more, then the hollow ones of smaller classes.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 1.

    Examples
    --------
    >>> from robfair.plotting import ClassAccuracyDisplay
    >>> display = ClassAccuracyDisplay.from_predictions([0, 0, 1, 1], [0, 0, 1, 0])
    >>> display.by_class["accuracy"].tolist(), float(display.cau)
    ([1.0, 0.5], 0.5)
    """

    def __init__(
        self, *, by_class: pd.DataFrame, cau: float, confidence: float, name: str | None = None
    ) -> None:
        self.by_class = by_class
        self.cau = cau
        self.confidence = confidence
        self.name = name

    @classmethod
    @each_once()
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        confidence: float = 0.95,
        name: str | None = None,
    ) -> ClassAccuracyDisplay:
        """Make a display from predictions; call its `plot` to draw.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted labels.
        confidence : float, default=0.95
            Level of the intervals. They cover the sampling error.
        name : str, default=None
            Name of the model, the title of the figure.

        Returns
        -------
        ClassAccuracyDisplay
            The display.

        Raises
        ------
        ValueError
            If `confidence` is not between 0 and 1, or an argument has a wrong shape or length.
        """
        check_confidence(confidence, none=False)
        correct = check_correct(y_true, y_pred)
        classes = encode_groups(y_true, len(correct), "y_true")
        size = np.bincount(classes.codes, minlength=len(classes))
        right = np.bincount(classes.codes[correct], minlength=len(classes))
        rows = [
            # Not the normal interval, which has no width at an accuracy of 0 or 1.
            (n, k / n, *binomtest(k, n).proportion_ci(confidence, method="wilson"))
            for k, n in zip(right.tolist(), size.tolist(), strict=True)
        ]
        return cls(
            by_class=pd.DataFrame(
                rows, index=classes.labels, columns=["size", "accuracy", "lower", "upper"]
            ),
            cau=cast(float, class_accuracy_unfairness(y_true, y_pred)),
            confidence=confidence,
            name=name,
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        confidence: float = 0.95,
        name: str | None = None,
    ) -> ClassAccuracyDisplay:
        """Make a display from a fitted classifier; call its `plot` to draw.

        Parameters
        ----------
        estimator : object
            A fitted classifier, a torch module that returns logits, or a function from samples to
            labels.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        confidence : float, default=0.95
            Level of the intervals.
        name : str, default=None
            Name of the model, the title of the figure. None: the name of its class.

        Returns
        -------
        ClassAccuracyDisplay
            The display.
        """
        check_aligned(X=X, y=y)
        return cls.from_predictions(
            y,
            predictions(estimator, X),
            confidence=confidence,
            name=type(estimator).__name__ if name is None else name,
        )

    @property
    def figsize(self) -> tuple[float, float]:
        """Width and height in inches that the classes need, for a figure of one's own."""
        return figsize(len(self.by_class))

    def plot(self, *, ax: Any = None, sort: bool = True) -> ClassAccuracyDisplay:
        """Draw the classes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure, the higher the more classes there are.
        sort : bool, default=True
            Whether the least accurate class comes first, or the classes keep their order.

        Returns
        -------
        ClassAccuracyDisplay
            The display itself.
        """
        ax = axes_for(ax, "ClassAccuracyDisplay.plot", self.figsize)
        table = self.by_class.rename(columns={"accuracy": "value"})
        if sort:
            table = table.sort_values("value", kind="stable")  # ties keep the order of the classes
        if not np.isnan(self.cau):
            ax.axvspan(table["value"].min(), table["value"].max(), color="0.93", zorder=0,
                       label=f"CAU = {self.cau:.3g}")  # fmt: skip
        kinds = [Kind("accuracy", "#0072B2", "o", np.ones(len(table), dtype=bool))]
        percent = f"{100 * self.confidence:g} % interval (Wilson)"
        self.dots_ = draw_dots(ax, table, kinds, percent)
        ax.set_xlabel("accuracy of the class")
        if self.name:
            ax.set_title(text(self.name, width=60))
        self.ax_, self.figure_ = ax, ax.figure
        return self
