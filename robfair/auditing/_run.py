"""The computation behind `audit`: distances, second searches, measures, warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._cache import shared_distance
from robfair._group_tests import compare_groups, cross, error_level, row_values
from robfair._groups import Groups, encode_groups
from robfair._validation import check_vector
from robfair.adapters import leaves_as_found
from robfair.auditing._block_distances import measure_blocks
from robfair.auditing._blocks import RowBlocks
from robfair.auditing._by_eps import measure_by_eps
from robfair.auditing._checks import search_again, warn_of_gaps, warn_of_small_groups
from robfair.auditing._discovery import Discovery
from robfair.auditing._examples import nearest_rows
from robfair.auditing._fairness_metrics import measure_metrics, read_metrics
from robfair.auditing._favorable import check_favorable, measure_favorable
from robfair.auditing._frames import (
    add_judgements,
    control_labels,
    group_frame,
    measure_frame,
)
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing._options import AuditOptions
from robfair.auditing._provenance import changed_options, plain_seed, provenance
from robfair.distance import BoundaryDistance
from robfair.metrics import AUDIT_MEASURES, group_robustness_bounds, robustness_bounds

KEPT = ("tau_max", "confidence", "n_check", "favorable_label")  # that the result repeats


@leaves_as_found
def run_audit(
    model: Any,
    X: Any,
    y: ArrayLike,
    sensitive_features: Any,
    name: str | None,
    options: AuditOptions,
) -> AuditNumbers:
    """Compute the numbers of one audit and, if asked for, discover subgroups."""
    name = type(model).__name__ if name is None else name
    if options.discovery is None:
        return _measure(model, X, y, sensitive_features, name, options)
    search = Discovery.of(X, y, options.discovery)  # bad input before the distances
    numbers = _measure(model, X, y, sensitive_features, name, options)
    found, doubts = search.in_audit(numbers.distances, options.distance.random_state)
    return replace(numbers, discovered=found, warnings=(*numbers.warnings, *doubts))


def _measure(
    model: Any, X: Any, y: ArrayLike, sensitive_features: Any, name: str, options: AuditOptions
) -> AuditNumbers:
    y_true = check_vector(y, "y")
    control = options.control_features
    check_aligned(X=X, y=y, sensitive_features=sensitive_features, control_features=control)
    groups = encode_groups(sensitive_features, len(y_true))
    favorable = options.favorable_label
    check_favorable(favorable, model, y_true)
    metrics = read_metrics(options.metrics, model, y_true, favorable)
    if control is not None:
        control = encode_groups(control, len(y_true), "control_features")
    distances = _distances(model, X, y_true, sensitive_features, options)
    n_check, distance = options.n_check, options.distance
    check = search_again(model, X, distances, groups, n_check, distance)
    correct = np.asarray(y_true == distances.predicted)
    examples, terms = nearest_rows(model, X, distances, groups, correct, options)
    distances = replace(distances, adversarial=None)  # as large as X, and a result is kept long
    predicted = distances.predicted
    rates, rates_by_group = measure_metrics(
        metrics, model, X, y_true, predicted, groups, options.verbose
    )
    labels = control_labels(y_true, control)
    frames = _frames(y_true, distances, groups, labels, options)
    # Those of the searches come first: without distances that hold, the rest says little.
    warnings = [*distances.warnings_, *warn_of_gaps(check)]
    if options.confidence is not None:
        warnings += warn_of_small_groups(frames["by_group"]["size"], options.confidence)
    return AuditNumbers(
        name=name,
        **frames,
        by_eps=measure_by_eps(y_true, distances, groups, options.eps, options.confidence),
        metrics=rates_by_group,
        metrics_overall=rates,
        favorable=measure_favorable(model, X, y_true, distances, groups, options),
        distances=distances,
        check=check,
        warnings=tuple(warnings),
        y_true=y_true,
        sensitive_features=sensitive_features,
        groups=groups,
        labels=labels,
        examples=examples,
        settings={
            **_kept(options),
            "examples": terms,
            "positive_label": None if rates.empty else metrics.positive,
            **provenance(model, X, distances.threat_model),
        },
    )


def _distances(
    model: Any, X: Any, y_true: NDArray[Any], sensitive_features: Any, options: AuditOptions
) -> BoundaryDistance:
    """Compute the distances, in one go or block by block."""
    if isinstance(X, RowBlocks):
        return measure_blocks(model, X, y_true, options)
    return shared_distance(
        model,
        X,
        y_true,
        method=options.method,
        threat_model=options.threat_model,
        certify=options.certify,
        options=options.distance,
        sensitive_features=sensitive_features,
        # The points behind the distances tell examples in words, unless X holds images.
        return_adversarial=options.examples > 0 and getattr(X, "ndim", 2) == 2,
        verbose=options.verbose,
    )


def _kept(options: AuditOptions) -> dict[str, Any]:
    """Return the options that the result repeats, as plain values."""
    return {
        **{key: getattr(options, key) for key in KEPT},
        "random_state": plain_seed(options.random_state),
        "distance_options": changed_options(options.distance, options.certify),
    }


def _frames(
    y_true: NDArray[Any],
    distances: BoundaryDistance,
    groups: Groups,
    labels: Groups,
    options: AuditOptions,
) -> dict[str, pd.DataFrame]:
    """Return the measures over all groups, Rob(P) of each, and that within each label."""
    predicted, tau_max, confidence = distances.predicted, options.tau_max, options.confidence
    measured = {"distance": distances.distance, "tau_max": tau_max}
    smallest = int(np.bincount(groups.codes, minlength=len(groups)).min())
    # Groups are encoded once, so that what is odd of them is told once.
    overall = measure_frame(
        AUDIT_MEASURES, y_true, predicted, groups, confidence, smallest, **measured
    )
    correct = np.asarray(y_true == predicted)
    values = row_values(correct, distances.distance, tau_max)
    by_group = group_frame(correct, values, groups, confidence, tau_max)
    if options.certify and distances.lower is not None:
        bounds: Any = {**measured, "lower": distances.lower, "sensitive_features": groups}
        overall = overall.join(robustness_bounds(y_true, predicted, **bounds))
        by_group = by_group.join(group_robustness_bounds(y_true, predicted, **bounds))
    add_judgements(by_group, compare_groups(values, groups, labels, error_level(confidence)))
    by_label = group_frame(correct, values, cross(labels, groups), confidence, tau_max)
    return {"overall": overall, "by_group": by_group, "by_label": by_label}
