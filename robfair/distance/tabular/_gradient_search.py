"""The search of rows of a table by margins and gradients.

For fixed categories the least numeric move is an ordinary distance, so the search is one over
categories: those of the sample; those a gradient at the sample finds promising; those a greedy
search by true margins finds. The numeric moves of the best of them are searched, integers are
rounded, and from the best row found the search goes on by single edits and by pairs of edits, each
judged by its margin on the boundary, where the slope says what the edit would save or cost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from robfair.distance.gradient import AUTO, STRONG, DescentSchedule, SearchBudget
from robfair.distance.tabular._oracle import Judge
from robfair.distance.tabular._space import (
    Array,
    Best,
    Flags,
    Moves,
    Rows,
    Space,
    rank,
    try_cheapest,
)

__all__ = ["TABLE_AUTO", "TABLE_STRONG", "TablePlan", "TableSearch"]

HOPELESS = 2.0  # an estimated cost beyond this multiple of the best is not tried
PARTNERS = 10  # edits that are paired, of those that cost less and of those that flip more
CHUNK = 2**22  # numbers in the largest array of neighbouring rows


@dataclass(frozen=True)
class TablePlan:
    """What a search spends on a sample.

    Attributes
    ----------
    first : SearchBudget
        Numeric search in the categories of the sample.
    others : SearchBudget
        Numeric search in other categories.
    n_rivals : int
        Classes with the greatest logits whose gradients are taken.
    width : int
        Rows that the greedy search keeps.
    n_tried : int
        Categories whose numeric moves are searched.
    n_listed : int
        The cheapest changes that are all tried where the best row is not among them.
    n_rounds : int
        Rounds of edits, the last one that improves a sample.
    n_edits : int
        Edits tried in each.
    refine : DescentSchedule
        Descent of the continuous features after an edit.
    """

    first: SearchBudget
    others: SearchBudget
    n_rivals: int
    width: int
    n_tried: int
    n_listed: int
    n_rounds: int
    n_edits: int
    refine: DescentSchedule


TABLE_AUTO = TablePlan(
    first=AUTO,
    others=replace(
        AUTO,
        n_candidates=2,
        finish=DescentSchedule(5, step=(2.0, 0.05), change=(0.3, 0.01)),
        n_again=0,
    ),
    n_rivals=3,
    width=3,
    n_tried=4,
    n_listed=200,
    n_rounds=4,
    n_edits=8,
    refine=DescentSchedule(8, step=(1.0, 0.02), change=(0.2, 0.002)),
)
TABLE_STRONG = TablePlan(
    first=replace(STRONG, n_restarts=1),  # from DeepFool's points: nothing random
    others=replace(AUTO, n_again=1),
    n_rivals=9,
    width=6,
    n_tried=12,
    n_listed=2000,
    n_rounds=12,
    n_edits=12,
    refine=DescentSchedule(16, step=(1.0, 0.02), change=(0.2, 0.001)),
)


class TableSearch:
    """The search of some samples together.

    Parameters
    ----------
    space : Space
        The samples, and how their rows may change.
    judge : Judge
        What the model says.
    best : Best
        Where rows are kept.
    plan : TablePlan
        What to spend.
    """

    def __init__(self, space: Space, judge: Judge, best: Best, plan: TablePlan) -> None:
        self.space, self.judge, self.best = space, judge, best
        n = judge.problem.n_classes - 1
        self.plan = replace(
            plan,
            first=plan.first.within(None, n),
            others=replace(plan.others, n_candidates=min(n, plan.others.n_candidates)),
            n_rivals=min(n, plan.n_rivals),
        )
        self.listed = space.cheapest(plan.n_listed)
        self.margin = np.full(len(space.X), np.nan)  # of each sample
        # What a unit of the margin costs by numeric moves: an estimate, for each sample.
        self.rate = np.full(len(space.X), np.nan)

    def run(self, owner: Rows) -> None:
        """Search some samples."""
        own = self.space.start(owner)
        margin, _ = self.judge.margin(owner, own.points)
        # On the boundary itself, where nothing can be estimated, any number does.
        self.margin[owner] = margin = np.where(margin > 0, margin, 1)
        slopes = self.judge.slopes(own, self.plan.n_rivals)
        steepest = np.max([self.judge.dual(s, self.space.numeric) for s in slopes], axis=0)
        # By the slope, or a great deal where there is none; better by what has flipped the sample.
        rate = 1e3 * self.space.category_cost / margin
        np.divide(1, steepest, out=rate, where=steepest > 0)
        if self.space.numeric.any():
            moved, found = self._numeric(own, self.plan.first)
            rate = np.where(found, self._reach(moved) / margin, rate)
        self.rate[owner] = rate
        if self.space.n_blocks:
            tried = Moves.join([self._relaxed(own, slopes), self._greedy(own)])
            chosen = self._promising(tried)
            if self.space.numeric.any():
                self._numeric(chosen, self.plan.others)
        self._list(owner)

    # --- Numeric moves

    def _numeric(self, moves: Moves, plan: SearchBudget) -> tuple[Moves, Flags]:
        """Search the numeric moves of rows, and offer what is found."""
        moved, found = self.judge.numeric(moves, plan)
        if len(self.space.integers):
            self._round(moved[found])
        else:
            margin, _ = self.judge.margin(moved.owner, moved.points)
            self.best.offer(moved, found & (margin < 0))
        return moved, found

    def _reach(self, moves: Moves) -> Array:
        """Norm of the numeric moves."""
        on = self.space.numeric
        delta = moves.points[:, on].astype(np.float64) - self.space.X[np.ix_(moves.owner, on)]
        sizes: Array = np.linalg.norm(delta / self.space.unit[on], self.space.norm, axis=1)
        return sizes

    def _round(self, moves: Moves) -> None:
        """Put integers on whole steps in several ways, and let the continuous features follow."""
        at = self.space.integers
        x = self.space.X[np.ix_(moves.owner, at)].astype(np.float64)
        steps = (moves.points[:, at] - x) / self.space.spacing
        low, high = self.space.down[moves.owner], self.space.up[moves.owner]
        ways = (_away(steps), np.round(steps), np.trunc(steps))
        self._refine(Moves.join([replace(moves, steps=way.clip(low, high)) for way in ways]))
        # Where that flips nothing, further and further out.
        for factor in (1.2, 1.5, 2.0, 3.0, 5.0):
            rows = np.flatnonzero(np.isinf(self.best.cost[moves.owner]))
            further = _away(steps[rows] * factor).clip(low[rows], high[rows])
            self._refine(replace(moves[rows], steps=further))

    def _refine(self, moves: Moves, schedule: DescentSchedule | None = None) -> Rows:
        """Move the continuous features of rows as little as flips them, and offer the rows."""
        moves = moves[self.space.discrete(moves) < self.best.cost[moves.owner]]
        return self.best.offer(*self.judge.refine(moves, schedule or self.plan.refine))

    # --- Categories

    def _relaxed(self, own: Moves, slopes: Array) -> Moves:
        """Switch the 1, 2, ... blocks that lower the gap to a rival most, to first order.

        Every switch costs the same, so for each number of switches the steepest are the best.
        """
        space, rows = self.space, np.arange(len(own))
        parts = [own[:0]]
        for slope in slopes:
            fall = np.empty((len(own), space.n_blocks))
            target = np.empty(fall.shape, dtype=np.intp)
            for b, (block, columns) in enumerate(zip(space.blocks, space.columns, strict=True)):
                change = slope[:, columns] @ block.codes.T
                change -= change[rows, own.cats[:, b]][:, None]
                target[:, b] = change.argmin(axis=1)
                fall[:, b] = -change[rows, target[:, b]]
            cats = own.cats.copy()
            for b in np.argsort(-fall, axis=1, kind="stable").T:
                cats[rows, b] = target[rows, b]
                parts.append(replace(own, cats=cats.copy()))
        return Moves.join(parts)

    def _greedy(self, own: Moves) -> Moves:
        """Switch block after block by true margins; return all rows that were kept on the way."""
        space, kept, beam = self.space, [own[:0]], own
        for _ in range(space.n_blocks):
            unchanged = beam.cats == space.own[beam.owner]
            others = np.zeros_like(beam.steps, dtype=bool)
            margin, _ = self._neighbours(beam, np.concatenate([unchanged, others], axis=1))
            rows, edits = np.nonzero(np.isfinite(margin))
            value = margin[rows, edits]
            # Two orders of the same switches are one row, so more than the width is taken first.
            least = _least(beam.owner[rows], value, 2 * self.plan.width)
            beam, value = space.edited(beam[rows[least]], edits[least]), value[least]
            different = _distinct(beam)
            beam, value = beam[different], value[different]
            least = _least(beam.owner, value, self.plan.width)
            beam = space.build(beam[least])
            self.best.offer(beam, value[least] < 0)
            kept.append(beam)
        return Moves.join(kept)

    def _near(self, moves: Moves, margin: Array) -> Rows:
        """Find the rows that promise most."""
        left = margin.clip(min=0) * self.rate[moves.owner]
        estimate = self.space.join(self.space.discrete(moves), left)
        rows = np.flatnonzero((margin >= 0) & (estimate < HOPELESS * self.best.cost[moves.owner]))
        return rows[_least(moves.owner[rows], estimate[rows], self.plan.n_tried)]

    def _list(self, owner: Rows) -> None:
        """Try the cheapest changes, and the continuous features after those that nearly flip."""
        nearly = [self.space.start(owner[:0])]

        def ask(moves: Moves) -> None:
            margin, _ = self.judge.margin(moves.owner, moves.points)
            self.best.offer(moves, margin < 0)
            nearly.append(moves[self._near(moves, margin)])

        try_cheapest(self.best, owner, *self.listed, ask)
        if self.space.continuous.any():
            self._refine(self._promising(Moves.join(nearly)))

    def _promising(self, moves: Moves) -> Moves:
        """Choose categories by what they and the numeric moves left would cost together."""
        moves = self.space.build(moves[_distinct(moves)])
        moves = moves[self.space.discrete(moves) < self.best.cost[moves.owner]]
        margin, _ = self.judge.margin(moves.owner, moves.points)
        self.best.offer(moves, margin < 0)
        return moves[self._near(moves, margin)]

    # --- Edits

    def improve(self, owner: Rows) -> None:
        """Edit the best rows of samples for as long as that helps, and descend once more."""
        owner = owner[np.isfinite(self.best.cost[owner])]
        left = owner
        for _ in range(self.plan.n_rounds):
            if len(left) == 0 or len(self.space.edit_feature) == 0:
                break
            left = self._refine(self._edits(self.best.moves[left]))
        moves = self.best.moves[owner]
        self._refine(moves[self.space.moved(moves) > 0], AUTO.again)

    def _edits(self, moves: Moves) -> Moves:
        """Choose the edits, alone and in pairs, that promise to lower the cost of rows most."""
        space, rows = self.space, np.arange(len(moves))[:, None]
        (slope,) = self.judge.slopes(moves, 1)
        steep = self.judge.dual(slope, space.continuous)[:, None]
        here, _ = self.judge.margin(moves.owner, moves.points)
        n_features = space.n_blocks + len(space.integers)
        margin, discrete = self._neighbours(moves, np.ones((len(moves), n_features), dtype=bool))
        single = self._estimate(moves, margin, discrete, steep)
        # Without a slope the margins are all there is, and those of single edits are no guess.
        single[(steep == 0) & (margin >= 0)] = np.inf

        # Pairs of one that costs less and one that flips more, by the sum of what each does.
        cheaper = discrete < space.discrete(moves)[:, None]
        i = np.argsort(np.where(cheaper, margin, np.inf), axis=1, kind="stable")[:, :PARTNERS]
        j = np.argsort(margin, axis=1, kind="stable")[:, :PARTNERS]
        i, j = np.repeat(i, j.shape[1], axis=1), np.tile(j, i.shape[1])
        both = margin[rows, i] + margin[rows, j] - here[:, None]
        both[(space.edit_feature[i] == space.edit_feature[j]) | ~cheaper[rows, i]] = np.inf
        pairs = _pairs(space, moves, i, j)
        pair = self._estimate(moves, both, space.discrete(pairs).reshape(i.shape), steep)

        estimate = np.concatenate([single, pair], axis=1)
        estimate[estimate >= self.best.cost[moves.owner][:, None]] = np.inf
        order = np.argsort(estimate, axis=1, kind="stable")[:, : self.plan.n_edits]
        row, place = np.nonzero(np.isfinite(estimate[rows, order]))
        edit = order[row, place]
        alone = edit < single.shape[1]
        return Moves.join(
            [
                space.edited(moves[row[alone]], edit[alone]),
                pairs[row[~alone] * i.shape[1] + edit[~alone] - single.shape[1]],
            ]
        )

    def _estimate(self, moves: Moves, margin: Array, discrete: Array, steep: Array) -> Array:
        """Estimate costs of edited rows, whose margins are those without a further numeric move."""
        moved = self.space.moved(moves)[:, None]
        left = margin / np.where(steep > 0, steep, 1)
        sloped = self.space.join(discrete, (moved + left).clip(min=0))
        # Without a slope: the further from flipped, the less of the saving is to be believed.
        cost, scale = self.best.cost[moves.owner][:, None], self.margin[moves.owner][:, None]
        known = np.isfinite(margin) & np.isfinite(discrete)
        beyond, least = (np.where(known, values, 0) for values in (margin.clip(min=0), discrete))
        flat = least + (cost - least) * beyond / (beyond + scale)
        return np.where(known, np.where(steep > 0, sloped, flat), np.inf)

    def _neighbours(self, moves: Moves, features: Flags) -> tuple[Array, Array]:
        """Margin and discrete cost of each row after each edit.

        Parameters
        ----------
        moves : Moves
            Rows.
        features : ndarray of bool, of shape (m, n_blocks + n_integers)
            Blocks and integers that may be edited.

        Returns
        -------
        margin, discrete : ndarray of shape (m, n_edits)
            inf where an edit is not allowed, or cannot lead to a row that is cheaper than the best.
        """
        space = self.space
        n_edits = len(space.edit_feature)
        wanted = space.allowed(moves) & features[:, space.edit_feature]
        margin, discrete = np.full(wanted.shape, np.inf), np.full(wanted.shape, np.inf)
        size = max(1, CHUNK // (n_edits * space.X.shape[1]))
        for first in range(0, len(moves), size):
            rows, edits = np.nonzero(wanted[first : first + size])
            rows += first
            edited = space.edited(moves[rows], edits)
            cost = space.discrete(edited)
            cheap = cost < self.best.cost[edited.owner]
            rows, edits, edited = rows[cheap], edits[cheap], edited[cheap]
            discrete[rows, edits] = cost[cheap]
            margin[rows, edits], _ = self.judge.margin(edited.owner, space.build(edited).points)
        return margin, discrete


def _away(steps: Array) -> Array:
    """Round away from 0, but for what rounding has left."""
    away: Array = np.sign(steps) * np.ceil(np.abs(steps) - 1e-3)
    return away


def _pairs(space: Space, moves: Moves, i: Rows, j: Rows) -> Moves:
    """Apply two edits to each row, of shape (m, n_pairs) each."""
    repeated = moves[np.repeat(np.arange(len(moves)), i.shape[1])]
    return space.edited(space.edited(repeated, i.ravel()), j.ravel())


def _least(owner: Rows, value: Array, k: int) -> Rows:
    """Find the `k` rows of least value of each owner."""
    order = np.lexsort((value, owner))
    return order[rank(owner[order]) < k]


def _distinct(moves: Moves) -> Rows:
    """Find the first of all rows with the same categories and steps."""
    keys = np.concatenate([moves.owner[:, None], moves.cats, moves.steps], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    return np.sort(first)
