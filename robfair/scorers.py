"""Scorers: the measures as functions of (estimator, X, y), for cross_validate and GridSearchCV.

A scikit-learn scorer sees an estimator, X and y. Two things are missing for a group measure, the
distances and the groups, and this module supplies both.

Groups reach a scorer in one of three ways:

1. Metadata routing is on: pass ``sensitive_features`` to ``fit`` of a search, or in ``params`` of
   ``cross_validate``. The scorers here request it by themselves.
2. The scorer is bound to a column of X: ``make_robustness_scorer(metric, groups="race")``, or to a
   function of X.
3. It is bound to a pandas Series that is looked up by the index of X.

With routing off scikit-learn gives a scorer nothing but X and y, so that one of the other two is
needed; without any, a scorer raises. It never falls back on the groups seen in ``fit``: those are
of the training rows.

Distances are computed once per estimator and fold, and shared by all scorers of a multi-metric
call. scikit-learn's own cache serves ``predict`` and the like only. The one here holds the last few
results, and its key is the content of the model, X and y, so that a refit or a changed array can
never meet an old result.

The ready-made scorers, all of them greater is better:

- ``rob_scorer``: Rob(f), the mean over groups of their robustness.
- ``neg_v_f_scorer``: minus V_f, the variance over groups of their robustness.
- ``neg_cau_scorer``: minus CAU, the largest gap between the accuracies of classes.
- ``neg_eou_scorer``: minus EOU, the largest gap between mean confidences of groups.
"""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib.hashing import NumpyHasher
from sklearn.utils.metadata_routing import MetadataRequest

from robfair.adapters import as_model
from robfair.distance import BoundaryDistance, boundary_distance
from robfair.metrics import (
    class_accuracy_unfairness,
    classifier_robustness,
    equalized_odds_unfairness,
    robustness_variance,
)
from robfair.threat import ThreatModel

__all__ = [
    "RobustnessScorer",
    "get_scorer",
    "get_scorer_names",
    "make_robustness_scorer",
    "neg_cau_scorer",
    "neg_eou_scorer",
    "neg_v_f_scorer",
    "rob_scorer",
    "shared_distance",
]

_NO_GROUPS = """{name} needs the group of each sample, and got none. Either
(1) turn on metadata routing, sklearn.set_config(enable_metadata_routing=True), and pass
    sensitive_features= to fit of the search, or params={{"sensitive_features": ...}} to
    cross_validate; or
(2) bind the scorer to a column of X, make_robustness_scorer({metric}, groups="race"), or to a
    function of X; or
(3) bind it to a pandas Series that has the index of X, groups=series."""


class _ContentHasher(NumpyHasher):
    """joblib's hash, made to see the values of tensors instead of where they lie in memory."""

    def save(self, obj: Any) -> None:
        """Hash `obj`."""
        if isinstance(obj, torch.Tensor):
            values = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            obj = (type(obj).__name__, str(obj.dtype), tuple(obj.shape), values)
        super().save(obj)


class _RecentDistances:
    """The last few distance computations, by the content that they were computed from."""

    PLACES = 8  # models that a comparison goes through again for another partition

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: dict[str, BoundaryDistance] = {}

    def get(self, estimator: Any, X: Any, y: Any, options: dict[str, Any]) -> BoundaryDistance:
        content = (
            type(estimator),
            as_model(estimator),
            X,
            y,
            sorted(options.items()),
        )
        try:
            key = _ContentHasher(hash_name="md5").hash(content)
        except Exception:  # something that cannot be pickled has no content to compare
            return boundary_distance(estimator, X, y=y, return_adversarial=False, **options)
        with self.lock:
            value = self.found.pop(key, None)
            if value is None:
                value = boundary_distance(estimator, X, y=y, return_adversarial=False, **options)
                for array in vars(value).values():
                    if isinstance(array, np.ndarray):
                        array.flags.writeable = False  # others will be given the same arrays
            self.found[key] = value  # at the end, as the most recent
            if len(self.found) > self.PLACES:
                del self.found[next(iter(self.found))]
            return value


_RECENT = _RecentDistances()


def shared_distance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    method: str = "auto",
    threat_model: ThreatModel | None = None,
    **options: Any,
) -> BoundaryDistance:
    """Compute the distances of the correctly classified samples, once for all scorers.

    A second call with the same content of model, X, y and options returns the result of the first.

    Parameters
    ----------
    estimator : object
        A model that `boundary_distance` takes.
    X : array-like of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,)
        True labels.
    method : str, default="auto"
        Method of `boundary_distance`.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features.
    **options
        Further options of `boundary_distance`.

    Returns
    -------
    BoundaryDistance
        Distances, without the adversarial points.
    """
    return _RECENT.get(estimator, X, y, {"method": method, "threat_model": threat_model, **options})


