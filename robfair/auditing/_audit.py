"""`audit`: the measures of one model, with what they hide when they stand alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair.distance import BoundaryDistance
from robfair.metrics import (
    classifier_robustness,
    group_robustness,
    robustness_dispersion,
    robustness_gap,
    robustness_variance,
    worst_group_robustness,
)
from robfair.metrics._group_means import group_means
from robfair.metrics._groups import encode_groups
from robfair.scorers import shared_distance
from robfair.threat import ThreatModel

__all__ = ["Audit", "audit"]

# Column of the table -> measure. All are shown: V_f alone misleads, since lowering the robustness
# of everybody lowers it.
MEASURES: dict[str, Callable[..., Any]] = {
    "Rob(f)": classifier_robustness,
    "V_f": robustness_variance,
    "CV": robustness_dispersion,
    "worst group": worst_group_robustness,
    "gap": robustness_gap,
}


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """Measures of one model on one partition of the samples.

    Attributes
    ----------
    name : str
        Name of the model.
    overall : pandas.DataFrame
        Columns value, lower and upper (bootstrap interval); rows accuracy, Rob(f), V_f, CV, worst
        group and gap.
    by_group : pandas.DataFrame
        A row per group: size, accuracy, mean_distance (of the correctly classified samples), their
        product robustness = Rob(P) with lower and upper, and vulnerable (Rob(P) < Rob(f)).
    distance : BoundaryDistance
        The distances, with method, threat model and the status of each search.
    y_true : ndarray of shape (n_samples,)
        True labels.
    sensitive_features : array-like
        The groups, as they were given.
    settings : dict
        What else the numbers depend on: tau_max, n_boot and confidence.
    """

    name: str
    overall: pd.DataFrame
    by_group: pd.DataFrame
    distance: BoundaryDistance
    y_true: NDArray[Any]
    sensitive_features: Any
    settings: dict[str, Any]

    def method_line(self) -> str:
        """Say how the distances were measured.

        Returns
        -------
        str
            Method, threat model and cap.
        """
        cap = self.settings["tau_max"]
        return (
            f"distance: {self.distance.method}, {self.distance.threat_model!r}"
            f"{'' if cap is None else f', capped at {cap:g}'}"
        )

    def status_line(self) -> str:
        """Say how the searches ended.

        Returns
        -------
        str
            Samples by status.
        """
        counts = ", ".join(f"{n} {status}" for status, n in self.distance.counts().items())
        return f"{len(self.distance)} samples: {counts}"

    def to_frame(self) -> pd.DataFrame:
        """Return the table of the groups.

        Returns
        -------
        pandas.DataFrame
            A copy of `by_group`.
        """
        return self.by_group.copy()

    def __str__(self) -> str:
        percent = f"{100 * self.settings['confidence']:g} % interval"
        overall = pd.DataFrame(
            {
                "value": self.overall["value"].map(_number),
                percent: _intervals(self.overall),
            }
        )
        groups = pd.DataFrame(
            {
                "size": self.by_group["size"],
                "accuracy": self.by_group["accuracy"].map(_number),
                "mean distance": self.by_group["mean_distance"].map(_number),
                "Rob(P)": self.by_group["robustness"].map(_number),
                percent: _intervals(self.by_group),
                "": np.where(self.by_group["vulnerable"], "vulnerable", ""),
            }
        )
        return "\n".join(
            [
                self.name,
                *textwrap.wrap(self.method_line(), 96),
                self.status_line(),
                "",
                overall.to_string(),
                "",
                groups.to_string(),
            ]
        )

    def __repr__(self) -> str:
        return str(self)


def audit(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    sensitive_features: Any,
    name: str | None = None,
    method: str = "auto",
    threat_model: ThreatModel | None = None,
    tau_max: float | None = None,
    n_boot: int | None = 1000,
    confidence: float = 0.95,
    random_state: Any = 0,
    **distance_options: Any,
) -> Audit:
    """Measure whether a classifier is easier to attack for some groups than for others.

    Parameters
    ----------
    model : object
        A fitted classifier; see `boundary_distance` for what is supported. It need not come from
        robfair.
    X : array-like of shape (n_samples, n_features)
        Samples that the model was not trained on.
    y : array-like of shape (n_samples,)
        True labels.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        The group of each sample. Several columns are crossed.
    name : str, default=None
        Name of the model in the table. None: the name of its class.
    method : str, default="auto"
        How distances are computed; see `boundary_distance`.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features.
    tau_max : float, default=None
        Distance at which all distances are capped. Needed where for some samples no adversarial is
        found; without it the measures are then NaN.
    n_boot : int or None, default=1000
        Bootstrap samples behind each interval, drawn within the groups. None: no intervals.
    confidence : float, default=0.95
        Level of the intervals. They hold the error of sampling, not that of the distances.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the bootstrap.
    **distance_options
        Further options of `boundary_distance`, such as ``verbose=1``.

    Returns
    -------
    Audit
        Tables that print, and the distances behind them.

    Raises
    ------
    TypeError, ValueError
        As `boundary_distance` and the measures do; ValueError also if `confidence` is not between 0
        and 1.

    See Also
    --------
    compare : Several models side by side.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import audit
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> clf = LogisticRegression(C=1e6).fit(data.X, data.y)
    >>> result = audit(clf, data.X, data.y, sensitive_features=data.groups)
    >>> result.by_group["robustness"].round(1).tolist()
    [0.5, 1.0, 1.5]
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence}.")
    y_true = np.asarray(y)
    groups = encode_groups(sensitive_features, len(y_true))
    distance = shared_distance(
        model, X, y_true, method=method, threat_model=threat_model, **distance_options
    )
    tail = (1 - confidence) / 2
    keywords: dict[str, Any] = {
        "distance": distance.distance,
        "sensitive_features": sensitive_features,
        "tau_max": tau_max,
        "n_boot": n_boot,
        "ci_quantiles": (tail, 1 - tail),
        "random_state": random_state,
    }
    correct = np.asarray(y_true == distance.predicted)
    rows = {"accuracy": (correct.mean(), np.nan, np.nan)}
    for label, measure in MEASURES.items():
        found = measure(y_true, distance.predicted, **keywords)
        rows[label] = (float(found), *(found.interval or (np.nan, np.nan)))
    by_group = pd.DataFrame(group_robustness(y_true, distance.predicted, **keywords)).reindex(
        columns=["robustness", "lower", "upper"]
    )
    accuracy = group_means(correct.astype(float), groups)
    by_group.insert(0, "size", accuracy.count)
    by_group.insert(1, "accuracy", accuracy.mean)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_group.insert(2, "mean_distance", by_group["robustness"] / by_group["accuracy"])
    by_group["vulnerable"] = by_group["robustness"] < rows["Rob(f)"][0]
    return Audit(
        name=type(model).__name__ if name is None else name,
        overall=pd.DataFrame.from_dict(rows, orient="index", columns=["value", "lower", "upper"]),
        by_group=by_group,
        distance=distance,
        y_true=y_true,
        sensitive_features=sensitive_features,
        settings={"tau_max": tau_max, "n_boot": n_boot, "confidence": confidence},
    )


def _number(value: float) -> str:
    """Four significant digits at most, so that a V_f of 0.00012 does not print as 0.000."""
    return "nan" if np.isnan(value) else f"{value:.4g}"


def _intervals(table: pd.DataFrame) -> list[str]:
    return [
        "" if np.isnan(lower) else f"{_number(lower)} to {_number(upper)}"
        for lower, upper in zip(table["lower"], table["upper"], strict=True)
    ]
