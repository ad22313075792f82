"""`DistanceOptions`, what a caller may set beside the method of a distance."""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from robfair._batches import check_batch_size
from robfair._parallel import check_n_jobs

__all__ = ["DistanceOptions"]

# They speak of the data, the machine and the seed, so that they mean the same to every method.
SHARED = ("background", "batch_size", "random_state", "n_jobs")


@dataclass(frozen=True, kw_only=True, eq=False)
class DistanceOptions:
    """Options of a distance computation, checked once.

    The keywords and their defaults are those of :func:`robfair.boundary_distance`, which describes
    them.

    Parameters
    ----------
    budget, time_limit, background, batch_size : Any
        Of every search that has use for it.
    max_iter, overshoot, n_candidates : Any
        Of DeepFool.
    random_state, n_jobs : Any
        Of every search that has use for it.

    Raises
    ------
    TypeError
        If a number of something is not an integer.
    ValueError
        If an option is out of its range; the message names it.

    Examples
    --------
    >>> from robfair.distance import DistanceOptions
    >>> options = DistanceOptions(budget=100, batch_size=256).for_another_method()
    >>> options.batch_size, options.budget
    (256, None)
    """

    budget: int | None = None
    time_limit: float | None = None
    background: Any = None
    batch_size: int | None = None
    max_iter: int = 50
    overshoot: float = 0.001
    n_candidates: int | None = None
    random_state: Any = 0
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_iter", "n_candidates", "budget"):
            value = getattr(self, name)
            if value is not None and operator.index(value) < 1:
                raise ValueError(f"{name} must be at least 1; got {value}.")
        check_n_jobs(self.n_jobs)
        if not 0 < self.overshoot < np.inf:
            raise ValueError(f"overshoot must be a positive number; got {self.overshoot}.")
        if self.time_limit is not None and not self.time_limit > 0:  # not <= 0: NaN is refused, too
            raise ValueError(
                f"time_limit must be a positive number of seconds; got {self.time_limit}."
            )
        check_batch_size(self.batch_size)

    def of_some_methods(self) -> tuple[str, ...]:
        """Name the options that are set and that only some methods have use for.

        Returns
        -------
        tuple of str
            Such as ("budget",); a method that has no use for one of them must refuse it.
        """
        return tuple(
            field.name
            for field in fields(self)
            if field.name not in SHARED and getattr(self, field.name) != field.default
        )

    def for_another_method(self) -> DistanceOptions:
        """Keep the options that mean the same to every method.

        Returns
        -------
        DistanceOptions
            These background, batch_size, random_state and n_jobs; all else at its default.
        """
        return DistanceOptions(**{name: getattr(self, name) for name in SHARED})
