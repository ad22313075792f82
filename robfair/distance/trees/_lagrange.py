"""A lower bound of the L2 distance that prices the margin.

The squared cost of each group is divided among the trees that ask something of it, with weights
that sum to 1, and the margin is given a price. Each tree then chooses a leaf of its own, and the
sum of their costs, less what the margin is worth, is never above the squared distance, whatever
weights and price. These are improved in multiplicative steps. With the same weights there is such a
bound for every box inside, which the search orders its boxes by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robfair.distance._arrays import Array, adder, ranges
from robfair.distance.trees._pool import Pool

__all__ = ["Prices", "lagrange_prices"]

STEPS = 80  # 200 raise the bounds on Adult by less than 1 %
FIRST, LAST = 0.5, 0.02  # sizes of a step, in logarithms


@dataclass(frozen=True)
class Prices:
    """The best weights and prices of some rows.

    `bound` is the lower bound of each row, `weight` the share of its group that a tree pays for
    each entry, and `price` that of the margin of each row.
    """

    bound: Array
    weight: Array
    price: Array


def lagrange_prices(pool: Pool, radius: Array, sure: float) -> Prices:
    """Return lower bounds of the distances of the rows of an L2 pool, up to a radius of each.

    The pool has to hold all leaves within the radius. A margin of ``-sure`` may be flipped already.
    """
    n, n_groups, base = len(pool), len(pool.compiled.groups), pool.base + sure
    if not len(pool.pair):
        return Prices(np.where(base >= 0, 0.0, radius), np.zeros(0), np.zeros(n))
    terms = pool.terms
    cost = pool.costs.of_condition[pool.rows[terms.row], terms.condition]
    size = (np.minimum(cost, radius[terms.row] * 2) ** 2)[pool.term]
    n_entries = np.diff(np.append(pool.entry_start, len(pool.pair)))
    # A share of each group for each tree that asks something of it.
    tree = pool.tree_of[pool.pair]
    keys, share = np.unique(tree * n_groups + terms.group[pool.term], return_inverse=True)
    share = share.ravel().astype(np.int32)
    row_of = pool.tree_row[keys // n_groups]
    whole = np.unique(row_of * n_groups + keys % n_groups, return_inverse=True)[1].ravel()
    weight = 1 / np.bincount(whole)[whole]
    own, _ = pool.margins(pool.own)
    gap = np.maximum(-own, 1e-9)
    shares = adder(share, pool.entry_start, len(keys), size)
    price = radius**2 / gap
    best, kept_price, kept_weight = np.zeros(n), price, weight
    for step in np.geomspace(FIRST, LAST, STEPS):
        paid = shares @ weight
        value = paid - price[pool.row] * pool.value
        least = np.minimum.reduceat(value, pool.start)
        bound = np.bincount(pool.tree_row, least, n) - price * base
        better = bound > best
        best, kept_price = np.maximum(best, bound), np.where(better, price, kept_price)
        kept_weight = np.where(better[row_of], weight, kept_weight)
        chosen = value == least[pool.tree_of]
        margin = base + np.bincount(
            pool.tree_row, np.maximum.reduceat(np.where(chosen, pool.value, -np.inf), pool.start), n
        )
        slope = np.zeros(len(keys))
        e = ranges(pool.entry_start[chosen], n_entries[chosen])
        slope[share[e]] = size[e]
        most = np.zeros(whole.max() + 1)
        np.maximum.at(most, whole, slope)
        weight = weight * np.exp(step * slope / np.maximum(most, 1e-300)[whole])
        weight /= np.bincount(whole, weight)[whole]
        price = price * np.exp(-step * np.clip(margin / gap, -1, 1))
    bound = np.minimum(np.sqrt(best) * (1 - 1e-9), radius)
    return Prices(bound, kept_weight[share], kept_price)