class RobustnessScorer:
    """A measure as a scorer; made by :func:`make_robustness_scorer`.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, *, distance=..., sensitive_features=...)``. It is passed what its
        signature names; if its second parameter is ``y_proba``, the probabilities of the classes.
    sign : {1, -1}
        -1 for a loss.
    groups : str, int, callable, pandas.Series or None
        Where the groups come from without metadata routing.
    distance_params : dict
        Options of `boundary_distance`.
    metric_params : dict
        Further keywords of the metric.
    """

    def __init__(
        self,
        metric: Callable[..., float],
        *,
        sign: int,
        groups: Any,
        distance_params: dict[str, Any],
        metric_params: dict[str, Any],
    ) -> None:
        self.metric = metric
        self.sign = sign
        self.groups = groups
        self.distance_params = distance_params
        self.metric_params = metric_params
        self._alias: bool | str = True
        names = list(inspect.signature(metric).parameters)
        self._needs_distance = "distance" in names
        self._needs_groups = "sensitive_features" in names
        self._needs_proba = names[1:2] == ["y_proba"]
        self._needs_labels = self._needs_proba and "labels" in names
        if not callable(groups) and not isinstance(groups, str | int | pd.Series | None):
            raise TypeError(
                "groups must be the name or number of a column of X, a function of X, or a pandas "
                f"Series with the index of X; got {type(groups).__name__}."
            )

    def __call__(self, estimator: Any, X: Any, y: Any, *, sensitive_features: Any = None) -> float:
        """Score `estimator` on the samples X with labels y."""
        params = dict(self.metric_params)
        if self._needs_groups:
            params["sensitive_features"] = self._find_groups(X, sensitive_features)
        if self._needs_distance:
            found = shared_distance(estimator, X, y, **self.distance_params)
            params["distance"] = found.distance
            response: Any = found.predicted
        elif self._needs_proba:
            response = estimator.predict_proba(X)
            if self._needs_labels:
                params.setdefault("labels", estimator.classes_)
        else:
            response = estimator.predict(X)
        return self.sign * float(self.metric(y, response, **params))

    def _find_groups(self, X: Any, given: Any) -> Any:
        if self.groups is None:
            if given is None:
                name = getattr(self.metric, "__name__", "metric")
                raise ValueError(_NO_GROUPS.format(name=self, metric=name))
            return given
        if given is not None:
            raise ValueError(
                f"{self} is bound to groups={_short(self.groups)} and was also passed "
                "sensitive_features: use one of them."
            )
        if isinstance(self.groups, pd.Series):
            return _look_up(self.groups, X)
        if callable(self.groups):
            return self.groups(X)
        if isinstance(self.groups, str):
            columns = getattr(X, "columns", None)
            if columns is None or self.groups not in columns:
                raise ValueError(
                    f"groups={self.groups!r} is no column of X "
                    f"({'X has no columns' if columns is None else list(columns)}). X is what "
                    "enters the estimator; pass a DataFrame that has the column, or bind the "
                    "scorer to a function of X or a Series."
                )
            return X[self.groups]
        return X.iloc[:, self.groups] if hasattr(X, "iloc") else np.asarray(X)[:, self.groups]

    # What scikit-learn asks a scorer for.

    def get_metadata_routing(self) -> MetadataRequest:
        """Tell scikit-learn that `sensitive_features` is wanted, unless groups are bound.

        Returns
        -------
        MetadataRequest
            The request.
        """
        request = MetadataRequest(owner=type(self).__name__)
        if self._needs_groups and self.groups is None:
            request.score.add_request(param="sensitive_features", alias=self._alias)
        return request

    def set_score_request(self, *, sensitive_features: bool | str) -> RobustnessScorer:
        """Change under which name the groups are passed, in place.

        Parameters
        ----------
        sensitive_features : bool or str
            A name to request instead of "sensitive_features".

        Returns
        -------
        RobustnessScorer
            The scorer itself. :func:`get_scorer` gives a copy that can be changed freely.
        """
        self._alias = sensitive_features
        return self

    def _accept_sample_weight(self) -> bool:
        return False

    def __repr__(self) -> str:
        parts = [getattr(self.metric, "__name__", repr(self.metric))]
        if self.sign < 0:
            parts.append("greater_is_better=False")
        if self.groups is not None:
            parts.append(f"groups={_short(self.groups)}")
        parts += [f"{k}={v!r}" for k, v in {**self.distance_params, **self.metric_params}.items()]
        return f"make_robustness_scorer({', '.join(parts)})"


