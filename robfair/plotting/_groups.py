"""Rob(P) of every group, with its intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from robfair._alignment import check_aligned
from robfair._cache import shared_distance
from robfair._group_tests import compare_groups, error_level, row_values
from robfair._groups import encode_groups
from robfair._validation import check_confidence, to_array
from robfair._warnings import each_once
from robfair.metrics import group_robustness, group_robustness_bounds
from robfair.plotting._dots import Kind, draw_dots, figsize
from robfair.plotting._style import axes_for, text

__all__ = ["GroupRobustnessDisplay"]


class GroupRobustnessDisplay:
    """Robustness Rob(P) of the groups as a dot plot, beside their mean Rob(f).

    A thin line with caps is the confidence interval. If distances are certified, a thick light bar
    is the range in which Rob(P) of these samples is guaranteed to lie. Vulnerable groups, those
    below Rob(f) by more than the error of sampling, have a marker of their own; groups of fewer
    than 30 samples are hollow, since their intervals may be too narrow. (In the paper's Definition
    5 [1]_ each group below Rob(f) is vulnerable, by however little.)

    Parameters
    ----------
    by_group : DataFrame
        A row per group with the columns size, robustness and vulnerable, and optionally lower and
        upper, low and high: `by_group` of an audit.
    overall : DataFrame
        A row "Rob(f)" with a column value: `overall` of an audit.
    name : str, default=None
        Name of the model, the title of the figure.
    confidence : float, default=None
        Level of the intervals.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the groups were drawn.
    figure_ : matplotlib Figure
        Its figure.
    dots_ : list of matplotlib Line2D
        The dots: of vulnerable groups, then of the others; of each first the full, then the hollow.

    Raises
    ------
    ValueError
        If a table lacks a row or a column.

    References
    ----------
    .. [1] S. A. Mousavi, H. Mousavi, M. Daneshtalab, "FARMUR: Fair Adversarial Retraining to
       Mitigate Unfairness in Robustness", ADBIS 2023, Def. 2, 3 and 5.

    Examples
    --------
    >>> from robfair.plotting import GroupRobustnessDisplay
    >>> display = GroupRobustnessDisplay.from_predictions(
    ...     [0, 1, 0, 1], [0, 1, 0, 0], distance=[1.0, 2.0, 3.0, 1.0],
    ...     sensitive_features=["a", "a", "b", "b"], confidence=None,
    ... )
    >>> display.by_group
       size  robustness  vulnerable
    a     2         1.5       False
    b     2         1.5       False
    """

    def __init__(
        self,
        by_group: pd.DataFrame,
        overall: pd.DataFrame,
        *,
        name: str | None = None,
        confidence: float | None = None,
    ) -> None:
        missing = [c for c in ("size", "robustness", "vulnerable") if c not in by_group]
        if missing:
            raise ValueError(
                f"by_group lacks the columns {missing}; got {list(by_group.columns)}. Pass "
                "by_group of an audit."
            )
        if "Rob(f)" not in overall.index or "value" not in overall:
            raise ValueError(
                'overall must have a row "Rob(f)" and a column "value", as that of an audit has; '
                f"got rows {list(overall.index)} and columns {list(overall.columns)}."
            )
        self.by_group = by_group
        self.overall = overall
        self.name = name
        self.confidence = confidence

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
        tau_max: float | None = None,
        confidence: float | None = 0.95,
        name: str | None = None,
    ) -> GroupRobustnessDisplay:
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
        tau_max : float, default=None
            Cap on the distances: a larger one counts as `tau_max`.
        confidence : float, default=0.95
            Level of the intervals; None for none.
        name : str, default=None
            Name of the model, the title of the figure.

        Returns
        -------
        GroupRobustnessDisplay
            The display.

        Raises
        ------
        ValueError
            If `confidence` is not between 0 and 1, or an argument has a wrong shape, length or
            value.
        """
        check_confidence(confidence)
        common: dict[str, Any] = {
            "distance": distance, "sensitive_features": sensitive_features, "tau_max": tau_max,
        }  # fmt: skip
        robustness = group_robustness(
            y_true,
            y_pred,
            confidence_level=confidence,
            **common,
        )
        by_group = pd.DataFrame(robustness)
        groups = encode_groups(sensitive_features, len(np.asarray(y_true)))
        by_group.insert(0, "size", np.bincount(groups.codes, minlength=len(groups)))
        mean = by_group["robustness"].to_numpy().mean()  # Rob(f)
        if lower is not None:
            by_group = by_group.join(group_robustness_bounds(y_true, y_pred, lower=lower, **common))
        labels = encode_groups(y_true, len(groups.codes), "y_true")
        correct = to_array(y_true) == to_array(y_pred)
        values = row_values(correct, to_array(distance), tau_max)
        tests = compare_groups(values, groups, labels, error_level(confidence))
        by_group["vulnerable"] = tests.vulnerable
        overall = pd.DataFrame({"value": [mean]}, index=["Rob(f)"])
        return cls(by_group, overall, name=name, confidence=confidence)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sensitive_features: Any,
        tau_max: float | None = None,
        confidence: float | None = 0.95,
        name: str | None = None,
        **distance_options: Any,
    ) -> GroupRobustnessDisplay:
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
        tau_max : float, default=None
            Cap on the distances: a larger one counts as `tau_max`.
        confidence : float, default=0.95
            Level of the intervals; None for none.
        name : str, default=None
            Name of the model, the title of the figure. None: the name of its class.
        **distance_options
            Options of `boundary_distance`; with ``certify=True`` the certified bars are drawn.

        Returns
        -------
        GroupRobustnessDisplay
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
            tau_max=tau_max,
            confidence=confidence,
            name=type(estimator).__name__ if name is None else name,
        )

    @property
    def figsize(self) -> tuple[float, float]:
        """Width and height in inches that the groups need, for a figure of one's own."""
        return figsize(len(self.by_group))

    def _greatest(self) -> float:
        """Return the greatest Rob(P), also of groups that are not drawn, where it is known."""
        value = self.overall["value"]
        if {"worst group", "gap"} <= set(value.index):
            return float(value["worst group"] + value["gap"])
        return float(self.by_group["robustness"].max())

    def plot(
        self, *, ax: Any = None, sort: bool = True, tolerance: float | None = 0.8
    ) -> GroupRobustnessDisplay:
        """Draw the groups.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure, the higher the more groups there are.
        sort : bool, default=True
            Whether the least robust group comes first, or the groups keep their order.
        tolerance : float, default=0.8
            A line is drawn at this share of the greatest Rob(P): of groups below it, the ratio to
            the greatest is less. 0.8 is the four-fifths rule of selection rates. None: no line.

        Returns
        -------
        GroupRobustnessDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `tolerance` is not between 0 and 1.
        """
        if tolerance is not None and not 0 < tolerance < 1:
            raise ValueError(f"tolerance must be between 0 and 1, or None; got {tolerance!r}.")
        ax = axes_for(ax, "GroupRobustnessDisplay.plot", self.figsize)
        table = self.by_group.rename(columns={"robustness": "value"})
        if sort:
            table = table.sort_values("value", kind="stable")  # ties keep the order of the groups
        mean = float(self.overall["value"]["Rob(f)"])
        vulnerable = table["vulnerable"].to_numpy(bool)
        if np.isnan(mean):  # nothing to compare a group with
            kinds = [Kind("Rob(P)", "#0072B2", "o", np.ones(len(table), dtype=bool))]
        else:
            ax.axvline(
                mean, color="black", linestyle="--", linewidth=1, label=f"Rob(f) = {mean:.3g}"
            )
            if tolerance is not None:
                ax.axvline(
                    tolerance * self._greatest(),
                    color="#009E73",
                    linestyle=":",
                    linewidth=1,
                    label=f"{100 * tolerance:g} % of the greatest",
                )
            kinds = [
                Kind("vulnerable: surely below Rob(f)", "#D55E00", "v", vulnerable),
                Kind("not vulnerable", "#0072B2", "o", ~vulnerable),
            ]
        percent = "" if self.confidence is None else f"{100 * self.confidence:g} % "
        self.dots_ = draw_dots(ax, table, kinds, f"{percent}interval")
        ax.set_xlabel("Rob(P): mean distance to the boundary, 0 where wrong")
        if self.name:
            ax.set_title(text(self.name, width=60))
        self.ax_, self.figure_ = ax, ax.figure
        return self
