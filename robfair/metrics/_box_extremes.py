"""The least and the greatest spread of numbers that are only known to lie in intervals.

The intervals form a box. Both measures of spread are, for a point r of the box, the minimum over a
centre c of a weighted mean square distance from that centre,

    x(r) = min over c of weight(c) * mean of (r_i - c)^2,

with weight 1 for the variance (the best c is the mean) and 1 / c^2 for CV, where x is
CV^2 / (1 + CV^2) (the best c is the sum of squares divided by the sum).

The *least* x over the box is again a minimum over c, since the two minima can be exchanged: every
r_i is then the point of its interval nearest to c. The remaining function of c is smooth between
two ends of intervals, so its minimum is at an end or at a stationary point between two ends.

The *greatest* x is at a vertex of the box, and finding that vertex is NP-hard. Moving every r_i to
the end farthest from c gives a function of c whose minimum is the greatest x or slightly more. The
excess is 0 unless the midpoint of some interval is at the best c. Fixing that number at one end and
then at the other closes the gap: branch and bound.

Few branches are needed, since many vertices can be skipped. If interval j lies at least as high as
interval i at both ends, some best vertex never has i up and j down: if both choices are better
than changing one of the two, then (i down, j up) is as good. So if no interval lies inside another,
only n + 1 vertices remain for n intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robfair.metrics._interval_gini import gini, rank_weights

Array = NDArray[np.float64]

# Limit on the nodes of the search: enough to visit every vertex of 10 intervals.
_NODE_LIMIT = 2048
# A node is not split if that could lower the result by at most this fraction.
_TOLERANCE = 1e-9
# Ends below this fraction of the largest do not change CV, and their squares might underflow.
_NOTHING = 1e-100


@dataclass(frozen=True)
class _Spread:
    """A measure x(r) by its weight and its best centre (from the count, sum, sum of squares)."""

    centre: Callable[[Array, Array, Array], Array]
    weight: Callable[[float], float]

    def around(self, c: float, r: Array) -> float:
        """Return the weighted mean square distance of r from c."""
        # Not sum of squares less square of sum, which cancels.
        return float(((r - c) ** 2).mean() * self.weight(c))

    def of(self, r: Array) -> float:
        """Return x(r)."""
        c = self.centre(np.array(len(r)), r.sum(), (r**2).sum())
        return self.around(float(c), r)


_VARIANCE = _Spread(lambda n, total, squares: total / n, lambda c: 1.0)
_RELATIVE = _Spread(lambda n, total, squares: squares / total, lambda c: 1.0 / c**2)


def variance_extremes(low: Array, high: Array) -> tuple[float, float]:
    """Return the least and the greatest variance (ddof=0) of numbers in intervals; NaN of one.

    `low` and `high`, of shape (n,), are the ends, 0 <= low <= high; an infinite end means
    unbounded. The greatest may be too high if the search reached its limit, by at most (w/2n)^2
    for a widest interval of width w.
    """
    if len(low) < 2:
        return np.nan, np.nan
    if np.isinf(low).any():
        # All can be equal, far away.
        least = 0.0 if np.isinf(high).all() else np.inf
    else:
        least = _least(low, high, _VARIANCE)
    return least, np.inf if np.isinf(high).any() else _greatest(low, high, _VARIANCE)


def dispersion_extremes(low: Array, high: Array) -> tuple[float, float]:
    """Return the least and the greatest CV of numbers in intervals, if not all are 0.

    The ends are as in `variance_extremes`; NaN if all numbers must be 0, or of one. CV is
    at most sqrt(n - 1): reached if all but one are 0, approached as one number grows.
    """
    if len(low) < 2 or not high.any():
        return np.nan, np.nan
    ends = np.array([low, high])
    # Or 1: all positive ends may be infinite.
    scale = ends[np.isfinite(ends)].max(initial=0.0) or 1.0
    # CV does not depend on the scale. Negligible ends would only underflow when squared.
    low, high = np.where(ends < _NOTHING * scale, 0.0, ends / scale)
    if np.isinf(low).any():
        least = float(np.isfinite(high).mean())  # negligible beside the infinite ones
    elif not low.any():
        least = float((high == 0).mean())  # the others can be equal
    else:
        least = _least(low, high, _RELATIVE)
    if np.isinf(high).any() or not low.any():
        greatest = 1 - 1 / len(low)
    else:
        greatest = _greatest(low, high, _RELATIVE)
    return float(np.sqrt(least / (1 - least))), float(np.sqrt(greatest / (1 - greatest)))


def gap_extremes(low: Array, high: Array) -> tuple[float, float]:
    """Return the least and the greatest max - min of numbers in intervals; NaN of one."""
    if len(low) < 2:
        return np.nan, np.nan
    # The difference of two infinite ends would be NaN.
    least = 0.0 if np.isinf(high).all() else max(0.0, low.max() - high.min())
    if np.isinf(high).any():
        return least, np.inf
    apart = high[:, np.newaxis] - low
    np.fill_diagonal(apart, -np.inf)  # one group cannot be at both of its ends
    return least, float(apart.max())


def ratio_extremes(low: Array, high: Array) -> tuple[float, float]:
    """Return the least and the greatest min / max of numbers in intervals, if not all are 0.

    The ends are as in `variance_extremes`; NaN if all numbers must be 0, or of one.
    """
    if len(low) < 2 or not high.any():
        return np.nan, np.nan
    # All can be equal, or the lowest at its upper end stands against the highest at its lower end.
    lowest, highest = high.min(), low.max()
    greatest = float(lowest / highest) if lowest < highest else float(lowest > 0)
    if np.isinf(high).any():
        return 0.0, greatest  # approached, as one number grows
    apart = low / np.where(high > 0, high, np.inf)[:, np.newaxis]
    np.fill_diagonal(apart, 1.0)  # one group cannot be at both of its ends
    return float(apart.min()), greatest


def gini_extremes(low: Array, high: Array) -> tuple[float, float]:
    """Return the least and the greatest Gini coefficient of numbers in intervals, if not all are 0.

    The ends are as in `variance_extremes`; NaN if all numbers must be 0, or of one. It is at most
    1 - 1/n: reached if all but one are 0, approached as one number grows.
    """
    if len(low) < 2 or not high.any():
        return np.nan, np.nan
    if np.isinf(low).any():
        least = float(np.isfinite(high).mean())  # negligible beside the infinite ones
    elif not low.any():
        least = float((high == 0).mean())  # the others can be equal
    else:
        # As equal as can be around a level, which is an end: between two ends nothing turns.
        level = np.concatenate([low, high[np.isfinite(high)]])[:, np.newaxis].clip(low, high)
        least = float(gini(level).min())
    if np.isinf(high).any() or not low.any():
        return least, 1 - 1 / len(low)
    return least, _greatest_gini(low, high)


def _greatest_gini(low: Array, high: Array) -> float:
    """Return the greatest Gini coefficient, exactly.

    A coefficient above g means that a sum weighted by ranks, less g times the sum, is positive. The
    sorted order has the greatest such sum of all orders, so that its greatest value is an
    assignment of the numbers, each at its better end, to the ranks. Its solution gives the next g.
    """
    from scipy.optimize import linear_sum_assignment  # whose import takes as long as all the rest

    weights = rank_weights(len(low))
    best = float(gini(high))
    while True:
        terms = weights - best
        sums = np.maximum(low[:, np.newaxis] * terms, high[:, np.newaxis] * terms)
        _, rank = linear_sum_assignment(sums, maximize=True)
        value = float(gini(np.where(terms[rank] > 0, high, low)))
        if value <= best:
            return best
        best = value


def _least(low: Array, high: Array, spread: _Spread) -> float:
    ends = np.concatenate([low, high[np.isfinite(high)]])
    order = np.argsort(ends)
    ends, is_high = ends[order], (order >= len(low)).astype(float)
    # The numbers held at an end: at upper ends left of the centre, at lower ends right of it.
    off = [_split_sums(ends**power * is_high, ends**power * (1 - is_high)) for power in range(3)]
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing does
        c = _lowest_point(ends, spread.centre(*off))
    return spread.around(c, np.clip(c, low, high))


def _greatest(low: Array, high: Array, spread: _Spread) -> float:
    order = np.lexsort((high, low))
    low, high = low[order], high[order]
    # True where the row's interval lies no higher than the column's; of equal ones, the earlier.
    below = np.triu(high[:, np.newaxis] <= high)
    root = _Node.of(low, high, spread)
    best = closed = root.value
    open_nodes, n_nodes = [root], 1
    while open_nodes and n_nodes < _NODE_LIMIT:
        node = open_nodes.pop()
        if node.bound <= best * (1 + _TOLERANCE):
            closed = max(closed, node.bound)
            continue
        down = np.where(below[:, node.branch], node.low, node.high)
        up = np.where(below[node.branch], node.high, node.low)
        children = [_Node.of(node.low, down, spread), _Node.of(up, node.high, spread)]
        best = max(best, *(child.value for child in children))
        # Depth first: of equal bounds, the child that has the better vertex.
        open_nodes += sorted(children, key=lambda child: (child.bound, child.value))
        n_nodes += 2
    return max([best, closed, *(node.bound for node in open_nodes)])


@dataclass(frozen=True)
class _Node:
    """A part of the box: a bound on x in it, x at a vertex of it, and the number to fix next."""

    low: Array
    high: Array
    bound: float
    value: float
    branch: int

    @classmethod
    def of(cls, low: Array, high: Array, spread: _Spread) -> _Node:
        middle = (low + high) / 2
        order = np.argsort(middle)
        # The ends farthest from a centre: the lower ones to its left, the upper ones to its right.
        far = [_split_sums(low[order] ** power, high[order] ** power) for power in range(3)]
        c = _lowest_point(middle[order], spread.centre(*far))
        farthest = np.where(middle > c, high, low)
        # Fix the number whose end is most in doubt; of equal ones, the one of the widest interval.
        doubt = np.where(low < high, abs(middle - c), np.inf)
        branch = int(np.lexsort((low - high, doubt))[0])
        vertices = np.array([farthest, farthest])
        vertices[:, branch] = low[branch], high[branch]
        value = max(spread.of(vertex) for vertex in vertices)
        # Where nothing is left to fix, the bound is the value but for rounding.
        bound = spread.around(c, farthest) if np.isfinite(doubt).any() else value
        return cls(low, high, bound, value, branch)


def _split_sums(first: Array, last: Array) -> Array:
    """Return, for k = 0 ... n, the sum of the first k values of `first` and the rest of `last`."""
    zero = np.zeros(1)
    leading, trailing = first.cumsum(), last[::-1].cumsum()[::-1]
    return np.asarray(np.concatenate([zero, leading]) + np.concatenate([trailing, zero]))


def _lowest_point(breaks: Array, stationary: Array) -> float:
    """Find the minimum of a function that falls and then rises, and is smooth between breaks.

    Between break k - 1 and break k it falls up to ``stationary[k]`` and then rises; it is constant
    where that is NaN.
    """
    falls_beyond = stationary[1:] > breaks
    k = len(breaks) if falls_beyond.all() else int(falls_beyond.argmin())
    return float(stationary[k] if k == len(breaks) else np.fmin(stationary[k], breaks[k]))
