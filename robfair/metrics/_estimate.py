"""Values of measures and their bootstrap intervals, computed from group means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._group_means import GroupMeans
from robfair._warnings import warn
from robfair.exceptions import UndefinedMetricWarning

RandomState = int | np.random.Generator | np.random.RandomState | None


class Estimate(float):
    """A float with an optional bootstrap interval.

    It is a float wherever a float is expected: in arithmetic (which gives plain floats), in
    formatting, in scikit-learn's scorers.

    Parameters
    ----------
    value : float
        The value of the measure on the data.
    interval : tuple of (float, float), default=None
        The lower and the upper end of the interval.

    Attributes
    ----------
    interval : tuple of (float, float) or None
        The ends of the interval; None without a bootstrap.

    Examples
    --------
    >>> from robfair.metrics import Estimate
    >>> Estimate(0.25)
    0.25
    >>> spread = Estimate(0.25, (0.125, 0.5))
    >>> spread
    Estimate(0.25, interval=(0.125, 0.5))
    >>> spread.interval[1], 2 * spread
    (0.5, 0.5)
    """

    __slots__ = ("interval",)

    interval: tuple[float, float] | None

    def __new__(cls, value: float, interval: tuple[float, float] | None = None) -> Estimate:
        self = super().__new__(cls, value)
        self.interval = interval
        return self

    def __repr__(self) -> str:
        if self.interval is None:
            return float.__repr__(self)
        return f"Estimate({float.__repr__(self)}, interval={self.interval!r})"

    # The oldest pickle protocols do not know slots.
    def __reduce__(self) -> tuple[type[Estimate], tuple[float, tuple[float, float] | None]]:
        return type(self), (float(self), self.interval)


@dataclass(frozen=True)
class Resampling:
    """Settings of a bootstrap: number of replicates, quantiles and generator."""

    n_boot: int
    ci_quantiles: tuple[float, float]
    generator: np.random.Generator

    def quantiles(self, replicates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the quantiles over the first axis, NaN where a replicate is NaN."""
        return np.quantile(replicates, self.ci_quantiles, axis=0)


def check_resampling(
    n_boot: Any, ci_quantiles: tuple[float, ...], random_state: RandomState
) -> Resampling | None:
    """Check the bootstrap arguments; return None without a bootstrap."""
    quantiles = tuple(float(q) for q in ci_quantiles)
    if len(quantiles) != 2 or not 0 <= quantiles[0] < quantiles[1] <= 1:
        raise ValueError(
            "ci_quantiles must be two increasing numbers in [0, 1]; got "
            f"{ci_quantiles!r}. For a 95 % interval pass (0.025, 0.975)."
        )
    if n_boot is None:
        return None
    if not isinstance(n_boot, int | np.integer) or n_boot < 1:
        raise ValueError(
            f"n_boot must be a whole number of at least 1; got {n_boot!r}. Pass 1000 or so for an "
            "interval, or None for none."
        )
    return Resampling(int(n_boot), (quantiles[0], quantiles[1]), _generator(random_state))


def _generator(random_state: Any) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        # Draw from the given state, so that two calls with it differ, as in scikit-learn.
        return np.random.default_rng(random_state.randint(2**31, size=4).tolist())
    if random_state is None or isinstance(random_state, int | np.integer | np.random.Generator):
        return np.random.default_rng(random_state)
    raise TypeError(
        "random_state must be None, an int, a numpy Generator or a numpy RandomState; got "
        f"{random_state!r}."
    )


def estimate(
    measure: str,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    sample: GroupMeans,
    resampling: Resampling | None,
    *,
    min_groups: int = 2,
    offsets: tuple[float, float] = (0.0, 0.0),
) -> Estimate:
    """Reduce group means to a measure and, if asked for, its percentile bootstrap interval.

    `statistic` maps means of shape (n, n_groups, ...) to n values; `offsets` are added to the value
    and to the replicates. NaN, with a warning, if the measure is undefined or of too few groups.
    """
    value = float("nan")
    if not warn_undefined(measure, sample, min_groups):
        # The data count as one replicate.
        value = float(statistic(sample.mean[np.newaxis])[0]) + offsets[0]
    if resampling is None:
        return Estimate(value)
    if np.isnan(value):
        return Estimate(value, (value, value))
    replicates = statistic(sample.replicates(resampling.n_boot, resampling.generator))
    n_undefined = int(np.isnan(replicates).sum())
    if n_undefined:
        warn(
            f"The interval of {measure} is undefined, because {measure} is undefined in "
            f"{n_undefined} of {resampling.n_boot} bootstrap samples: it rests on too few samples.",
            UndefinedMetricWarning,
        )
    low, high = resampling.quantiles(replicates + offsets[1])
    return Estimate(value, (float(low), float(high)))


def warn_undefined(measure: str, sample: GroupMeans, min_groups: int) -> bool:
    """Warn and return True if there are too few groups or empty ones."""
    empty = [repr(label) for label in sample.labels[sample.count == 0]]
    if len(sample.labels) < min_groups:
        only = next(iter(sample.labels))
        reason = f"it compares groups, and there is only one ({only!r}). Use data of two or more"
    elif empty:
        names = ", ".join(empty[:5]) + (", ..." if len(empty) > 5 else "")
        reason = (
            f"{len(empty)} of {len(sample.labels)} groups have no samples: {names}. Use data that "
            "hold all of them, or a coarser partition"
        )
    else:
        return False
    warn(f"{measure} is undefined and NaN is returned: {reason}.", UndefinedMetricWarning)
    return True
