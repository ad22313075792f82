"""I_P of every group: how many samples lie farther from the boundary than tau."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._optional_dependencies import check_matplotlib_support

from robfair.metrics import RobustnessCurve, group_robustness_curves, robustness_curve
from robfair.scorers import shared_distance

__all__ = ["RobustnessCurveDisplay"]

# Okabe and Ito's colours, which colour-blind readers can tell apart; from the ninth group on the
# line style changes.
COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
)  # fmt: skip
STYLES = ("-", "--", "-.", ":")


class RobustnessCurveDisplay:
    """Robustness curves I_P(tau) of the groups, and their mean I_f(tau) (figure 2 of [1]_).

    I_P(tau) is the fraction of a group that is classified correctly and lies farther than tau from
    the decision boundary. It starts at the accuracy of the group, and the area under it is Rob(P).

    Parameters
    ----------
    curves : dict of str to RobustnessCurve
        The curve of each group.
    mean : RobustnessCurve
        Their unweighted mean.
    name : str, default=None
        Name of the model, the title of the figure.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves were drawn.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        The curves, the mean last.

    References
    ----------
    .. [1] S. A. Mousavi, H. Mousavi, M. Daneshtalab, "FARMUR: Fair Adversarial Retraining to
       Mitigate Unfairness in Robustness", ADBIS 2023, Def. 1 and 3.

    Examples
    --------
    >>> from robfair.plotting import RobustnessCurveDisplay
    >>> display = RobustnessCurveDisplay.from_predictions(
    ...     [0, 1, 0, 1], [0, 1, 0, 0], distance=[1.0, 2.0, 3.0, 1.0],
    ...     sensitive_features=["a", "a", "b", "b"],
    ... )
    >>> float(display.mean.area())
    1.5
    """

    def __init__(
        self, *, curves: dict[Any, RobustnessCurve], mean: RobustnessCurve, name: str | None = None
    ) -> None:
        self.curves = curves
        self.mean = mean
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        distance: ArrayLike,
        sensitive_features: Any,
        name: str | None = None,
    ) -> RobustnessCurveDisplay:
        """Make a display from predictions and distances; call its `plot` to draw.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted labels.
        distance : array-like of shape (n_samples,)
            Distance of each sample to the decision boundary.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
            The group of each sample.
        name : str, default=None
            Name of the model.

        Returns
        -------
        RobustnessCurveDisplay
            The display.
        """
        keywords = {"distance": distance, "sensitive_features": sensitive_features}
        return cls(
            curves=group_robustness_curves(y_true, y_pred, **keywords),
            mean=robustness_curve(y_true, y_pred, **keywords),
            name=name,
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sensitive_features: Any,
        name: str | None = None,
        **distance_options: Any,
    ) -> RobustnessCurveDisplay:
        """Make a display from a fitted classifier; call its `plot` to draw.

        Parameters
        ----------
        estimator : object
            A model that `boundary_distance` takes.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
            The group of each sample.
        name : str, default=None
            Name of the model. None: the name of its class.
        **distance_options
            Options of `boundary_distance`.

        Returns
        -------
        RobustnessCurveDisplay
            The display.
        """
        found = shared_distance(estimator, X, y, **distance_options)
        return cls.from_predictions(
            y,
            found.predicted,
            distance=found.distance,
            sensitive_features=sensitive_features,
            name=type(estimator).__name__ if name is None else name,
        )

    def plot(self, *, ax: Any = None, tau_max: float | None = None) -> RobustnessCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.
        tau_max : float, default=None
            Right end of the axis. None: where all but a hundredth of the mean curve has fallen.

        Returns
        -------
        RobustnessCurveDisplay
            The display itself.
        """
        check_matplotlib_support("RobustnessCurveDisplay.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        if tau_max is None:
            small = self.mean.fraction <= 0.01
            ends = self.mean.tau[small]
            tau_max = float(ends[0] if len(ends) else self.mean.tau[-1]) or 1.0
        self.lines_ = []
        for i, (group, curve) in enumerate(self.curves.items()):
            self.lines_ += self._draw(
                ax,
                curve,
                tau_max,
                label=str(group),
                color=COLOURS[i % len(COLOURS)],
                linestyle=STYLES[i // len(COLOURS) % len(STYLES)],
            )
        self.lines_ += self._draw(
            ax, self.mean, tau_max, label="mean, $I_f$", color="#D00000", linewidth=2.5
        )
        ax.set(
            xlabel=r"distance $\tau$ to the decision boundary",
            ylabel=r"correct and farther than $\tau$, $I_P(\tau)$",
            xlim=(0, tau_max),
            ylim=(0, 1.02),
        )
        if self.name:
            ax.set_title(self.name)
        ax.legend(title="group", fontsize="small", ncols=1 + len(self.curves) // 12)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @staticmethod
    def _draw(ax: Any, curve: RobustnessCurve, tau_max: float, **style: Any) -> list[Any]:
        tau = np.append(curve.tau[curve.tau < tau_max], tau_max)
        lines: list[Any] = ax.step(tau, curve(tau), where="post", **style)
        return lines
