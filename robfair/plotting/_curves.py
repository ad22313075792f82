"""Robustness curves I_P of the groups, and their mean I_f."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from robfair._alignment import check_aligned
from robfair._cache import shared_distance
from robfair._validation import check_lower, check_robustness_inputs, check_tau_max
from robfair._warnings import each_once
from robfair.metrics import RobustnessCurve, group_robustness_curves, robustness_curve
from robfair.plotting._style import GREY, add_legend, axes_for, looks, name_others, text

__all__ = ["RobustnessCurveDisplay"]


class RobustnessCurveDisplay:
    """Robustness curves I_P(tau) of the groups, and their mean I_f(tau) (figure 2 of [1]_).

    I_P(tau) is the fraction of a group that is classified correctly and lies farther than tau from
    the decision boundary. It starts at the accuracy of the group, and the area under it is Rob(P).
    If distances are certified, a band below each curve is the range in which I_P of these samples
    is guaranteed to lie: between the curves of the lower bounds and of the distances.

    Parameters
    ----------
    curves : dict of str to RobustnessCurve
        The curve of each group.
    mean : RobustnessCurve
        Their unweighted mean.
    lower_curves : dict of str to RobustnessCurve, default=None
        The curve of each group's certified lower bounds.
    lower_mean : RobustnessCurve, default=None
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
        The curves in the order of the legend, the mean last.
    bands_ : list of matplotlib FillBetweenPolyCollection
        The certified bands, the mean's last; of many groups only those that are named.

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
        self,
        *,
        curves: dict[Any, RobustnessCurve],
        mean: RobustnessCurve,
        lower_curves: dict[Any, RobustnessCurve] | None = None,
        lower_mean: RobustnessCurve | None = None,
        name: str | None = None,
    ) -> None:
        self.curves = curves
        self.mean = mean
        self.lower_curves = lower_curves
        self.lower_mean = lower_mean
        self.name = name

    @classmethod
    @each_once()
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        distance: ArrayLike,
        lower: ArrayLike | None = None,
        sensitive_features: Any,
        name: str | None = None,
    ) -> RobustnessCurveDisplay:
        """Make a display from predictions and distances; call its `plot` to draw.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted labels.
        distance : array-like of shape (n_samples,)
            Distance of each sample to the decision boundary, in the units of its norm; inf where no
            adversarial was found. NaN is allowed where the prediction is wrong.
        lower : array-like of shape (n_samples,), default=None
            Certified lower bound of each distance; NaN where none is known, which counts as 0.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
            Group of each sample, matched by position; several columns are crossed. Categories that
            no sample has are left out, with a warning.
        name : str, default=None
            Name of the model, the title of the figure.

        Returns
        -------
        RobustnessCurveDisplay
            The display.

        Raises
        ------
        ValueError
            If an argument has a wrong shape, length or value.
        """
        keywords: dict[str, Any] = {"distance": distance, "sensitive_features": sensitive_features}
        curves = group_robustness_curves(y_true, y_pred, **keywords)
        mean = robustness_curve(y_true, y_pred, **keywords)
        if lower is None:
            return cls(curves=curves, mean=mean, name=name)
        correct, upper = check_robustness_inputs(y_true, y_pred, distance, None, lower=lower)
        # A bound may exceed its distance by rounding.
        keywords["distance"] = np.minimum(check_lower(lower, correct, upper), upper)
        return cls(
            curves=curves,
            mean=mean,
            lower_curves=group_robustness_curves(y_true, y_pred, **keywords),
            lower_mean=robustness_curve(y_true, y_pred, **keywords),
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
            Group of each sample, matched by position; several columns are crossed. Categories that
            no sample has are left out, with a warning.
        name : str, default=None
            Name of the model, the title of the figure. None: the name of its class.
        **distance_options
            Options of `boundary_distance`; with ``certify=True`` the certified bands are drawn.

        Returns
        -------
        RobustnessCurveDisplay
            The display.
        """
        check_aligned(X=X, y=y, sensitive_features=sensitive_features)
        distances = shared_distance(
            estimator, X, y, sensitive_features=sensitive_features, **distance_options
        )
        return cls.from_predictions(
            y,
            distances.predicted,
            distance=distances.distance,
            lower=distances.lower if distance_options.get("certify") else None,
            sensitive_features=sensitive_features,
            name=type(estimator).__name__ if name is None else name,
        )

    def plot(
        self,
        *,
        ax: Any = None,
        tau_max: float | None = None,
        legend: bool = True,
        curve_kwargs: dict[str, Any] | None = None,
        mean_kwargs: dict[str, Any] | None = None,
    ) -> RobustnessCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        tau_max : float, default=None
            Right end of the axis. None: the tau at which the mean curve has fallen to 0.01.
        legend : bool, default=True
            Whether to draw a legend. Of more than twelve groups it names the three most and the
            three least robust up to `tau_max`, and the others are grey.
        curve_kwargs, mean_kwargs : dict, default=None
            Keywords of matplotlib's ``step`` for the lines of all groups, and for their mean.

        Returns
        -------
        RobustnessCurveDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `tau_max` is not a positive, finite number.
        """
        check_tau_max(tau_max)
        ax = axes_for(ax, "RobustnessCurveDisplay.plot", (7.5, 4.5))
        end = self._end() if tau_max is None else tau_max
        areas = {group: _area(curve, end) for group, curve in self.curves.items()}
        self.lines_: list[Any] = []
        self.bands_: list[Any] = []
        styles = looks(areas)
        for group, style in styles.items():
            below = None if self.lower_curves is None else self.lower_curves[group]
            self._draw(ax, self.curves[group], below, end, style | (curve_kwargs or {}))
        name_others(ax, styles)
        style = {"label": "mean, $I_f$", "color": "black", "linewidth": 2.5}
        self._draw(ax, self.mean, self.lower_mean, end, style | (mean_kwargs or {}))
        if self.bands_:
            # One entry in the legend for all bands.
            ax.fill_between([], [], color=GREY, label="certified: $I_P$ is\nin the band")
        ax.set(
            xlabel=r"distance $\tau$ to the decision boundary",
            ylabel=r"correct and farther than $\tau$, $I_P(\tau)$",
            xlim=(0, end),
            ylim=(0, 1.02),
        )
        if self.name:
            ax.set_title(text(self.name, width=60))
        if legend:
            add_legend(ax, title="group", inside="upper right")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _end(self) -> float:
        """Return the tau at which the mean curve has fallen to 0.01."""
        ends = self.mean.tau[self.mean.fraction <= 0.01]
        return float(ends[0] if len(ends) else self.mean.tau[-1]) or 1.0  # an axis needs a width

    def _draw(
        self,
        ax: Any,
        curve: RobustnessCurve,
        below: RobustnessCurve | None,
        end: float,
        style: dict[str, Any],
    ) -> None:
        tau = np.append(curve.tau[curve.tau < end], end)
        self.lines_ += ax.step(tau, curve(tau), where="post", **style)
        # Bands of grey curves would hide the others.
        if below is not None and style["label"] is not None:
            # A band has a step where either edge has one.
            tau = np.union1d(tau, below.tau[below.tau < end])
            self.bands_.append(
                ax.fill_between(
                    tau, below(tau), curve(tau), step="post", color=style["color"], alpha=0.15,
                    linewidth=0,
                )
            )  # fmt: skip


def _area(curve: RobustnessCurve, end: float) -> float:
    """Return the area under a curve from 0 to `end`."""
    tau = np.append(curve.tau[curve.tau < end], end)
    return float(np.asarray(curve(tau))[:-1] @ np.diff(tau))
