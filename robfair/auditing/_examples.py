"""The most easily flipped rows of each group, with their changes in words."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from robfair._groups import Groups
from robfair._text import arrow
from robfair.adapters import as_model, label_model
from robfair.auditing._blocks import RowBlocks, take_rows
from robfair.auditing._options import AuditOptions
from robfair.distance import BoundaryDistance, measure_distance

WIDE = 500  # inputs with more features are images or texts: a list of features says nothing
NAMED = 3  # features that are named; the others that change, by less, are counted
TOO_MANY = "Not told in words: the model sees images, or too many features for a list of changes."
NEGLIGIBLE = 1e-6  # relative to the greatest change of a row: less is rounding


def nearest_rows(
    model: Any,
    X: Any,
    distances: BoundaryDistance,
    groups: Groups,
    correct: NDArray[np.bool_],
    options: AuditOptions,
) -> tuple[pd.DataFrame, str]:
    """Tell the rows of each group that the least change flips, and in which terms they are told.

    `Audit.examples` describes the table. If it is empty, the second result says why.
    """
    columns = ["group", "row", "label", "label after", "distance", "changed"]
    nothing = pd.DataFrame(columns=columns)
    if options.examples == 0:
        return nothing, "Left out, as was asked for (examples=0)."
    points = distances.adversarial
    # Of blocks no points were kept.
    if not isinstance(X, RowBlocks) and (
        points is None or points.ndim != 2 or points.shape[1] > WIDE
    ):
        return nothing, TOO_MANY
    rows = _nearest(distances, groups, correct, options.examples)
    if len(rows) == 0:
        return nothing, "None: no row that is classified correctly was flipped."
    start = take_rows(X, rows)
    points, distance = _points(model, start, distances, rows, options)
    if points.shape[1] > WIDE:
        return nothing, TOO_MANY
    changed, note = _in_words(model, start, distances, points)
    frame = pd.DataFrame(
        {
            "group": [groups.labels[code] for code in groups.codes[rows]],
            "row": rows,
            "label": distances.predicted[rows],
            "label after": label_model(model, start, distances.threat_model.table).predict(points),
            "distance": distance,
            "changed": changed,
        }
    )
    if isinstance(X, pd.DataFrame):
        frame.insert(2, "index", X.index[rows])
    elif isinstance(X, RowBlocks) and isinstance(start, pd.DataFrame):
        frame.insert(2, "index", rows)
    return frame, note


def _nearest(
    distances: BoundaryDistance, groups: Groups, correct: NDArray[np.bool_], k: int
) -> NDArray[np.intp]:
    """Return the `k` rows of least distance of each group, group by group."""
    usable = np.flatnonzero(correct & np.isfinite(distances.distance))
    # Stable: of equal distances the first row is told, on every machine.
    order = usable[np.argsort(distances.distance[usable], kind="stable")]
    codes = groups.codes[order]
    return np.concatenate([order[codes == code][:k] for code in range(len(groups))])


def _points(
    model: Any,
    start: Any,
    distances: BoundaryDistance,
    rows: NDArray[np.intp],
    options: AuditOptions,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the points behind the distances of some rows, and how far they are."""
    if distances.adversarial is not None:
        return distances.adversarial[rows], distances.distance[rows]
    again = measure_distance(
        model,
        start,
        method=options.method,
        threat_model=distances.threat_model,
        options=options.distance,
    )
    assert again.adversarial is not None
    return again.adversarial, again.distance


def _in_words(
    model: Any, start: Any, distances: BoundaryDistance, points: NDArray[Any]
) -> tuple[list[str], str]:
    """Say what changes in each row: in the original columns if they are known, else in features."""
    try:
        words = distances.threat_model.as_rows(points, start)["changed"].tolist()
        return [w or "less than rounding" for w in words], "Told in the original columns."
    except ValueError as error:  # the threat model knows no columns, or cannot turn back to them
        reason = str(error).rstrip(".")
    inputs = as_model(model).inputs(start)
    names = feature_names(model, start, inputs.shape[1])
    units = distances.threat_model.units(inputs.shape[1:])
    moves = (points.astype(np.float64) - inputs) / units  # comparable between columns
    words = [_sentence(*parts, names) for parts in zip(inputs, points, moves, strict=True)]
    note = (
        "Told in the features that the classifier itself sees; a changed row need not be one that "
        f"could exist. The reason: {reason}."
    )
    return words, note


def _sentence(
    before: NDArray[Any], after: NDArray[Any], moves: NDArray[np.float64], names: list[str]
) -> str:
    sizes = np.abs(moves)
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > NEGLIGIBLE * sizes.max()]
    if len(order) == 0:
        return "less than rounding"
    parts = [f"{names[j]} {arrow(before[j], after[j])}" for j in order[:NAMED]]
    rest = len(order) - len(parts)
    if rest:
        parts.append(f"and {rest} smaller change{'s' if rest > 1 else ''}")
    return "; ".join(parts)


def feature_names(model: Any, X: Any, n_features: int) -> list[str]:
    """Name the features that a classifier, or the last step of a Pipeline, sees."""
    names = _known_names(model, X)
    if names is None or len(names) != n_features:  # as after a step that hides what it makes
        return [f"feature {j}" for j in range(n_features)]
    return [str(name) for name in names]


def _known_names(model: Any, X: Any) -> list[Hashable] | None:
    if isinstance(model, BaseSearchCV):
        return _known_names(model.best_estimator_, X)
    if isinstance(model, Pipeline) and len(model) > 1:
        inner = _known_names(model.steps[-1][1], None)
        if inner is not None:
            return inner
        try:
            return list(model[:-1].get_feature_names_out())
        except (AttributeError, ValueError):  # a transformer that does not name its output
            return None
    names = getattr(model, "feature_names_in_", getattr(X, "columns", None))
    return None if names is None else list(names)