def _short(groups: Any) -> str:
    return "Series" if isinstance(groups, pd.Series) else repr(groups)


def _look_up(series: pd.Series[Any], X: Any) -> Any:
    index = getattr(X, "index", None)
    if index is None or not isinstance(X, pd.DataFrame):
        raise ValueError(
            f"groups is a Series, to be looked up by the index of X, but X is a "
            f"{type(X).__name__} without one. Pass X as a pandas DataFrame, or bind the scorer to "
            "a column or a function of X."
        )
    if not series.index.is_unique:
        raise ValueError("groups is a Series whose index is not unique: rows cannot be looked up.")
    missing = ~index.isin(series.index)
    if missing.any():
        raise ValueError(
            f"groups is a Series that lacks {int(missing.sum())} of the {len(index)} rows of X, "
            f"first index {index[missing][0]!r}."
        )
    return series.loc[index].to_numpy()


def make_robustness_scorer(
    metric: Callable[..., float],
    *,
    greater_is_better: bool = True,
    groups: Any = None,
    method: str = "auto",
    threat_model: ThreatModel | None = None,
    distance_params: dict[str, Any] | None = None,
    **metric_params: Any,
) -> RobustnessScorer:
    """Make a scorer from a measure of :mod:`robfair.metrics`, or one of your own.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, *, ...)``. If its signature names ``distance`` it is passed the
        distances to the decision boundary, if ``sensitive_features`` the groups; if its second
        parameter is called ``y_proba`` it is passed probabilities instead of labels.
    greater_is_better : bool, default=True
        False for a loss: the scorer then returns its negative.
    groups : str, int, callable, pandas.Series or None, default=None
        Where groups come from without metadata routing: a column of X by name or number, a function
        of X, or a Series looked up by the index of X. X is what enters the estimator. None: from
        metadata routing.
    method : str, default="auto"
        How distances are computed; see `boundary_distance`.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features of the distance.
    distance_params : dict, default=None
        Further options of `boundary_distance`.
    **metric_params
        Further keywords of the metric, such as ``tau_max=``, with which a classifier that cannot be
        attacked has a finite score.

    Returns
    -------
    RobustnessScorer
        ``scorer(estimator, X, y, *, sensitive_features=None)``, a float.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.datasets import make_group_margins
    >>> from robfair.metrics import worst_group_robustness
    >>> from robfair.scorers import make_robustness_scorer
    >>> data = make_group_margins(random_state=0)
    >>> scorer = make_robustness_scorer(worst_group_robustness)
    >>> clf = LogisticRegression(C=1e4).fit(data.X, data.y)
    >>> round(scorer(clf, data.X, data.y, sensitive_features=data.groups), 1)
    0.5
    """
    given: dict[str, Any] = {}
    if method != "auto":
        given["method"] = method
    if threat_model is not None:
        given["threat_model"] = threat_model
    return RobustnessScorer(
        metric,
        sign=1 if greater_is_better else -1,
        groups=groups,
        distance_params=given | (distance_params or {}),
        metric_params=metric_params,
    )


rob_scorer = make_robustness_scorer(classifier_robustness)
neg_v_f_scorer = make_robustness_scorer(robustness_variance, greater_is_better=False)
neg_cau_scorer = make_robustness_scorer(class_accuracy_unfairness, greater_is_better=False)
neg_eou_scorer = make_robustness_scorer(equalized_odds_unfairness, greater_is_better=False)

_SCORERS = {
    "neg_cau": neg_cau_scorer,
    "neg_eou": neg_eou_scorer,
    "neg_v_f": neg_v_f_scorer,
    "rob": rob_scorer,
}


def get_scorer_names() -> list[str]:
    """List the names that :func:`get_scorer` knows.

    Returns
    -------
    list of str
        The names, sorted.

    Examples
    --------
    >>> from robfair import get_scorer_names
    >>> get_scorer_names()
    ['neg_cau', 'neg_eou', 'neg_v_f', 'rob']
    """
    return sorted(_SCORERS)


def get_scorer(name: str) -> RobustnessScorer:
    """Get a copy of a scorer by its name.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`.

    Returns
    -------
    RobustnessScorer
        The scorer; greater is better.

    Raises
    ------
    ValueError
        If there is no scorer of that name.

    Examples
    --------
    >>> from robfair import get_scorer
    >>> get_scorer("neg_v_f")
    make_robustness_scorer(robustness_variance, greater_is_better=False)
    """
    try:
        return copy.deepcopy(_SCORERS[name])
    except KeyError:
        raise ValueError(
            f"there is no scorer {name!r}; robfair has {', '.join(get_scorer_names())}."
        ) from None
