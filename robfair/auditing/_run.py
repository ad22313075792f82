"""The computation behind `audit`: distances, second searches, measures, warnings."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._cache import shared_distance
from robfair._group_means import below_the_mean, group_means
from robfair._groups import Groups, encode_groups
from robfair._validation import check_vector
from robfair.auditing._by_eps import measure_by_eps
from robfair.auditing._checks import search_again, warn_of_gaps, warn_of_small_groups
from robfair.auditing._examples import nearest_rows
from robfair.auditing._fairness_metrics import measure_metrics, read_metrics
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing._provenance import changed_options, plain_seed, provenance
from robfair.distance import BoundaryDistance, DistanceOptions
from robfair.metrics import (
    AUDIT_MEASURES,
    group_robustness,
    group_robustness_bounds,
    robustness_bounds,
)
from robfair.threat import ThreatModel

KEPT = ("tau_max", "confidence", "n_check")  # options that the result repeats


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditOptions:
    """The options of `audit`; raises TypeError or ValueError for a number that it cannot use."""

    method: str
    threat_model: ThreatModel | None
    tau_max: float | None
    certify: bool
    n_check: int  # rows in all
    confidence: float | None  # None: no interval
    examples: int  # rows of each group
    eps: tuple[float, ...]
    metrics: Any  # names or functions
    random_state: Any  # as it was passed
    distance: DistanceOptions  # with the seed of the searches
    verbose: int

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0 < self.confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1; got {self.confidence}.")
        for name in ("n_check", "examples"):
            if operator.index(rows := getattr(self, name)) < 0:
                raise ValueError(f"{name} must be a number of rows, 0 for none; got {rows}.")


def run_audit(
    model: Any, X: Any, y: ArrayLike, sensitive_features: Any, name: str, options: AuditOptions
) -> AuditNumbers:
    """Compute the numbers of one audit."""
    y_true = check_vector(y, "y")
    check_aligned(X=X, y=y, sensitive_features=sensitive_features)
    groups = encode_groups(sensitive_features, len(y_true))
    metrics = read_metrics(options.metrics, model, y_true, None)
    distances = shared_distance(
        model,
        X,
        y_true,
        method=options.method,
        threat_model=options.threat_model,
        certify=options.certify,
        options=options.distance,
        # The points behind the distances tell examples in words, unless X holds images.
        return_adversarial=options.examples > 0 and getattr(X, "ndim", 2) == 2,
        verbose=options.verbose,
    )
    n_check, distance = options.n_check, options.distance
    check = search_again(model, X, distances, groups, n_check, options.threat_model, distance)
    correct = np.asarray(y_true == distances.predicted)
    examples, terms = nearest_rows(model, X, distances, groups, correct, options.examples)
    distances = replace(distances, adversarial=None)  # as large as X, and a result is kept long
    predicted = distances.predicted
    rates, rates_by_group = measure_metrics(metrics, model, X, y_true, predicted, groups)
    overall, by_group = _tables(y_true, distances, groups, options)
    _add_sizes(by_group, correct, groups)
    # Those of the searches come first: without distances that hold, the rest says little.
    warnings = [*distances.warnings_, *warn_of_gaps(check)]
    if options.confidence is not None:
        warnings += warn_of_small_groups(by_group["size"], options.confidence)
    return AuditNumbers(
        name=name,
        overall=overall,
        by_group=by_group,
        by_eps=measure_by_eps(y_true, distances, groups, options.eps, options.confidence),
        metrics=rates_by_group,
        metrics_overall=rates,
        distances=distances,
        check=check,
        warnings=tuple(warnings),
        y_true=y_true,
        sensitive_features=sensitive_features,
        groups=groups,
        examples=examples,
        settings={
            **{key: getattr(options, key) for key in KEPT},
            "examples": terms,
            "positive_label": metrics.positive,
            "random_state": plain_seed(options.random_state),
            "distance_options": changed_options(options.distance, options.certify),
            **provenance(model, X, distances.threat_model),
        },
    )


def _add_sizes(by_group: pd.DataFrame, correct: NDArray[np.bool_], groups: Groups) -> None:
    """Add to Rob(P) what it is made of, and which groups are below the mean."""
    accuracy = group_means(correct.astype(float), groups)
    by_group.insert(0, "size", accuracy.count)
    by_group.insert(1, "accuracy", accuracy.mean)
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN where no row is right
        by_group.insert(2, "mean_distance", by_group["robustness"] / by_group["accuracy"])
    # Below the mean over groups: if groups differ at all, some are, by more than chance or not.
    by_group["vulnerable"] = below_the_mean(by_group["robustness"].to_numpy())


def _tables(
    y_true: ArrayLike, distances: BoundaryDistance, groups: Groups, options: AuditOptions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the measures over all groups, and Rob(P) of each, with their intervals."""
    predicted = distances.predicted
    measured: dict[str, Any] = {
        "distance": distances.distance,
        "sensitive_features": groups,  # encoded once, so that what is odd of them is told once
        "tau_max": options.tau_max,
    }
    level = options.confidence
    sizes = np.bincount(groups.codes, minlength=len(groups))
    rows = {}
    for measure in AUDIT_MEASURES:
        value = measure.function(y_true, predicted, **measured, confidence_level=level)
        ends = getattr(value, "interval", None) or (np.nan, np.nan)  # accuracy has none
        corrected = np.nan
        if measure.corrects and sizes.min() > 1:  # the noise of one row is unknown
            raw = measure.function(y_true, predicted, **measured, bias_corrected=True)
            corrected = np.maximum(float(raw), 0.0)
        rows[measure.symbol] = (float(value), *ends, corrected)
    columns = ["value", "lower", "upper", "corrected"]
    overall = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    robustness = group_robustness(y_true, predicted, **measured, confidence_level=level)
    by_group = pd.DataFrame(robustness).reindex(columns=["robustness", "lower", "upper"])
    if options.certify and distances.lower is not None:
        bounds = {**measured, "lower": distances.lower}
        overall = overall.join(robustness_bounds(y_true, predicted, **bounds))
        by_group = by_group.join(group_robustness_bounds(y_true, predicted, **bounds))
    return overall, by_group
