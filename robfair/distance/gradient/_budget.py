"""The budgets of the minimum-norm search: of a row's own starts, and of what other rows suggest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from robfair.distance.gradient._descent import DescentSchedule

__all__ = ["AUTO", "STRONG", "OwnBudget", "SearchBudget"]

# Passes from which on a search has the schedules of "strong".
AMPLE = 200
LAST = 4  # passes of the confirmation, which may step out
# Multiples of the steps of all descents that are tried, so that no passes are left.
STRETCHES = tuple(0.05 * i for i in range(40, -1, -1))


@dataclass(frozen=True)
class OwnBudget:
    """Starts along a row's own gradients, the race between them, and how the best one ends.

    Attributes
    ----------
    n_candidates : int
        Target classes that are linearised, those with the greatest logits.
    near : float
        Target classes whose linearised distance is at most this multiple of the least get a start.
    far : tuple of float
        Starts per target class. The gradient of a start is taken this far beyond the linearised
        boundary, as a multiple of the distance to it, since it points better to the boundary than
        the gradient at the sample does.
    race, finish, again : DescentSchedule
        Descents of every start, of the best one, and of that again as long as it helps.
    n_again : int
        The greatest number of repetitions.
    deepfool : bool
        Whether there is a start from DeepFool's points, too.
    """

    n_candidates: int
    near: float
    far: tuple[float, ...]
    race: DescentSchedule
    finish: DescentSchedule
    again: DescentSchedule
    n_again: int
    deepfool: bool = False

    def for_targets(self, n_targets: int) -> OwnBudget:
        """Return this budget for so many target classes.

        Parameters
        ----------
        n_targets : int
            Number of target classes.

        Returns
        -------
        OwnBudget
            No more candidates than there are target classes.
        """
        return replace(self, n_candidates=min(self.n_candidates, n_targets))

    @property
    def each(self) -> int:
        """Passes of a target class, at most."""
        return 1 + len(self.far) * (2 + self.race.n_passes)


@dataclass(frozen=True)
class SearchBudget:
    """A row's own starts, then starts from other rows, then rounds of what similar rows have found.

    Attributes
    ----------
    own : OwnBudget
        The row's own starts.
    n_rivals, probes : int
        Rows of other classes that are looked at, and forward passes that place each of them near
        the boundary.
    n_others : int
        How many of these get a descent, the nearest first.
    others : DescentSchedule
        Their descents.
    n_rounds, n_donors, n_kept : int
        Rounds of sharing, similar rows whose perturbations are tried in a round, and how many of
        these get a descent.
    n_around : int
        Starts from random points around the best one, as far from it as the row is.
    share : DescentSchedule
        Descents of both.
    polish : DescentSchedule
        The last descent, from the best point.
    pays : float
        What other rows suggest is left out where it shortens the distances of the pool by less than
        this share. 0: never.
    flat : float
        Where starts from rows of other classes shorten the distances of the pool by more than this
        share, gradients at the rows themselves are of no use: others get one more start instead.
    """

    own: OwnBudget
    n_rivals: int
    probes: int
    n_others: int
    others: DescentSchedule
    n_rounds: int
    n_donors: int
    n_kept: int
    n_around: int
    share: DescentSchedule
    polish: DescentSchedule
    pays: float = 0.0
    flat: float = 0.5

    def within(self, budget: int | None, n_targets: int) -> SearchBudget:
        """Fit the search into a number of passes, forwards and backwards, per sample.

        With a number of passes "auto" and "strong" are one search, which grows with it.

        Parameters
        ----------
        budget : int or None
            The greatest number of passes; None: as this budget says.
        n_targets : int
            Number of target classes.

        Returns
        -------
        SearchBudget
            A budget that fits. Rounds of sharing, starts from other rows and random starts are
            added in turns; what is left then makes all descents longer.

        Raises
        ------
        ValueError
            If the passes do not suffice for one start.
        """
        if budget is None:
            return replace(self, own=self.own.for_targets(n_targets))
        plan = STRONG if budget >= AMPLE else AUTO
        own = replace(plan.own.for_targets(n_targets), n_again=0)
        # What other rows show is used whatever it has brought others: the passes are to be spent.
        plan = replace(plan, n_others=0, n_rounds=0, n_around=0, pays=0.0, flat=1.0)
        bare = replace(plan, own=replace(own, n_candidates=1))
        # Half goes to the row's own starts, if there are as many target classes.
        n_candidates = (budget - bare.n_passes) // 2 // own.each
        own = replace(own, n_candidates=max(1, min(own.n_candidates, n_candidates)))
        full = replace(plan, own=own)._in_turns(budget)
        for factor in STRETCHES:
            stretched = full._stretched(factor)
            if stretched.n_passes <= budget:
                return stretched
        raise ValueError(
            f"budget must be at least {stretched.n_passes} passes per sample for this method; "
            f"got {budget}."
        )

    def _in_turns(self, budget: int) -> SearchBudget:
        """Add starts from other rows, rounds and random starts, as many as the passes pay for."""
        search = self
        for turn in count():
            name = ("n_rounds", "n_others", "n_around")[turn % 3]
            more: dict[str, Any] = {name: getattr(search, name) + 1}
            larger = replace(search, **more)
            larger = replace(larger, n_rivals=max(self.n_rivals, larger.n_others))
            if larger.n_passes > budget:
                break
            search = larger
        return search

    def _stretched(self, factor: float) -> SearchBudget:
        """Return the search with so many times the steps in each descent, but one at least."""

        def longer(schedule: DescentSchedule) -> DescentSchedule:
            return replace(schedule, n_steps=max(1, round(factor * schedule.n_steps)))

        own = replace(self.own, race=longer(self.own.race), finish=longer(self.own.finish))
        others, share, polish = map(longer, (self.others, self.share, self.polish))
        return replace(self, own=own, others=others, share=share, polish=polish)

    @property
    def n_passes(self) -> int:
        """Passes a row, at most, without the repetitions of the last descent."""
        helped = self.n_others + self.n_rounds > 0
        n_passes = 1 + self.own.n_candidates * self.own.each + LAST
        n_passes += (self.polish if helped else self.own.finish).n_passes
        if self.n_others:
            n_passes += self.n_rivals * self.probes + self.n_others * self.others.n_passes
        n_passes += self.n_rounds * (self.n_donors + self.n_kept * self.share.n_passes)
        return n_passes + self.n_around * self.share.n_passes


# Comments say what halving and doubling does to length and passes: benchmarks/constants.json has it
# for `own`. The others were chosen together, on networks of seed 0 of bench_distance.
AUTO = SearchBudget(
    OwnBudget(
        n_candidates=5,  # 3: +0.3 % length, 9: +5 % passes
        near=1.3,  # 1.15: +0.1 % length, 1.6: +11 % passes
        far=(4.0,),  # 2 and 8: the same within 0.1 %
        race=DescentSchedule(5, step=(2.0, 1.0), change=(0.3, 0.1)),  # 10 steps: +33 % passes
        # 5 steps: +0.8 % length, 20: +37 % passes; steps and changes alone: 0.2 % at most
        finish=DescentSchedule(10, step=(2.0, 0.01), change=(0.3, 0.002)),
        again=DescentSchedule(16, step=(2.0, 0.01), change=(0.3, 0.002)),  # 8 and 32: the same
        n_again=6,  # 3 and 12: the same
    ),
    n_rivals=4,
    probes=2,
    n_others=1,
    others=DescentSchedule(16, step=(2.0, 0.02), change=(0.5, 0.002), noise=2.0),
    n_rounds=1,
    n_donors=8,
    n_kept=1,
    n_around=0,
    share=DescentSchedule(12, step=(1.0, 0.05), change=(0.3, 0.01), noise=1.0),
    polish=DescentSchedule(8, step=(0.5, 0.01), change=(0.15, 0.002)),
    pays=0.001,
)
STRONG = replace(
    AUTO,
    own=replace(
        AUTO.own,
        near=1.6,
        race=DescentSchedule(10, step=(2.0, 1.0), change=(0.3, 0.1)),
        finish=DescentSchedule(30, step=(2.0, 0.01), change=(0.3, 0.001)),
    ),
    n_others=3,
    others=replace(AUTO.others, n_steps=24),
    n_rounds=2,
    n_around=4,
    polish=DescentSchedule(20, step=(0.5, 0.01), change=(0.15, 0.001)),
    pays=0.0,
)
