"""The search of rows of a table by margins and gradients.

For fixed categories the least numeric move is an ordinary distance, so the search is one over
categories: those of the sample; those that a gradient at the sample suggests; those that a greedy
search by margins reaches. The numeric moves of the best of them are searched, and integers are
rounded. From the best row the search goes on by single edits and by pairs of edits, as
:class:`~robfair.distance.tabular._edits.EditSearch` chooses them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.gradient import AUTO, DescentSchedule, OwnBudget
from robfair.distance.tabular._best import BestRows, CheapestChanges
from robfair.distance.tabular._budget import TableBudget
from robfair.distance.tabular._edits import EditSearch, distinct, least
from robfair.distance.tabular._numeric import NumericSearch
from robfair.distance.tabular._oracle import TableOracle
from robfair.distance.tabular._space import TableRows, TableSpace

# An expected cost beyond this multiple of the best is not tried. In bench_table_constants.py, 1 and
# 4 give the same distances, 1 with a fifth fewer passes; the estimate is rough, hence the margin.
HOPELESS = 2.0


class GradientSearch:
    """The search of some samples together, which offers what flips to `best`."""

    def __init__(self, oracle: TableOracle, best: BestRows, budget: TableBudget) -> None:
        self.oracle, self.space, self.best = oracle, oracle.space, best
        self.numeric, self.edits = NumericSearch(oracle), EditSearch(oracle, best)
        self.budget = budget.within(oracle.problem.n_classes - 1)
        self.cheapest = CheapestChanges(self.space, budget.n_listed)
        self.margin = np.full(len(self.space.X), np.nan)  # of each sample
        # What a unit of the margin costs by numeric moves: an estimate, for each sample.
        self.rate = np.full(len(self.space.X), np.nan)

    def run(self, samples: Indices) -> None:
        """Search some samples."""
        own = self.space.unperturbed(samples)
        margin = self.oracle.margin(own)
        # On the boundary itself, where nothing can be estimated, any number does.
        self.margin[samples] = margin = np.where(margin > 0, margin, 1)
        gradients = self.oracle.gradients(own, self.budget.n_targets)
        steepest = np.max([self.space.steepness(g, self.space.numeric) for g in gradients], axis=0)
        # By the gradient, or a great deal where it vanishes; better by what has flipped the sample.
        rate = 1e3 * self.space.category_cost / margin
        np.divide(1, steepest, out=rate, where=steepest > 0)
        if self.space.numeric.any():
            moved, flipped = self._move(own, self.budget.first)
            cost = self.space.move_cost(moved, self.space.numeric)
            rate = np.where(flipped, cost / margin, rate)
        self.rate[samples] = rate
        if self.space.n_blocks:
            tried = [_steepest_switches(self.space, own, gradients), self._greedy_switches(own)]
            chosen = self._choose(TableRows.join(tried))
            if self.space.numeric.any():
                self._move(chosen, self.budget.others)
        self._try_cheapest(samples)

    def improve(self, samples: Indices) -> None:
        """Edit the best rows of samples for as long as that helps, and descend once more."""
        samples = left = self.best.known(samples)
        for _ in range(self.budget.n_rounds):
            if len(left) == 0 or len(self.space.edit_feature) == 0:
                break
            edited = self.edits.promising(
                self.best.rows[left], self.margin[left], self.budget.n_edits
            )
            left = self._refine(edited, self.budget.refine)
        # Its steps get smaller than those of the budget's schedule, for the last digits.
        rows = self.best.rows[samples]
        self._refine(rows[self.space.move_cost(rows, self.space.continuous) > 0], AUTO.own.again)

    # --- Numeric moves

    def _move(self, rows: TableRows, budget: OwnBudget) -> tuple[TableRows, Flags]:
        """Search the numeric moves of rows, and offer those that flip."""
        moved, flipped = self.numeric.search(rows, budget)
        if len(self.space.integers):
            self._round(moved[flipped])
        else:
            self.best.offer(moved, flipped & (self.oracle.margin(moved) < 0))
        return moved, flipped

    def _round(self, rows: TableRows) -> None:
        """Round integers to whole steps in several ways, and let the continuous features follow."""
        at = self.space.integers
        x = self.space.X[np.ix_(rows.sample, at)].astype(np.float64)
        steps = (rows.points[:, at] - x) / self.space.spacing
        low, high = self.space.least_steps[rows.sample], self.space.most_steps[rows.sample]
        rounded = (_round_away(steps), np.round(steps), np.trunc(steps))
        parts = [replace(rows, steps=whole.clip(low, high)) for whole in rounded]
        self._refine(TableRows.join(parts), self.budget.refine)
        # Where that flips nothing, further and further out.
        for factor in (1.2, 1.5, 2.0, 3.0, 5.0):
            i = np.flatnonzero(np.isinf(self.best.cost[rows.sample]))
            further = _round_away(steps[i] * factor).clip(low[i], high[i])
            self._refine(replace(rows[i], steps=further), self.budget.refine)

    def _refine(self, rows: TableRows, schedule: DescentSchedule) -> Indices:
        """Move the continuous features of rows as little as flips them, and offer the rows."""
        rows = rows[self.space.discrete_cost(rows) < self.best.cost[rows.sample]]
        return self.best.offer(*self.numeric.refine(rows, schedule))

    # --- Categories

    def _greedy_switches(self, own: TableRows) -> TableRows:
        """Switch block after block by true margins; return all rows that were kept on the way."""
        space, kept, beam, width = self.space, [own[:0]], own, self.budget.width
        for _ in range(space.n_blocks):
            unchanged = beam.categories == space.own_categories[beam.sample]
            others = np.zeros_like(beam.steps, dtype=bool)
            margin, _ = self.edits.neighbours(beam, np.concatenate([unchanged, others], axis=1))
            i, edits = np.nonzero(np.isfinite(margin))
            value = margin[i, edits]
            # Two orders of the same switches are one row, so more than the width is taken first.
            first = least(beam.sample[i], value, 2 * width)
            beam, value = space.apply_edits(beam[i[first]], edits[first]), value[first]
            different = distinct(beam)
            beam, value = beam[different], value[different]
            first = least(beam.sample, value, width)
            beam = space.build(beam[first])
            self.best.offer(beam, value[first] < 0)
            kept.append(beam)
        return TableRows.join(kept)

    def _choose(self, rows: TableRows) -> TableRows:
        """Choose categories by what they and the numeric moves left would cost together."""
        rows = self.space.build(rows[distinct(rows)])
        rows = rows[self.space.discrete_cost(rows) < self.best.cost[rows.sample]]
        margin = self.oracle.margin(rows)
        self.best.offer(rows, margin < 0)
        return rows[self._nearly_flipped(rows, margin)]

    def _nearly_flipped(self, rows: TableRows, margin: Array) -> Indices:
        """Find the unflipped rows of each sample with the least expected costs."""
        left = margin.clip(min=0) * self.rate[rows.sample]
        estimate = self.space.combine(self.space.discrete_cost(rows), left)
        i = np.flatnonzero((margin >= 0) & (estimate < HOPELESS * self.best.cost[rows.sample]))
        return i[least(rows.sample[i], estimate[i], self.budget.n_tried)]

    def _try_cheapest(self, samples: Indices) -> None:
        """Try the cheapest changes, and the continuous features after those that nearly flip."""
        nearly = [self.space.unperturbed(samples[:0])]

        def ask(rows: TableRows) -> None:
            margin = self.oracle.margin(rows)
            self.best.offer(rows, margin < 0)
            nearly.append(rows[self._nearly_flipped(rows, margin)])

        self.cheapest.try_on(samples, self.best, ask)
        if self.space.continuous.any():
            self._refine(self._choose(TableRows.join(nearly)), self.budget.refine)


def _steepest_switches(space: TableSpace, own: TableRows, gradients: Array) -> TableRows:
    """Switch the 1, 2, ... blocks that lower the margin to a target class most, to first order.

    Every switch costs the same, so for each number of switches the steepest are the best.
    """
    rows = np.arange(len(own))
    parts = [own[:0]]
    for gradient in gradients:
        fall = np.empty((len(own), space.n_blocks))
        switch = np.empty(fall.shape, dtype=np.intp)
        for b, (block, columns) in enumerate(zip(space.blocks, space.columns, strict=True)):
            change = gradient[:, columns] @ block.codes.T
            change -= change[rows, own.categories[:, b]][:, None]
            switch[:, b] = change.argmin(axis=1)
            fall[:, b] = -change[rows, switch[:, b]]
        categories = own.categories.copy()
        for b in np.argsort(-fall, axis=1, kind="stable").T:
            categories[rows, b] = switch[rows, b]
            parts.append(replace(own, categories=categories.copy()))
    return TableRows.join(parts)


def _round_away(steps: Array) -> Array:
    """Round away from 0, except for what rounding has left."""
    return np.asarray(np.sign(steps) * np.ceil(np.abs(steps) - 1e-3))
