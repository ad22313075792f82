"""The last few distances and attacks, so that scorers, displays and audits share them.

A result is found again by the content of model, samples, labels and options, not by identity: a
model that was trained further, a class that was edited, or an array that was written to, is another
one. What cannot be known in whole is computed each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from robfair._content import content_hash
from robfair._default_threat import default_threat_model
from robfair.adapters import as_model
from robfair.attacks import attack, least_eps
from robfair.distance import BoundaryDistance, DistanceOptions, measure_distance
from robfair.threat import ThreatModel

_Result = TypeVar("_Result")
# What a result does not depend on, apart from the points being there or not.
ASIDE = ("return_adversarial", "verbose")


@dataclass(frozen=True, eq=False)
class Attacked:
    """Result of an attack for each sample, without the adversarial points."""

    result: NDArray[Any]  # the least eps, or whether the attack succeeded
    predicted: NDArray[Any]  # labels, without a perturbation


class _RecentResults:
    """The last few computations, by the content that they were computed from."""

    PLACES = 8  # `compare` goes through its models again for each partition; eight are many
    BYTES = 2**28  # in all; the points behind distances take as much memory as X

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a model may ask for distances, too
        self.results: dict[str, Any] = {}

    def get(
        self, compute: Callable[..., _Result], estimator: Any, X: Any, y: Any, **options: Any
    ) -> _Result:
        """Return the result of the same content, or compute it."""
        counting = sorted((name, value) for name, value in options.items() if name not in ASIDE)
        key = result_key(estimator, compute.__name__, X, y, counting)
        if key is None:
            return compute(estimator, X, y, **options)
        with self.lock:  # held while it computes: an equal call waits instead of computing too
            value: Any = self.results.pop(key, None)
            # A result with points serves a call that needs none, but not the reverse.
            if value is None or (options.get("return_adversarial") and value.adversarial is None):
                value = compute(estimator, X, y, **options)
                for array in _arrays(value):
                    array.flags.writeable = False  # others will be given the same arrays
            self.results[key] = value  # at the end: the first one is the oldest
            while len(self.results) > self.PLACES or self._bytes() > self.BYTES:
                del self.results[next(iter(self.results))]
            return value  # type: ignore[no-any-return]

    def _bytes(self) -> int:
        return sum(array.nbytes for value in self.results.values() for array in _arrays(value))


def result_key(estimator: Any, *others: Any) -> str | None:
    """Return what tells a computation from others: a hash of the content of model and arguments.

    None if that cannot be known, so that nothing is to be kept.
    """
    model = _identity(estimator), as_model(estimator)
    try:
        return content_hash((model, others), may_vary=False)
    except Exception:  # what cannot be pickled has no content to compare
        return None


def _identity(estimator: Any) -> Any:
    """Return what tells an estimator from others, beside the model that is made of it."""
    if type(estimator).__module__.partition(".")[0] != __name__.partition(".")[0]:
        return estimator  # whatever it predicts by
    own = vars(estimator).items()
    # The network is all of it, unless somebody has replaced a method.
    return type(estimator), {n: v for n, v in own if hasattr(type(estimator), n)}


def _arrays(value: Any) -> list[NDArray[Any]]:
    return [field for field in vars(value).values() if isinstance(field, np.ndarray)]


_RECENT = _RecentResults()


def _distance(estimator: Any, X: Any, y: Any, **arguments: Any) -> BoundaryDistance:
    result = measure_distance(estimator, X, y, **arguments)
    return replace(result, X=None)  # the caller's own array, neither to be kept nor to be frozen


def _success(estimator: Any, X: Any, y: Any, **options: Any) -> Attacked:
    result = attack(estimator, X, y, **options)
    return Attacked(result.success, result.predicted)


def _least_eps(estimator: Any, X: Any, y: Any, **options: Any) -> Attacked:
    result = least_eps(estimator, X, y, **options)
    return Attacked(result.eps, result.predicted)


def shared_distance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    method: str = "auto",
    threat_model: ThreatModel | None = None,
    certify: bool = False,
    options: DistanceOptions | None = None,
    sensitive_features: Any = None,
    return_adversarial: bool = False,
    verbose: int | None = 0,
    **keywords: Any,
) -> BoundaryDistance:
    """Compute the distances of the correctly classified samples, or return those of an equal call.

    Arguments and errors are those of `measure_distance`; `keywords` are single options, in place of
    those in `options`. Without `return_adversarial` the points may be there or not. The columns of
    `sensitive_features` stay as they are, unless a threat model says otherwise.
    """
    options = replace(options or DistanceOptions(), **keywords)
    if threat_model is None:
        threat_model = default_threat_model(
            estimator,
            X,
            background=options.background,
            sensitive_features=sensitive_features,
        )
    return _RECENT.get(
        _distance,
        estimator,
        X,
        y,
        method=method,
        threat_model=threat_model,
        certify=certify,
        options=options,
        return_adversarial=return_adversarial,
        verbose=verbose,
    )


def shared_attack(
    estimator: Any, X: Any, y: Any, options: dict[str, Any], sensitive_features: Any = None
) -> Attacked:
    """Attack the samples, or return the result of an equal call.

    `options` are keywords of `attack` if ``"eps"`` is one of them, else of `least_eps`; errors are
    theirs. `sensitive_features` are as for `shared_distance`.
    """
    if options.get("threat_model") is None:
        threat_model = default_threat_model(
            estimator, X, norm=np.inf, sensitive_features=sensitive_features
        )
        options = {**options, "threat_model": threat_model}
    return _RECENT.get(_success if "eps" in options else _least_eps, estimator, X, y, **options)
