"""Budgets of the search of tables by gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from robfair.distance.gradient import AUTO, STRONG, DescentSchedule, OwnBudget

# Beyond the boundary, as a multiple of the distance to it: where most features are at their bounds.
# There a single target class has one more start. Nothing follows the first search from other rows,
# as it does for plain features; without this start "auto" is 0.2 % longer on Adult.
FAR_END = 1000.0


@dataclass(frozen=True)
class TableBudget:
    """Budget of the search by gradients, for each sample."""

    first: OwnBudget  # of the numeric search in the categories of the sample
    others: OwnBudget  # of the numeric search in other categories
    n_targets: int  # target classes, those with the greatest logits, whose gradients are taken
    width: int  # rows that the greedy search keeps
    n_tried: int  # combinations of categories whose numeric moves are searched
    n_listed: int  # the cheapest changes, all of which are tried if the best row costs more
    n_rounds: int  # rounds of edits, which end with the first that improves nothing
    n_edits: int  # edits tried in each round
    refine: DescentSchedule  # of the continuous features after an edit

    def within(self, n_targets: int) -> TableBudget:
        """Return this budget for a network with so many classes beside the predicted one."""
        first = self.first.for_targets(n_targets)
        if n_targets == 1:
            first = replace(first, far=(*first.far, FAR_END))
        return replace(
            self,
            first=first,
            others=replace(self.others, n_candidates=min(n_targets, self.others.n_candidates)),
            n_targets=min(n_targets, self.n_targets),
        )


TABLE_AUTO = TableBudget(
    first=AUTO.own,
    others=replace(
        AUTO.own,
        n_candidates=2,
        finish=DescentSchedule(5, step=(2.0, 0.05), change=(0.3, 0.01)),
        n_again=0,
    ),
    n_targets=3,
    width=3,
    n_tried=4,
    n_listed=200,
    n_rounds=4,
    n_edits=8,
    refine=DescentSchedule(8, step=(1.0, 0.02), change=(0.2, 0.002)),
)
TABLE_STRONG = TableBudget(
    first=replace(
        STRONG.own,
        near=np.inf,
        far=(4.0, 30.0),
        deepfool=True,  # for flat logits
    ),
    others=replace(AUTO.own, n_again=1),
    n_targets=9,
    width=6,
    n_tried=12,
    n_listed=2000,
    n_rounds=12,
    n_edits=12,
    refine=DescentSchedule(16, step=(1.0, 0.02), change=(0.2, 0.001)),
)
