"""The search for subgroups on one half of the rows, and the choice of those that are tested.

All conjunctions are compared with their rest at once: the sums of value, square and cube over each
are products of matrices. What the search finds says nothing by itself, since it looks at thousands:
the other half decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robfair.auditing._conditions import Conditions
from robfair.auditing._contrast import Contrast, Moments

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Chosen = tuple[int, ...]  # positions of conditions

# Set by benchmarks/bench_discovery.py.
MOST = 10  # subgroups that are tested: each takes power from the others
LEVEL = 0.05  # p-value in the search, above which nothing is tested
RANKED = 500  # conjunctions of each length that are looked at one by one
BEAM = 100  # conjunctions that a third condition is added to
COMPARED = 10  # rows outside of a subgroup for each of its strata
BLOCK, ROWS = 256, 16384  # conjunctions and rows in one product of matrices


@dataclass(frozen=True, eq=False)
class Half:
    """Rows with a value each, and the stratum, such as the true label, that it is compared in."""

    values: Floats
    strata: Codes
    conditions: Conditions

    def residuals(self) -> Floats:
        """Take the mean of its stratum from each value."""
        means = np.bincount(self.strata, self.values) / np.maximum(np.bincount(self.strata), 1)
        return np.asarray(self.values - means[self.strata])

    def has_rest(self, inside: Bools, min_size: int) -> bool:
        """Tell whether a subgroup is large enough, and has rows outside of it to compare with."""
        if not min_size <= inside.sum() <= len(inside) - min_size:
            return False
        rest = np.bincount(self.strata[~inside], minlength=self.strata.max() + 1)
        return bool((rest[self.strata[inside]] >= COMPARED).all())

    def compare(self, inside: Bools) -> tuple[float, Contrast]:
        """Compare a subgroup with the rows outside of it, weighted to its strata.

        Returns the weighted mean of those, and the comparison.
        """
        n_strata, rest = self.strata.max() + 1, ~inside
        sizes = np.maximum(np.bincount(self.strata[rest], minlength=n_strata), 1)
        means = np.bincount(self.strata[rest], self.values[rest], minlength=n_strata) / sizes
        shares = np.bincount(self.strata[inside], minlength=n_strata) / inside.sum()
        residuals = self.values - means[self.strata]
        weights = (shares / sizes)[self.strata[rest]]  # their sum is 1
        # Their sum becomes the number of rows whose plain mean would be as sure.
        terms = weights * residuals[rest] ** 2
        weights *= terms.sum() / (weights @ terms) if terms.any() else rest.sum()
        sums = _powers(residuals[inside]).sum(axis=1), _powers(residuals[rest]) @ weights
        return float(shares @ means), Contrast(*map(Moments.of, sums))


def pool_rare(strata: Codes) -> Codes:
    """Put strata of so few rows that nothing can be compared in them into one."""
    sizes = np.bincount(strata)
    order = np.argsort(sizes, kind="stable")
    n_rare = int((sizes < 4 * COMPARED).sum())
    if n_rare and sizes[order[:n_rare]].sum() < 4 * COMPARED:
        n_rare += 1  # together they are still too few
    return np.where(np.isin(strata, order[:n_rare]), order[0], strata)


def search(half: Half, min_size: int, max_conditions: int) -> tuple[list[Chosen], int]:
    """Rank conjunctions whose mean value is lower than that of the other rows by `Contrast.score`.

    Those of one or two conditions are all looked at; a further condition is added to the best.
    Returns also the number that were looked at.
    """
    values, conditions = half.residuals(), half.conditions
    ranked: list[tuple[float, Chosen]] = []
    parents: dict[Chosen, float] = {(): np.inf}  # with their scores
    singles = np.full(len(conditions.texts), np.inf)
    n_searched = 0
    for length in range(1, max_conditions + 1):
        level: dict[Chosen, float] = {}
        for start in range(0, len(parents), BLOCK):
            block = list(parents)[start : start + BLOCK]
            contrast = _contrast(values, conditions, block)
            allowed = _allowed(conditions, block, contrast, min_size)
            n_searched += int(allowed.sum())
            # A conjunction must be ahead of its parts, or it says no more than they do.
            part = np.minimum(np.array([[parents[chosen]] for chosen in block]), singles)
            score = contrast.score()
            score = np.where(allowed & (score < part), score, np.inf)
            for i, j in _least(score):
                level[tuple(sorted((*block[i], j)))] = float(score[i, j])
            if length == 1:
                singles = score[0]
        best = sorted((score, chosen) for chosen, score in level.items())[:RANKED]
        ranked += best
        if length == 1:
            parents = {
                (j,): score for j, score in enumerate(singles.tolist()) if np.isfinite(score)
            }
        else:
            parents = {chosen: score for score, chosen in best[:BEAM]}
    return [chosen for _, chosen in sorted(ranked)], n_searched


def _contrast(values: Floats, conditions: Conditions, block: list[Chosen]) -> Contrast:
    """Compare each conjunction, with each condition added: of shape (n_block, n_conditions)."""
    powers = _powers(values)
    sums = np.zeros((4, len(block), len(conditions.texts)))
    for start in range(0, len(values), ROWS):
        rows = slice(start, start + ROWS)
        added = conditions.holds[rows].astype(np.float64)
        parents = np.stack([conditions.holds[rows][:, list(c)].all(axis=1) for c in block])
        for k in range(4):
            sums[k] += (parents * powers[k, rows]) @ added
    return Contrast(Moments.of(sums), Moments.of(powers.sum(axis=1)[:, None, None] - sums))


def _powers(values: Floats) -> Floats:
    return np.stack([values**k for k in range(4)])


def _allowed(
    conditions: Conditions, block: list[Chosen], contrast: Contrast, min_size: int
) -> Bools:
    """Tell which conditions can be added to which conjunctions: on another column, enough rows."""
    allowed = np.minimum(contrast.inside.n, contrast.rest.n) >= min_size
    for row, chosen in enumerate(block):
        allowed[row, np.isin(conditions.columns, conditions.columns[list(chosen)])] = False
        if len(chosen) == 1:  # each pair once
            allowed[row, : chosen[0]] = False
    return np.asarray(allowed)


def _least(score: Floats) -> list[tuple[int, int]]:
    order = np.argsort(score, axis=None, kind="stable")[:RANKED]
    places = zip(*np.unravel_index(order, score.shape), strict=True)
    return [(int(i), int(j)) for i, j in places if score[i, j] < LEVEL]


def select(ranked: list[Chosen], half: Half, other: Half, min_size: int) -> list[Chosen]:
    """Select the few that are tested on the other half: each must add to those before it.

    It adds to them if at least half of its rows are in none of them, and these are lower, too. Of
    the other half only sizes are used.
    """
    values = half.residuals()
    selected: list[Chosen] = []
    taken = np.zeros(len(values), dtype=bool)
    for chosen in ranked:
        inside, there = half.conditions.rows(chosen), other.conditions.rows(chosen)
        if not (half.has_rest(inside, min_size) and other.has_rest(there, min_size)):
            continue
        new, rest = values[inside & ~taken], values[~(inside | taken)]
        parts = [Moments.of(_powers(part).sum(axis=1)) for part in (new, rest)]
        if 2 * len(new) >= inside.sum() and Contrast(*parts).p_lower() < LEVEL:
            selected.append(chosen)
            taken |= inside
        if len(selected) == MOST:
            break
    return selected
