"""Models by two measures, and their Pareto front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._cache import shared_distance
from robfair._validation import check_confidence
from robfair._warnings import each_once
from robfair.metrics import AUDIT_MEASURES, Estimate
from robfair.plotting._style import COLOURS, GREY, MANY, MARKERS, add_legend, axes_for, text

__all__ = ["TradeoffDisplay"]


_MEASURES = {measure.symbol: measure for measure in AUDIT_MEASURES}

# Of many models, those that another one beats.
OTHER = {"linestyle": "none", "marker": "o", "markersize": 6, "color": GREY}


class TradeoffDisplay:
    """Models by two measures, and their Pareto front: the models that none beats in both.

    The dashed line of the front bounds the region where a model would be beaten. Two models on it
    cannot be ranked by these two measures. Points carry a sampling error, so a small lead may be
    due to chance: see `lower` and `upper`.

    Parameters
    ----------
    measures : DataFrame
        A row per model, a column per measure: `overall` of a comparison.
    x, y : {"accuracy", "Rob(f)", "V_f", "CV", "worst group", "gap"}, default="Rob(f)" and "V_f"
        The columns to draw.
    lower, upper : DataFrame, default=None
        Ends of intervals, in the same form; NaN where there is none.

    Attributes
    ----------
    front : list of str
        The models on the Pareto front. Ties are on it together; a model with a NaN is not.
    ax_ : matplotlib Axes
        Where the models were drawn.
    figure_ : matplotlib Figure
        Its figure.
    points_ : list of matplotlib Line2D
        A point per model, in the order of the rows.
    front_ : matplotlib Line2D or None
        The front, if it was drawn.

    Raises
    ------
    TypeError
        If `measures` is not a DataFrame.
    ValueError
        If `x` or `y` is not a measure or not a column, or only one of `lower` and `upper` is
        passed.

    Examples
    --------
    >>> import pandas as pd
    >>> from robfair.plotting import TradeoffDisplay
    >>> measures = pd.DataFrame(
    ...     {"Rob(f)": [1.0, 2.0, 0.5], "V_f": [0.1, 0.3, 0.2]}, index=["a", "b", "c"]
    ... )
    >>> TradeoffDisplay(measures).front
    ['a', 'b']
    """

    def __init__(
        self,
        measures: pd.DataFrame,
        *,
        x: str = "Rob(f)",
        y: str = "V_f",
        lower: pd.DataFrame | None = None,
        upper: pd.DataFrame | None = None,
    ) -> None:
        _check_measures(x, y)
        if not isinstance(measures, pd.DataFrame):
            raise TypeError(
                "measures must be a DataFrame with a row per model, such as overall of a "
                f"comparison; got a {type(measures).__name__}."
            )
        missing = [name for name in (x, y) if name not in measures]
        if missing:
            raise ValueError(f"measures has no column {missing}; got {list(measures.columns)}.")
        if (lower is None) != (upper is None):
            raise ValueError("lower and upper are the ends of intervals: pass both, or neither.")
        self.measures = measures
        self.x = x
        self.y = y
        self.lower = lower
        self.upper = upper
        self.front = measures.index[self._on_front()].tolist()

    @classmethod
    @each_once()
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: Mapping[str, ArrayLike],
        *,
        distance: Mapping[str, ArrayLike],
        sensitive_features: Any,
        x: str = "Rob(f)",
        y: str = "V_f",
        tau_max: float | None = None,
        confidence: float | None = None,
    ) -> TradeoffDisplay:
        """Make a display from predictions and distances; call its `plot` to draw.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels.
        y_pred : mapping of str to array-like of shape (n_samples,)
            What each model predicts.
        distance : mapping of str to array-like of shape (n_samples,)
            Distance of each sample to the decision boundary of each model.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
            Group of each sample, matched by position; several columns are crossed. Categories that
            no sample has are left out, with a warning.
        x, y : str, default="Rob(f)" and "V_f"
            The measures; see the class.
        tau_max : float, default=None
            Cap on the distances: a larger one counts as `tau_max`.
        confidence : float, default=None
            Level of the intervals; None for none. Accuracy has none.

        Returns
        -------
        TradeoffDisplay
            The display.

        Raises
        ------
        ValueError
            If `x` or `y` is not a measure, `confidence` is not between 0 and 1, or the mappings do
            not have the same names.
        """
        _check_measures(x, y)
        check_confidence(confidence)
        if not y_pred or set(y_pred) != set(distance):
            raise ValueError(
                "y_pred and distance must map the same names of models to arrays, at least one; "
                f"got {list(y_pred)} and {list(distance)}."
            )
        values, lower, upper = (
            pd.DataFrame(np.nan, index=list(y_pred), columns=[x, y]) for _ in range(3)
        )
        for model, predicted in y_pred.items():
            for name in (x, y):
                value = _MEASURES[name].function(
                    y_true,
                    predicted,
                    distance=distance[model],
                    sensitive_features=sensitive_features,
                    tau_max=tau_max,
                    confidence_level=confidence,
                )
                values.loc[model, name] = float(value)
                # Accuracy is a plain float.
                if isinstance(value, Estimate) and value.interval is not None:
                    lower.loc[model, name], upper.loc[model, name] = value.interval
        ends = {} if confidence is None else {"lower": lower, "upper": upper}
        return cls(values, x=x, y=y, **ends)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Any,
        y_true: ArrayLike,
        *,
        sensitive_features: Any,
        x: str = "Rob(f)",
        y: str = "V_f",
        tau_max: float | None = None,
        confidence: float | None = None,
        **distance_options: Any,
    ) -> TradeoffDisplay:
        """Make a display from fitted classifiers; call its `plot` to draw.

        Parameters
        ----------
        estimators : mapping of str to object
            Models that `boundary_distance` takes, by name.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y_true : array-like of shape (n_samples,)
            True labels; `y` names a measure here.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
            Group of each sample, matched by position; several columns are crossed. Categories that
            no sample has are left out, with a warning.
        x, y : str, default="Rob(f)" and "V_f"
            The measures; see the class.
        tau_max : float, default=None
            Cap on the distances: a larger one counts as `tau_max`.
        confidence : float, default=None
            Level of the intervals; None for none. Accuracy has none.
        **distance_options
            Options of `boundary_distance`.

        Returns
        -------
        TradeoffDisplay
            The display.

        Raises
        ------
        TypeError
            If `estimators` is not a mapping.
        ValueError
            If `x` or `y` is not a measure, or `confidence` is not between 0 and 1.
        """
        _check_measures(x, y)
        if not isinstance(estimators, Mapping):
            raise TypeError(
                f"estimators must map names to models; got a {type(estimators).__name__}."
            )
        check_aligned(X=X, y_true=y_true, sensitive_features=sensitive_features)
        distances = {
            name: shared_distance(
                model, X, y_true, sensitive_features=sensitive_features, **distance_options
            )
            for name, model in estimators.items()
        }
        return cls.from_predictions(
            y_true,
            {name: result.predicted for name, result in distances.items()},
            distance={name: result.distance for name, result in distances.items()},
            sensitive_features=sensitive_features,
            x=x,
            y=y,
            tau_max=tau_max,
            confidence=confidence,
        )

    def plot(self, *, ax: Any = None, front: bool = True, legend: bool = True) -> TradeoffDisplay:
        """Draw the models.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        front : bool, default=True
            Whether to draw the Pareto front.
        legend : bool, default=True
            Whether to draw a legend. Of more than twelve models it names those on the front, and
            the others are grey.

        Returns
        -------
        TradeoffDisplay
            The display itself.
        """
        ax = axes_for(ax, "TradeoffDisplay.plot", (7.5, 4.5))
        on_front = self._on_front()
        self.front_ = None
        if front and on_front.any():
            # From the worst x, which has the best y: down to the next y first, then along x.
            at = self.measures[on_front].sort_values(
                self.x, ascending=_MEASURES[self.x].greater_is_better
            )
            (self.front_,) = ax.step(
                at[self.x], at[self.y], where="pre", color="0.4", linestyle="--", linewidth=1,
                label="Pareto front\n(black edges)", zorder=1,
            )  # fmt: skip
        if self.lower is not None and self.upper is not None:
            self._draw_intervals(ax, self.lower, self.upper)
        named = on_front | (len(self.measures) <= MANY)
        self.points_ = []
        for i, model in enumerate(self.measures.index):
            # Counted among the named, so that few looks repeat.
            style = _look(int(named[:i].sum())) if named[i] else OTHER
            edge = "black" if front and on_front[i] else "none"
            x, y = self.measures[[self.x, self.y]].iloc[i].astype(float)
            unknown = " (not defined)" if np.isnan([x, y]).any() else ""
            label = f"{text(model)}{unknown}" if named[i] else None
            self.points_ += ax.plot(x, y, markeredgecolor=edge, label=label, **style)
        if not named.all():
            ax.plot([], [], label=f"{(~named).sum()} others", **OTHER)
        for axis, name in ((ax.xaxis, self.x), (ax.yaxis, self.y)):
            axis.set_label_text(
                f"{name} ({'larger' if _MEASURES[name].greater_is_better else 'smaller'} is better)"
            )
        ax.margins(0.1)
        if legend:
            add_legend(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _on_front(self) -> NDArray[np.bool_]:
        """Return a mask of the models that no other equals in both measures and beats in one."""
        signs = [1 if _MEASURES[name].greater_is_better else -1 for name in (self.x, self.y)]
        values = self.measures[[self.x, self.y]].to_numpy(float) * signs  # greater is better
        no_worse = (values[:, np.newaxis] >= values).all(axis=-1)  # row than column
        better = (values[:, np.newaxis] > values).any(axis=-1)
        beaten = (no_worse & better).any(axis=0)
        return np.asarray(~beaten & ~np.isnan(values).any(axis=1))

    def _draw_intervals(self, ax: Any, lower: pd.DataFrame, upper: pd.DataFrame) -> None:
        at = self.measures
        lower, upper = lower.loc[at.index], upper.loc[at.index]  # in the order of the points
        style = {"color": "0.6", "linewidth": 1, "zorder": 1}
        if self.x in lower:
            ax.hlines(at[self.y], lower[self.x], upper[self.x], **style)
        if self.y in lower:
            ax.vlines(at[self.x], lower[self.y], upper[self.y], **style)


def _look(i: int) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": MARKERS[i % len(MARKERS)],
        "markersize": 9,
        "color": COLOURS[i % len(COLOURS)],
    }


def _check_measures(x: str, y: str) -> None:
    if x not in _MEASURES or y not in _MEASURES or x == y:
        raise ValueError(f"x and y must be two of {list(_MEASURES)}; got {x!r} and {y!r}.")
