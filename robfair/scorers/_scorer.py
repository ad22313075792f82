"""Scorers made from measures: each passes what the signature of its measure names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from sklearn.utils.metadata_routing import MetadataRequest

from robfair._alignment import check_aligned
from robfair._cache import shared_attack, shared_distance
from robfair._names import DistanceMethod
from robfair._text import did_you_mean
from robfair._warnings import each_once, warn
from robfair.adapters import left_as_found
from robfair.exceptions import GroupsWarning
from robfair.scorers._columns import check_source, find_column, shown
from robfair.scorers._together import told_on_this_fold
from robfair.threat import ThreatModel

_NO_GROUPS = """{name} needs the group of each sample, and got none. Either
(1) turn on metadata routing, sklearn.set_config(enable_metadata_routing=True), and pass
    sensitive_features= to fit of the search, or params={{"sensitive_features": ...}} to
    cross_validate; or
(2) bind the scorer to a column of X, make_robustness_scorer({metric}, groups="race"), or to a
    function of X; or
(3) bind it to a pandas Series that has the index of X, groups=series."""

_CLASSES = (
    "{name} got no groups, so the classes are compared, or what else is the default of its metric. "
    "Pass sensitive_features=; in GridSearchCV or cross_validate it arrives only with metadata "
    "routing on (sklearn.set_config(enable_metadata_routing=True)). "
    ".set_score_request(sensitive_features=False) says that classes are meant."
)

_ONE_NUMBER = (
    "A scorer returns one number, and {what}. Pass standardize_by=, or make a scorer of each value "
    "from a function that selects its rows."
)

# Arguments of the metric that the scorer supplies, and where they come from.
_SUPPLIED = {
    "distance": "Pass method=, threat_model= or distance_params=.",
    "success": "Pass attack_params=.",
    "least_eps": "Pass attack_params=.",
    "sensitive_features": "Pass groups=, or leave them to metadata routing.",
}

# Option of an attack -> the argument of the metric that is its result.
_RESULTS = {"eps": "success", "eps_max": "least_eps"}


class RobustnessScorer:
    """A measure as a scorer; made by :func:`make_robustness_scorer`.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, *, distance=..., sensitive_features=...)``. It receives what its
        signature names, and the probabilities of the classes if its second parameter is
        ``y_proba``. Groups are optional if ``sensitive_features`` has a default.
    sign : {1, -1}
        -1 for a loss.
    groups : str, int, callable, pandas.Series or None
        Source of the groups without metadata routing.
    threat_model : ThreatModel or None
        Norm, box and mutable features, of the distance and of the attack.
    distance_params : dict
        Options of `boundary_distance`.
    attack_params : dict
        Options of an attack, `eps` or `eps_max` among them.
    metric_params : dict
        Further keywords of the metric.
    """

    def __init__(
        self,
        metric: Callable[..., float],
        *,
        sign: int,
        groups: Any,
        threat_model: ThreatModel | None,
        distance_params: dict[str, Any],
        attack_params: dict[str, Any],
        metric_params: dict[str, Any],
    ) -> None:
        self.metric = metric
        self.sign = sign
        self.groups = groups
        self.threat_model = threat_model
        self.distance_params = distance_params
        self.attack_params = attack_params
        self.metric_params = metric_params
        self._alias: bool | str = True  # request sensitive_features by this name
        parameters = inspect.signature(metric).parameters
        names = list(parameters)
        self._needs_distance = "distance" in names
        self._needs_attack = self._check_attack(names)
        self._takes_groups = "sensitive_features" in names
        # CRU takes groups, but does without.
        self._needs_groups = self._takes_groups and (
            parameters["sensitive_features"].default is inspect.Parameter.empty
        )
        self._needs_proba = names[1:2] == ["y_proba"]
        self._needs_labels = self._needs_proba and "labels" in names  # a fold may lack a class
        if groups is not None:
            check_source(groups, "groups")
        self._check_metric_params(parameters)

    def _check_attack(self, names: list[str]) -> str | None:
        """Return the result of an attack that the metric takes, if any."""
        metric = _name(self.metric)
        takes = [name for name in _RESULTS.values() if name in names]
        given = [name for name in _RESULTS if name in self.attack_params]
        if not takes and not self.attack_params:
            return None
        if len(given) != 1 or _RESULTS[given[0]] not in takes:
            options = [f'{{"{name}": ...}}' for name, result in _RESULTS.items() if result in takes]
            raise TypeError(
                f"{metric} takes {' or '.join(takes) or 'no result of an attack'}, and got "
                f"attack_params={self.attack_params!r}. "
                + (f"Pass attack_params={' or '.join(options)}." if options else "Leave them out.")
            )
        if self.distance_params and not self._needs_distance:
            raise TypeError(
                f"method= and distance_params= are options of distances, which {metric} does not "
                "take. Options of the attack, its method among them, go into attack_params=."
            )
        return _RESULTS[given[0]]

    def __call__(self, estimator: Any, X: Any, y: Any, *, sensitive_features: Any = None) -> float:
        """Score `estimator` on the samples X with labels y."""
        told = told_on_this_fold(estimator, X)
        with each_once(told):
            name = str(self) if told is None else "A scorer"
            return self._evaluate(estimator, X, y, sensitive_features, name)

    def _evaluate(
        self, estimator: Any, X: Any, y: Any, sensitive_features: Any, name: str
    ) -> float:
        """Return the score; `name` is what warnings call the scorer."""
        check_aligned(X=X, y=y, sensitive_features=sensitive_features)
        params = dict(self.metric_params)
        strata = params.get("standardize_by")
        if strata is not None and not (isinstance(strata, str) and strata == "y_true"):
            params["standardize_by"] = find_column(strata, X, "standardize_by")
        response: Any
        if self._takes_groups:
            groups = self._find_groups(X, sensitive_features)
            if groups is not None:
                params["sensitive_features"] = groups
            elif self._alias is not False:
                warn(_CLASSES.format(name=name), GroupsWarning)
        groups = params.get("sensitive_features")  # the columns of which stay as they are
        if self._needs_attack:
            options = {"threat_model": self.threat_model, **self.attack_params}
            attacked = shared_attack(estimator, X, y, options, groups)
            params[self._needs_attack] = attacked.result
            response = attacked.predicted  # the attack predicted them anyway
        if self._needs_distance:
            options = {"threat_model": self.threat_model, **self.distance_params}
            distances = shared_distance(estimator, X, y, sensitive_features=groups, **options)
            params["distance"] = distances.distance
            response = distances.predicted
        elif self._needs_proba:
            with left_as_found(estimator):
                response = estimator.predict_proba(X)
            if self._needs_labels:
                params.setdefault("labels", estimator.classes_)  # metric_params come first
        elif not self._needs_attack:
            with left_as_found(estimator):
                response = estimator.predict(X)
        value: Any = self.metric(y, response, **params)
        if isinstance(value, pd.Series | pd.DataFrame):
            raise TypeError(_ONE_NUMBER.format(what=f"{_name(self.metric)} gave {len(value)}"))
        return self.sign * float(value)

    def _find_groups(self, X: Any, given: Any) -> Any:
        if self.groups is None:
            if given is None and self._needs_groups:
                raise ValueError(_NO_GROUPS.format(name=self, metric=_name(self.metric)))
            return given
        if given is not None:
            raise ValueError(
                f"{self} is bound to groups={shown(self.groups)} and was also passed "
                "sensitive_features: use one of them."
            )
        return find_column(self.groups, X, "groups")

    def _check_metric_params(self, parameters: Mapping[str, inspect.Parameter]) -> None:
        """Raise TypeError for a keyword that the metric does not take, or the scorer supplies."""
        if "control_features" in self.metric_params:
            raise TypeError(_ONE_NUMBER.format(what="control_features= gives a number by value"))
        any_name = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        for name in self.metric_params:
            if name in _SUPPLIED:
                raise TypeError(f"{name} is passed by the scorer. {_SUPPLIED[name]}")
            if not any_name and name not in parameters:
                raise TypeError(
                    f"{_name(self.metric)} takes no {name}=. "
                    f"{did_you_mean(name, [p for p in list(parameters)[2:] if p not in _SUPPLIED])}"
                )
        if (by := self.metric_params.get("standardize_by")) is not None:
            check_source(by, "standardize_by")

    # The protocol of scikit-learn's scorers.

    def get_metadata_routing(self) -> MetadataRequest:
        """Request `sensitive_features` from scikit-learn, unless groups are bound.

        Returns
        -------
        MetadataRequest
            The request.
        """
        request = MetadataRequest(owner=type(self).__name__)
        if self._takes_groups and self.groups is None:
            request.score.add_request(param="sensitive_features", alias=self._alias)
        return request

    def set_score_request(self, *, sensitive_features: bool | str) -> RobustnessScorer:
        """Change the name under which groups are requested, in place.

        Parameters
        ----------
        sensitive_features : bool or str
            Name to request in place of "sensitive_features"; False requests none, and says of a
            metric that does without groups that its classes are meant.

        Returns
        -------
        RobustnessScorer
            The scorer itself. :func:`robfair.get_scorer` gives a copy that can be changed freely.
        """
        self._alias = sensitive_features
        return self

    # Scikit-learn asks before it passes sample weights.
    def _accept_sample_weight(self) -> bool:
        return False

    def __repr__(self) -> str:
        parts = [_name(self.metric)]
        if self.sign < 0:
            parts.append("greater_is_better=False")
        if self.groups is not None:
            parts.append(f"groups={shown(self.groups)}")
        others = dict(self.distance_params)  # a copy, to take the method out
        options = {
            "method": others.pop("method", None),
            "threat_model": self.threat_model,
            "distance_params": others,
            "attack_params": self.attack_params,
        }
        given = {name: value for name, value in options.items() if value} | self.metric_params
        parts += [f"{name}={shown(value)}" for name, value in given.items()]
        return f"make_robustness_scorer({', '.join(parts)})"


def _name(metric: Callable[..., float]) -> str:
    return getattr(metric, "__name__", repr(metric))


def make_robustness_scorer(
    metric: Callable[..., float],
    *,
    greater_is_better: bool = True,
    groups: Any = None,
    method: DistanceMethod = "auto",
    threat_model: ThreatModel | None = None,
    distance_params: dict[str, Any] | None = None,
    attack_params: dict[str, Any] | None = None,
    **metric_params: Any,
) -> RobustnessScorer:
    """Make a scorer from a measure of :mod:`robfair.metrics`, or one of your own.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred, *, ...)``. It receives what its signature names: as ``distance``
        the distances to the decision boundary, as ``success`` or ``least_eps`` the results of an
        attack, as ``sensitive_features`` the groups. If its second parameter is ``y_proba``, it
        receives probabilities in place of labels.
    greater_is_better : bool, default=True
        False for a loss: the scorer then returns its negative.
    groups : str, int, callable, pandas.Series or None, default=None
        Source of the groups without metadata routing: a column of X by name or number, a function
        of X, or a Series looked up by the index of X. X is what enters the estimator. None:
        metadata routing supplies them.
    method : str, default="auto"
        Method of `boundary_distance`.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features, of the distance (None: L2) or the attack (None: L-inf). None
        for a table: see `boundary_distance`; a scorer that gets groups holds their columns.
    distance_params : dict, default=None
        Further options of `boundary_distance`.
    attack_params : dict, default=None
        Options of the attack, for a metric that takes its results. With ``{"eps": ...}`` they are
        those of :func:`robfair.attacks.attack` at that eps, and the metric is passed ``success``.
        With ``{"eps_max": ...}`` they are those of :func:`robfair.attacks.least_eps`, and the
        metric is passed ``least_eps``.
    **metric_params
        Further keywords of the metric, such as ``tau_max=`` and ``eps_max=``, which keep the score
        finite if no attack succeeds. ``standardize_by=`` is ``"y_true"``, the true labels, or found
        in X as `groups` are. ``control_features=`` is refused: it gives more than one number.

    Returns
    -------
    RobustnessScorer
        ``scorer(estimator, X, y, *, sensitive_features=None)``, a float.

    Raises
    ------
    TypeError
        If groups or standardize_by has a wrong type, or the metric does not take what the options
        are for.

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

    The variance of Rob(P), as if every group had the same share of each label:

    >>> from robfair.metrics import robustness_variance
    >>> scorer = make_robustness_scorer(
    ...     robustness_variance, greater_is_better=False, standardize_by="y_true")
    >>> scorer(clf, data.X, data.y, sensitive_features=data.groups) < 0
    True

    The success of an attack with an eps in the units of the features. The boundary is at 0, so an
    eps of 1.5 fools half of the first class and all of the second:

    >>> from robfair.metrics import class_robustness_unfairness
    >>> scorer = make_robustness_scorer(
    ...     class_robustness_unfairness, greater_is_better=False, attack_params={"eps": 1.5})
    >>> scorer = scorer.set_score_request(sensitive_features=False)  # the classes are the groups
    >>> X, y = [[-3.0], [-1.0], [1.0], [1.2]], [0, 0, 1, 1]
    >>> scorer(LogisticRegression(C=1e4).fit(X, y), X, y)
    -0.5
    """
    given = {} if method == "auto" else {"method": method}
    return RobustnessScorer(
        metric,
        sign=1 if greater_is_better else -1,
        groups=groups,
        threat_model=threat_model,
        distance_params=given | (distance_params or {}),
        attack_params=attack_params or {},
        metric_params=metric_params,
    )
