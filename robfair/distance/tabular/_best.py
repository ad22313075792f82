"""The cheapest adversarial row of each sample, and the changes that are cheap for every sample."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.tabular._space import TableRows, TableSpace

# Changes that are tried in one call of the model. Their results bound the cost of later ones, so
# that larger batches predict rows in vain; smaller ones only cost calls. bench_constants: halved or
# doubled, the same distances and as many rows.
AT_ONCE = 20


class BestRows:
    """The cheapest adversarial row of each sample so far, and its cost.

    Where none is known, the row is the sample itself, and the cost is inf.
    """

    def __init__(self, space: TableSpace) -> None:
        self.space = space
        self.rows = space.unperturbed(np.arange(len(space.X)))
        self.cost = np.full(len(space.X), np.inf)

    def offer(self, rows: TableRows, flipped: Flags) -> Indices:
        """Keep the rows that are flipped and cheaper; return the samples that this improves."""
        cost = self.space.cost(rows)
        kept = np.flatnonzero(flipped & (cost < self.cost[rows.sample]) & (cost > 0))
        # The last one written stays: of equals the first that was offered.
        kept = kept[::-1][np.argsort(-cost[kept[::-1]], kind="stable")]
        sample = rows.sample[kept]
        self.cost[sample] = cost[kept]
        for stored, offered in zip(self.rows.arrays(), rows.arrays(), strict=True):
            stored[sample] = offered[kept]
        return np.unique(sample)

    def known(self, samples: Indices) -> Indices:
        """Return those samples for which an adversarial row is known."""
        return np.asarray(samples[np.isfinite(self.cost[samples])])


class CheapestChanges:
    """The n cheapest changes of the discrete part, cheapest first.

    The cost of a change does not depend on the sample, so one list serves all of them.
    """

    def __init__(self, space: TableSpace, n: int) -> None:
        self.space = space
        self._price = [*(space.category_cost for _ in space.blocks), *space.step_cost]
        widest = np.maximum(
            -space.least_steps.min(axis=0, initial=0), space.most_steps.max(axis=0, initial=0)
        )
        # An integer may stay, or go up to `widest` steps either way.
        sizes = [*(len(block.codes) for block in space.blocks), *(1 + 2 * widest)]
        # Every choice is reached once: from the one before in its last feature that has changed.
        heap = [(0.0, (0,) * len(sizes))]
        listed: list[tuple[int, ...]] = []
        while heap and len(listed) <= n:
            _, choice = heappop(heap)
            listed.append(choice)
            changed = np.flatnonzero(choice)
            for feature in range(changed[-1] if len(changed) else 0, len(sizes)):
                if choice[feature] + 1 < sizes[feature]:
                    after = (*choice[:feature], choice[feature] + 1, *choice[feature + 1 :])
                    heappush(heap, (self._cost(after), after))
        # All changes that cost less are in the list.
        self.limit = self._cost(listed[-1]) if heap else np.inf
        # The first one listed changes nothing.
        options = np.array(listed[1:], dtype=np.intp).reshape(len(listed) - 1, len(sizes))
        # Categories are counted from that of the sample: (n_changes, n_blocks).
        self.turns, options = options[:, : space.n_blocks], options[:, space.n_blocks :]
        self.steps: Array = np.where(options % 2, 1.0, -1.0) * ((options + 1) // 2)

    def _cost(self, choice: tuple[int, ...]) -> float:
        """Cost of a choice: other category r of a block, (r + 1) // 2 steps of an integer."""
        n = self.space.n_blocks
        numbers = [*(min(r, 1) for r in choice[:n]), *((r + 1) // 2 for r in choice[n:])]
        return float(np.linalg.norm(np.multiply(numbers, self._price), self.space.norm))

    def apply(self, samples: Indices, changes: slice) -> TableRows:
        """Apply some changes to every sample, and keep the rows that stay in the box."""
        space, n_changes = self.space, len(self.turns[changes])
        change = np.repeat(np.arange(n_changes), len(samples))
        samples = np.tile(samples, n_changes)
        turns, steps = self.turns[changes][change], self.steps[changes][change]
        sizes = np.array([len(block.codes) for block in space.blocks], dtype=np.intp)
        own = space.own_categories[samples]
        categories = np.where(own < 0, own, (own + turns) % sizes)
        inside = (steps >= space.least_steps[samples]) & (steps <= space.most_steps[samples])
        rows = TableRows(samples, categories, steps, space.X[samples])
        return rows[inside.all(axis=1)]

    def try_on(self, samples: Indices, best: BestRows, ask: Callable[[TableRows], object]) -> None:
        """Try all changes that cost less than the best row, for samples where these are few.

        `ask` takes rows without a continuous move, and offers those that are flipped to `best`.
        Samples whose best row costs more than the limit are left out.
        """
        samples = samples[(best.cost[samples] <= self.limit) | np.isinf(best.cost[samples])]
        for first in range(0, len(self.turns), AT_ONCE):
            rows = self.apply(samples, slice(first, first + AT_ONCE))
            # Those tried before may have lowered the cost to beat.
            ask(self.space.build(rows[self.space.discrete_cost(rows) < best.cost[rows.sample]]))
