"""Fairness metrics of the same predictions, as fairlearn's MetricFrame tells them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._cache import result_key
from robfair._groups import Groups
from robfair._text import did_you_mean, type_name
from robfair.auditing._blocks import RowBlocks
from robfair.auditing._passes import RowPass, run_pass

# Of two classes, if nothing else is asked for. The last one needs probabilities.
USUAL = ("selection_rate", "true_positive_rate", "false_positive_rate", "calibration")

# The second argument of metrics that take probabilities, or what orders rows as they do.
_SCORES = ("y_score", "y_proba", "y_prob")


def calibration(y_true: NDArray[Any], y_proba: NDArray[Any]) -> float:
    """Return the mean probability less the share that it predicts, of labels that are 0 or 1."""
    return float(np.mean(y_proba) - np.mean(y_true))


@dataclass(frozen=True)
class FairnessMetrics:
    """Metrics that are ready to be computed, all in one call."""

    functions: Mapping[str, Callable[..., Any]]
    takes: Mapping[str, str]  # of each: "labels", or "classes" or "scores", with 1 for positive
    positive: Any  # the label that rates are of; None where there are more than two
    of_two: bool  # nobody has named metrics or a label: they are told of two classes alone

    @property
    def needs_scores(self) -> bool:
        """True if one of them takes probabilities."""
        return "scores" in self.takes.values()

    def compute(self, y_true: Any, y_pred: Any, scores: Any = None) -> NDArray[np.float64]:
        """Return the value of each metric."""
        true, pred = (np.asarray(labels) == self.positive for labels in (y_true, y_pred))
        arguments = {
            "labels": (y_true, y_pred),
            "classes": (true.astype(int), pred.astype(int)),
            "scores": (true.astype(int), scores),
        }
        values = [f(*arguments[self.takes[name]]) for name, f in self.functions.items()]
        return np.array([float(value) for value in values])


def read_metrics(metrics: Any, model: Any, y_true: NDArray[Any], favorable: Any) -> FairnessMetrics:
    """Find the metrics that were named, and try each on the true labels.

    `metrics` is None for the usual ones, or a name, a function, a list of them, or a dict that
    names them. Raises TypeError or ValueError, before any distance is computed, for what
    cannot be used, or takes what the model does not give.
    """
    has_classes = hasattr(model, "classes_")
    has_scores = has_classes and hasattr(model, "predict_proba")
    labels = np.unique(model.classes_ if has_classes else y_true)
    positive = labels[1] if favorable is None and len(labels) == 2 else favorable
    of_two = metrics is None and favorable is None
    if metrics is None:
        metrics = () if positive is None else USUAL if has_scores else USUAL[:-1]
    found = {name: _find(metric) for name, metric in _named(metrics).items()}
    takes = {name: _takes(metric) for name, metric in found.items()}
    for name, kind in takes.items():
        if kind == "scores" and not has_scores:
            raise ValueError(
                f"metric {name!r} takes probabilities, and a {type_name(model)} has no "
                "predict_proba with classes_. Leave it out."
            )
        if kind != "labels" and positive is None:
            raise ValueError(
                f"metric {name!r} is of one class, and there are {len(labels)}. Pass "
                "favorable_label=, or a function that does not need it."
            )
    ready = FairnessMetrics(found, takes, positive, of_two)
    _try(ready, y_true)
    return ready


def measure_metrics(
    metrics: FairnessMetrics,
    model: Any,
    X: Any,
    y_true: Any,
    y_pred: Any,
    groups: Groups,
    verbose: int | None = 0,
) -> tuple[pd.Series[float], pd.DataFrame]:
    """Return the metrics of all samples, and a row of them for each group."""
    names = list(metrics.functions)
    # How many classes a network has shows when it predicts.
    if not names or (metrics.of_two and len({*pd.unique(y_true), *pd.unique(y_pred)}) > 2):
        return pd.Series(dtype=float), pd.DataFrame(index=groups.labels)
    arrays = [np.asarray(y_true), np.asarray(y_pred)]
    if metrics.needs_scores:
        column = list(model.classes_).index(metrics.positive)
        arrays.append(_probabilities(model, X, column, verbose))
    # What fairlearn's MetricFrame tells, which copies the rows, one by one, as Python objects.
    by_group = [
        metrics.compute(*(array[groups.codes == code] for array in arrays))
        for code in range(len(groups))
    ]
    return (
        pd.Series(metrics.compute(*arrays), index=names, dtype=float),
        pd.DataFrame(by_group, index=groups.labels, columns=names),
    )


def _probabilities(model: Any, X: Any, column: int, verbose: int | None) -> NDArray[np.float64]:
    """Return the probability of one class for each row."""

    def of(rows: Any) -> NDArray[np.float64]:
        return np.asarray(model.predict_proba(rows))[:, column]

    if not isinstance(X, RowBlocks):
        return of(X)
    task = RowPass(f"probability of class {column}", lambda n: of(X.read(n)), result_key(model))
    return run_pass(task, X, np.arange(len(X)), verbose)


def _named(metrics: Any) -> dict[str, Any]:
    if isinstance(metrics, Mapping):
        return {str(name): metric for name, metric in metrics.items()}
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    if not isinstance(metrics, list | tuple):
        raise TypeError(
            "metrics must be names or functions of fairlearn or scikit-learn, in a list, or in a "
            f"dict that names them; got a {type_name(metrics)}."
        )
    names = [m if isinstance(m, str) else getattr(m, "__name__", type_name(m)) for m in metrics]
    if len(set(names)) < len(names):
        raise ValueError(f"metrics has two of one name: {names}. Name them yourself, in a dict.")
    return dict(zip(names, metrics, strict=True))


def _find(metric: Any) -> Callable[..., Any]:
    """Return the function of a name, or the function itself."""
    if callable(metric):
        function: Callable[..., Any] = metric
        return function
    if not isinstance(metric, str):
        raise TypeError(f"a metric must be a name or a function; got {metric!r}.")
    if metric == "calibration":
        return calibration
    import fairlearn.metrics
    import sklearn.metrics

    libraries = (fairlearn.metrics, sklearn.metrics)
    for library in libraries:
        found: Callable[..., Any] | None = getattr(library, metric, None)
        if found is not None and _parameters(found)[:1] == ["y_true"]:
            return found
    known = ["calibration", *fairlearn.metrics.__all__, *sklearn.metrics.__all__]
    raise ValueError(
        f"there is no metric {metric!r} of y_true and y_pred in fairlearn.metrics or "
        f"sklearn.metrics. {did_you_mean(metric, known)}"
    )


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some that are written in C tell nothing
        return []


def _takes(metric: Callable[..., Any]) -> str:
    """Tell by its parameters what a metric takes."""
    parameters = _parameters(metric)
    if parameters[1:2] and parameters[1] in _SCORES:
        return "scores"
    return "classes" if "pos_label" in parameters else "labels"


def _try(metrics: FairnessMetrics, y_true: NDArray[Any]) -> None:
    """Raise ValueError unless each metric gives a number where all predictions are right."""
    few = np.union1d(np.arange(min(len(y_true), 100)), np.unique(y_true, return_index=True)[1])
    right = y_true[few]  # a few rows with each label
    for name, function in metrics.functions.items():
        one = replace(metrics, functions={name: function})
        try:
            one.compute(right, right, (right == metrics.positive).astype(float))
        except Exception as error:  # whatever the user's function raises
            raise ValueError(
                f"metric {name!r} gives no number on true labels: {type(error).__name__}: {error}"
            ) from error
