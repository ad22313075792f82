"""`audit`: the measures of one model, with what they hide when they stand alone."""

from __future__ import annotations

import operator
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import group_means
from robfair._groups import encode_groups
from robfair._text import Verdict
from robfair.auditing._checks import search_again, warn_of_gaps, warn_of_small_groups
from robfair.auditing._examples import nearest_rows, wants_points
from robfair.auditing._provenance import provenance
from robfair.auditing.report._export import Exports, escaped, markdown_table, records
from robfair.auditing.report._tables import group_table, measure_table
from robfair.auditing.report._verdict import judge
from robfair.distance import BoundaryDistance
from robfair.metrics import (
    certified_ordering,
    classifier_robustness,
    group_robustness,
    group_robustness_bounds,
    robustness_bounds,
    robustness_dispersion,
    robustness_gap,
    robustness_variance,
    worst_group_robustness,
)
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
class Audit(Exports):
    """Measures of one model on one partition of the samples.

    Attributes
    ----------
    name : str
        Name of the model.
    overall : pandas.DataFrame
        Columns value, lower and upper (bootstrap interval: the error of sampling), and with
        certified distances low and high (between which the measure of these samples lies for sure,
        whatever search or proof comes); rows accuracy, Rob(f), V_f, CV, worst group and gap.
    by_group : pandas.DataFrame
        A row per group: size, accuracy, mean_distance (of the correctly classified samples), their
        product robustness = Rob(P) with lower and upper, with certified distances low and high,
        and vulnerable (Rob(P) < Rob(f)).
    distances : BoundaryDistance
        The distances, with method, threat model and the status of each search.
    check : pandas.DataFrame or None
        A row per group: n rows that were searched again, and their mean distance by each method.
    warnings : tuple of str
        What speaks against trusting the numbers; a sentence each.
    y_true : ndarray of shape (n_samples,)
        True labels.
    sensitive_features : array-like
        The groups, as they were given.
    examples : pandas.DataFrame
        The most easily flipped of the correctly classified rows of each group: group, row (its
        position in X), index (if X is a DataFrame), label, label after, distance, and changed: what
        would have to change, in words. It holds data of single rows.
    settings : dict
        What else the numbers depend on: tau_max, n_boot, confidence, n_check, random_state, the
        options of the distance, the date, the versions of libraries; and in which terms `examples`
        are told.
    """

    name: str
    overall: pd.DataFrame
    by_group: pd.DataFrame
    distances: BoundaryDistance
    check: pd.DataFrame | None
    warnings: tuple[str, ...]
    y_true: NDArray[Any]
    sensitive_features: Any
    examples: pd.DataFrame
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
            f"distance: {self.distances.method}, {self.distances.threat_model!r}"
            f"{'' if cap is None else f', capped at {cap:g}'}"
        )

    def status_line(self) -> str:
        """Say how the searches ended.

        Returns
        -------
        str
            Samples by status.
        """
        counts = ", ".join(f"{n} {status}" for status, n in self.distances.counts().items())
        return f"{len(self.distances)} samples: {counts}"

    def ordering(self) -> pd.DataFrame:
        """Tell which groups are provably less robust than which others.

        Returns
        -------
        pandas.DataFrame of bool
            True in row A and column B where A is provably less robust than B.

        Raises
        ------
        ValueError
            If the distances have no certified lower bounds.
        """
        if self.distances.lower is None:
            raise ValueError("no distance is bounded from below: audit with certify=True.")
        return certified_ordering(
            self.y_true,
            self.distances.predicted,
            distance=self.distances.distance,
            lower=self.distances.lower,
            sensitive_features=self.sensitive_features,
            tau_max=self.settings["tau_max"],
        )

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
                **_column(self.overall),
            }
        )
        groups = pd.DataFrame(
            {
                "size": self.by_group["size"],
                "accuracy": self.by_group["accuracy"].map(_number),
                "mean distance": self.by_group["mean_distance"].map(_number),
                "Rob(P)": self.by_group["robustness"].map(_number),
                percent: _intervals(self.by_group),
                **_column(self.by_group),
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
                *(["", *_wrapped(self.notes())] if self.notes() else []),
            ]
        )

    def notes(self) -> list[str]:
        """Say how far the numbers can be trusted.

        Returns
        -------
        list of str
            A sentence each: what a second search found, what is proven, and the warnings.
        """
        lines = []
        if self.check is not None:
            quick, *others = self.check.columns[1:]
            found = self.check[self.check["n"] > 0]
            weighted = found.iloc[:, 1:].mul(found["n"], axis=0).sum() / found["n"].sum()
            parts = ", ".join(f'{_number(weighted[name])} by "{name}"' for name in others)
            lines.append(
                f"{int(found['n'].sum())} rows searched again: mean distance "
                f'{_number(weighted[quick])} by "{quick}", {parts}.'
            )
        if "low" in self.by_group:
            proven = self.ordering()
            pairs = int(proven.to_numpy().sum())
            total = len(proven) * (len(proven) - 1) // 2
            lines.append(
                f"{pairs} of {total} pairs of groups are provably ordered: one is less robust "
                "than the other, whatever search or proof comes."
            )
        return lines + [f"warning: {text}" for text in self.warnings]

    def __repr__(self) -> str:
        return str(self)

    def _judge(self) -> Verdict:
        return judge(self)

    def _record(self) -> dict[str, Any]:
        found = self.distances
        return {
            "name": self.name,
            "verdict": self.verdict(),
            "overall": self.overall.to_dict(orient="index"),
            "sensitive_features": list(self.by_group.index.names),
            "by_group": records(self.by_group),
            "check": None if self.check is None else records(self.check),
            "warnings": self.warnings,
            "method": found.method,
            "threat_model": repr(found.threat_model),
            "n_samples": len(found),
            "status": found.counts(),
            "passes": {"forward": found.n_forward.sum(), "backward": found.n_backward.sum()},
            "examples": self.examples.to_dict(orient="records"),
            "settings": self.settings,
        }

    def _markdown(self) -> list[str]:
        return [
            markdown_table(measure_table(self)),
            markdown_table(group_table(self)),
            *(escaped(note) for note in self.notes()),
            escaped(f"{self.method_line()}. {self.status_line()}."),
        ]

    def _render(self) -> str:
        from robfair.auditing.report._html import render

        return render(self)


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
    certify: bool = False,
    n_check: int = 100,
    n_boot: int | None = 1000,
    confidence: float = 0.95,
    examples: int = 3,
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
        How distances are computed; see `boundary_distance`. "auto" takes "decision" for a model
        that has no gradient.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features.
    tau_max : float, default=None
        Distance at which all distances are capped. Needed where for some samples no adversarial is
        found; without it the measures are then NaN.
    certify : bool, default=False
        Whether to bound the distances from below too, and so each measure from both sides; see
        `boundary_distance`.
    n_check : int, default=100
        Rows, the same number from each group, that are searched again by "strong" and, as a black
        box, by "decision": do the distances hold, and alike for all groups? 0: none. Exact
        distances and those of models that only predict need no such check.
    n_boot : int or None, default=1000
        Bootstrap samples behind each interval, drawn within the groups. None: no intervals.
    confidence : float, default=0.95
        Level of the intervals. They hold the error of sampling, not that of the distances.
    examples : int, default=3
        Rows of each group, the most easily flipped, that the result keeps and tells in words. They
        are data, perhaps about people, and stand in the report: 0 keeps none.
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
        and 1, or `n_check` or `examples` is negative.

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
    >>> result.verdict()
    'For 0 Rob(P) is 0.5... against 1.5... for 2: 0 is easier to attack, by more than the error of
    sampling. Its rows lie nearer to the decision boundary (mean distance 0.5... against 1.5...'
    >>> result.to_html("audit.html")  # doctest: +SKIP
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence}.")
    if operator.index(n_check) < 0:
        raise ValueError(f"n_check must be a number of rows, 0 for none; got {n_check}.")
    if operator.index(examples) < 0:
        raise ValueError(f"examples must be a number of rows, 0 for none; got {examples}.")
    y_true = np.asarray(y)
    groups = encode_groups(sensitive_features, len(y_true))
    if certify:
        distance_options["certify"] = True
    distance = shared_distance(
        model,
        X,
        y_true,
        method=method,
        threat_model=threat_model,
        return_adversarial=wants_points(X, examples),
        **distance_options,
    )
    check = search_again(model, X, distance, groups, n_check=n_check, threat_model=threat_model)
    correct = np.asarray(y_true == distance.predicted)
    nearest, terms = nearest_rows(model, X, distance, groups, correct, examples=examples)
    distance = replace(distance, adversarial=None)  # as large as X
    tail = (1 - confidence) / 2
    keywords: dict[str, Any] = {
        "distance": distance.distance,
        "sensitive_features": sensitive_features,
        "tau_max": tau_max,
        "n_boot": n_boot,
        "ci_quantiles": (tail, 1 - tail),
        "random_state": random_state,
    }
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
    overall = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "lower", "upper"])
    if certify and distance.lower is not None:
        sides = {name: keywords[name] for name in ("distance", "sensitive_features", "tau_max")} | {
            "lower": distance.lower
        }
        bounds = (y_true, distance.predicted)
        overall = overall.join(robustness_bounds(*bounds, **sides))
        by_group = by_group.join(group_robustness_bounds(*bounds, **sides))
    by_group["vulnerable"] = by_group["robustness"] < rows["Rob(f)"][0]
    warnings = [*distance.warnings_, *warn_of_gaps(check)]
    if n_boot is not None:
        warnings += warn_of_small_groups(by_group["size"], confidence)
    return Audit(
        name=type(model).__name__ if name is None else name,
        overall=overall,
        by_group=by_group,
        distances=distance,
        check=check,
        warnings=tuple(warnings),
        y_true=y_true,
        sensitive_features=sensitive_features,
        examples=nearest,
        settings={
            "tau_max": tau_max,
            "n_boot": n_boot,
            "confidence": confidence,
            "n_check": n_check,
            "examples": terms,
            **provenance(model, X, distance.threat_model, random_state, distance_options),
        },
    )


def _number(value: float) -> str:
    """Four significant digits at most, so that a V_f of 0.00012 does not print as 0.000."""
    return "nan" if np.isnan(value) else f"{value:.4g}"


def _intervals(table: pd.DataFrame) -> list[str]:
    return [
        "" if np.isnan(lower) else f"{_number(lower)} to {_number(upper)}"
        for lower, upper in zip(table["lower"], table["upper"], strict=True)
    ]


def _certified(table: pd.DataFrame) -> pd.Series:
    """Return the proven intervals as text."""
    cells = [
        "" if np.isnan(low) else f"{_number(low)} to {_number(high)}"
        for low, high in zip(table["low"], table["high"], strict=True)
    ]
    return pd.Series(cells, index=table.index)


def _column(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the column of the proven intervals, if there is one."""
    return {"certified": _certified(table)} if "low" in table else {}


def _wrapped(notes: list[str]) -> list[str]:
    return [part for note in notes for part in textwrap.wrap(note, 96)]
