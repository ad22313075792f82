"""The one door to a model and its samples: what is read of it is held against its own `predict`.

robfair reads coefficients, layers and trees. A class that overrides `predict`, a threshold, a shift
of priors or a function put in place of a method makes another model of it, and columns in another
order or of another type do as well. So labels are compared on some rows of X as it was given, and
between rows, close to the boundary that was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn

from robfair._batches import batches, default_batch_size
from robfair.adapters._boosters import with_labels
from robfair.adapters._first_pass import check_output
from robfair.adapters._given import (
    as_given,
    check_names,
    own_labels,
    refusal,
    some_rows,
)
from robfair.adapters._label_kinds import check_told
from robfair.adapters._labels import LabelModel, as_labels, as_model, checked
from robfair.adapters._logits import (
    Adapted,
    LogitModel,
    as_logits,
    find_codes,
    predicts_by_module,
)
from robfair.adapters._probes import near_boundary
from robfair.adapters._seen import check_seen
from robfair.adapters._settle import settle
from robfair.adapters._tables import TableCodec, TableModel, of_table

__all__ = ["Reading", "Sees", "adapt", "hold", "label_model"]

# Relative to the greatest logit: rows that close to a tie may get either label. In float64 sums
# that cancel leave this much, in float32 a thousand times the rounding.
TIE = {torch.float64: 1e-8}
TIE_ELSE = 1e-4

Sees = Literal["logits", "labels", "either"]
_ADAPT: dict[Sees, Callable[[Any], LogitModel | LabelModel]] = {
    "logits": as_logits,
    "labels": as_labels,
    "either": as_model,
}


@dataclass(frozen=True)
class Reading:
    """An adapted model that predicts what the user's model predicts.

    Attributes
    ----------
    model : LogitModel or LabelModel
        The adapted model.
    mismatch : str or None
        Why it is one of labels alone, although the model has logits or a tree to be read: these
        give other labels than its `predict`. None where nothing differs.
    """

    model: LogitModel | LabelModel
    mismatch: str | None = None


def adapt(model: Any, X: Any, sees: Sees = "either") -> LogitModel | LabelModel:
    """Adapt a model to what is needed of it, before any sample goes through it.

    Parameters
    ----------
    model : object
        What :func:`as_logits` or :func:`as_labels` takes.
    X : array-like of shape (n_samples, ...)
        The samples as the user has them.
    sees : {"logits", "labels", "either"}, default="either"
        What is needed of the model; "either" takes logits where there are any.

    Returns
    -------
    LogitModel or LabelModel
        The adapted model.

    Raises
    ------
    TypeError
        If the model is of a kind that cannot be adapted.
    ValueError
        If X has other columns, or another order of them, than the model was fitted on, or a
        category that XGBoost has not seen.
    """
    adapted = _ADAPT[sees](model)
    labelled = with_labels(model)
    check_names(labelled, X, adapted)
    check_seen(labelled, X)
    return adapted


def hold(
    model: Any,
    adapted: LogitModel | LabelModel,
    X: Any,
    inputs: NDArray[Any],
    batch_size: int | None = None,
) -> Reading:
    """Hold what is read of a model against its own `predict`, on up to 256 rows.

    Parameters
    ----------
    model : object
        The user's model. One that is adapted already is returned: it was compared then.
    adapted : LogitModel or LabelModel
        What :func:`adapt` made of it.
    X : array-like of shape (n_samples, ...)
        The samples as the user has them: types and order of columns count.
    inputs : ndarray of shape (n_samples, ...)
        The samples in the space that is perturbed.
    batch_size : int, default=None
        Samples that go through a module at a time. None: `robfair`'s own number.

    Returns
    -------
    Reading
        The adapted model. If its logits, or the tree, give other labels than `predict`, one that
        asks `predict` itself, and the reason.

    Raises
    ------
    ValueError
        If the model does not predict rows of X, or predicts other labels for the array that is
        perturbed than for X itself.
    """
    if isinstance(model, Adapted):
        return Reading(adapted)
    model = with_labels(model)
    rows, inputs = some_rows(X), some_rows(inputs)
    if isinstance(adapted, TableModel):
        return _held_table(model, adapted, rows, inputs)
    if isinstance(model, nn.Module):  # the module is what predicts
        settled = settle(as_logits(model), inputs, batch_size)
        if isinstance(adapted, LogitModel):
            return Reading(settled)
        check_output(settled, inputs, gradient=False)
        return Reading(as_labels(settled))
    if not hasattr(model, "predict"):  # nor is there anything to compare for a function
        return Reading(adapted)
    own = as_labels(model).in_dtype_of(inputs)
    labels = own_labels(model, own, rows, inputs)
    check_told(own.classes, labels)
    given = as_given(model, rows)
    if given is not None and _differ(labels, given).any():
        return _random_or_refused(model, own, rows, given, labels)
    return _held(model, adapted, own, inputs, labels, batch_size)


def label_model(model: Any, X: Any, table: TableCodec | None = None) -> LabelModel:
    """Adapt a model to a function to labels, by what its outputs are for rows of X.

    Parameters
    ----------
    model : object
        What :func:`as_labels` takes.
    X : array-like of shape (n_samples, ...)
        The samples, of which a module sees up to 256.
    table : TableCodec, default=None
        That of the threat model, where the columns of a table are perturbed.

    Returns
    -------
    LabelModel
        The adapted model, which is not compared with anything else.
    """
    adapted = as_labels(model)
    if table is not None:
        seen = of_table(model, adapted, X, table)
        return seen if isinstance(seen, LabelModel) else as_labels(seen)
    if not isinstance(model, nn.Module):
        return adapted
    return as_labels(settle(as_logits(model), adapted.inputs(some_rows(X)), None))


def _held_table(model: Any, adapted: TableModel, rows: Any, inputs: NDArray[Any]) -> Reading:
    """Hold rows that were turned into numbers and back against those of the user."""
    given = as_given(model, rows) if hasattr(model, "predict") else checked(model)(rows)
    assert given is not None  # only a network may refuse a dtype
    check_told(adapted.classes, given)
    labels = adapted.predict(inputs)
    differ = _differ(given, labels)
    if not differ.any():
        return Reading(adapted)
    name = type(model).__name__
    if _differ(labels, adapted.predict(inputs)).any():
        return Reading(_labels_alone(adapted, labels), _random(model, f"{len(rows)} rows of X"))
    raise ValueError(
        f"{name} predicts another label for {int(differ.sum())} of {len(given)} rows of X once "
        "they are in the dtypes of the frame that the threat model was made of: give from_frame "
        "rows of the same dtypes and categories as X."
    )


def _held(
    model: Any,
    adapted: LogitModel | LabelModel,
    own: LabelModel,
    inputs: NDArray[Any],
    labels: NDArray[Any],
    batch_size: int | None,
) -> Reading:
    """Hold logits or a tree against the labels that the model predicts."""
    name = type(model).__name__
    if isinstance(adapted, LabelModel) and not predicts_by_module(adapted.estimator):
        if isinstance(own.estimator, DecisionTreeClassifier) and not _is_of_sklearn(own.estimator):
            # Another label of a single leaf would be seen in no row but those of the leaf.
            reason = f"{name}.predict is not that of scikit-learn, and its tree is not read"
            return Reading(_labels_alone(own, labels), reason)
        return Reading(adapted)
    settled = settle(as_logits(model), inputs, batch_size)
    logits = _Logits(settled, batch_size)
    differ = logits.differ(inputs, labels)
    where = f"{int(differ.sum())} of {len(inputs)} rows of X"
    if not differ.any():
        points = near_boundary(logits.codes, inputs)
        if len(points):
            differ = logits.differ(points, own.predict(points))
            where = f"{int(differ.sum())} of {len(points)} points close to the boundary"
        if not differ.any():
            # The module itself is asked for labels: `predict` of skorch takes ten times as long.
            return Reading(as_labels(settled) if isinstance(adapted, LabelModel) else settled)
    elif _differ(own.predict(inputs), labels).any():
        return Reading(_labels_alone(own, labels), _random(model, where))
    return Reading(
        _labels_alone(own, labels),
        f"{name}.predict gives another label than its logits at {where}: it decides by a rule of "
        "its own, such as a threshold",
    )


def _is_of_sklearn(model: Any) -> bool:
    names = ("predict", "predict_proba")
    return not any(name in vars(model) for name in names) and all(
        getattr(type(model), name).__module__.startswith("sklearn.") for name in names
    )


@dataclass(frozen=True)
class _Logits:
    """The labels of the greatest logits, and where others are predicted without a tie."""

    model: LogitModel
    batch_size: int | None

    def __call__(self, X: NDArray[Any]) -> Tensor:
        size = self.batch_size or default_batch_size(X.shape[1:])
        with torch.no_grad(), self.model.forward(X.shape[1:]) as forward:
            parts = [forward(self.model.tensor(X[part])) for part in batches(len(X), size)]
        return torch.cat(parts).double().cpu()

    def codes(self, X: NDArray[Any]) -> NDArray[np.intp]:
        return self(X).argmax(dim=1).numpy()

    def differ(self, X: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
        logits = self(X)
        n_classes = logits.shape[1]
        classes = self.model.classes
        codes = find_codes(np.arange(n_classes) if classes is None else classes, labels)
        own = logits.gather(1, torch.from_numpy(codes.clip(0, n_classes - 1))[:, None])[:, 0]
        tie = TIE.get(self.model.dtype, TIE_ELSE) * logits.abs().max()
        behind = (logits.amax(dim=1) - own > tie).numpy()
        return behind | (codes < 0) | (codes >= n_classes)


def _labels_alone(own: LabelModel, labels: NDArray[Any]) -> LabelModel:
    """Return a model of labels from which no tree is read, nor classes that it does not keep to."""
    classes = own.classes
    if classes is not None and (find_codes(classes, labels) < 0).any():
        classes = None
    return replace(own, estimator=None, classes=classes)


def _differ(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    # As objects: numpy compares neither numbers with text nor text with bytes.
    return np.asarray(np.asarray(a, dtype=object) != np.asarray(b, dtype=object), dtype=bool)


def _random(model: Any, where: str) -> str:
    return f"two predictions of {type(model).__name__} differ on {where}: the model is random"


def _random_or_refused(
    model: Any, own: LabelModel, rows: Any, given: NDArray[Any], labels: NDArray[Any]
) -> Reading:
    again = as_given(model, rows)
    differ = _differ(given, labels)
    if again is not None and (twice := _differ(given, again)).any():
        where = f"{int(twice.sum())} of {len(given)} rows of X"
        return Reading(_labels_alone(own, labels), _random(model, where))
    where = f"{int(differ.sum())} of {len(given)} rows"
    raise ValueError(refusal(model, own, rows, where))
