"""Distances and results of attacks, computed once for all scorers of a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from joblib.hashing import NumpyHasher
from numpy.typing import NDArray

from robfair.adapters import as_model
from robfair.attacks import attack, least_eps
from robfair.distance import BoundaryDistance, boundary_distance
from robfair.threat import ThreatModel

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Attacked:
    """What an attack found on each sample, without the adversarial points.

    Attributes
    ----------
    found : ndarray of shape (n_samples,)
        The least eps, or whether the attack succeeded.
    predicted : ndarray of shape (n_samples,)
        Labels that the model predicts for the samples.
    """

    found: NDArray[Any]
    predicted: NDArray[Any]


class _ContentHasher(NumpyHasher):
    """joblib's hash, made to see the values of tensors instead of where they lie in memory."""

    def save(self, obj: Any) -> None:
        """Hash `obj`."""
        if isinstance(obj, torch.Tensor):
            values = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            obj = (type(obj).__name__, str(obj.dtype), tuple(obj.shape), values)
        super().save(obj)


class _RecentResults:
    """The last few computations, by the content that they were computed from."""

    PLACES = 8  # models that a comparison goes through again for another partition
    BYTES = 2**28  # in all; points behind distances take as much memory as X

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: dict[str, Any] = {}

    def get(
        self,
        compute: Callable[..., _Result],
        estimator: Any,
        X: Any,
        y: Any,
        options: dict[str, Any],
    ) -> _Result:
        points = "return_adversarial"
        content = (
            compute.__name__,
            type(estimator),
            as_model(estimator),
            X,
            y,
            sorted((name, value) for name, value in options.items() if name != points),
        )
        try:
            key = _ContentHasher(hash_name="md5").hash(content)
        except Exception:  # something that cannot be pickled has no content to compare
            return compute(estimator, X, y, **options)
        with self.lock:
            value: Any = self.found.pop(key, None)
            # A result with the points serves those who need none, but not the other way round.
            if value is None or (options.get(points) and value.adversarial is None):
                value = compute(estimator, X, y, **options)
                for array in _arrays(value):
                    array.flags.writeable = False  # others will be given the same arrays
            self.found[key] = value  # at the end, as the most recent
            while len(self.found) > self.PLACES or self._bytes() > self.BYTES:
                del self.found[next(iter(self.found))]
            return value  # type: ignore[no-any-return]

    def _bytes(self) -> int:
        return sum(array.nbytes for value in self.found.values() for array in _arrays(value))


def _arrays(value: Any) -> list[NDArray[Any]]:
    return [field for field in vars(value).values() if isinstance(field, np.ndarray)]


_RECENT = _RecentResults()


def _distance(estimator: Any, X: Any, y: Any, **options: Any) -> BoundaryDistance:
    found = boundary_distance(estimator, X, y=y, **options)
    return replace(found, X=None)  # the caller's own array, neither to be kept nor to be frozen


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
    return_adversarial: bool = False,
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
    return_adversarial : bool, default=False
        Whether the points behind the distances are needed; without, they may be there or not.
    **options
        Further options of `boundary_distance`.

    Returns
    -------
    BoundaryDistance
        The distances.
    """
    options |= {
        "method": method,
        "threat_model": threat_model,
        "return_adversarial": return_adversarial,
    }
    return _RECENT.get(_distance, estimator, X, y, options)


def shared_attack(estimator: Any, X: Any, y: Any, options: dict[str, Any]) -> Attacked:
    """Attack the samples, once for all scorers: at ``options["eps"]``, or up to the least eps."""
    return _RECENT.get(_success if "eps" in options else _least_eps, estimator, X, y, options)
