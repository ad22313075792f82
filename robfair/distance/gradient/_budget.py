"""The budget of the minimum-norm search: starts, steps, repetitions and restarts of a sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from robfair.distance.gradient._descent import DescentSchedule

__all__ = ["AUTO", "STRONG", "SearchBudget"]

AMPLE = 200  # passes from which on a single target class gets a second start, ...
# ... this far beyond the boundary, where most features are at their bounds; bench_constants: halved
# and doubled change less than 0.1 %.
FAR_END = 1000.0
# Passes that DeepFool takes at most: forward passes with its line search, and backward passes per
# target class.
DEEPFOOL, DEEPFOOL_TARGET = 96, 50


@dataclass(frozen=True)
class SearchBudget:
    """Starts, steps, repetitions and restarts that a search spends on a sample.

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
    race, finish, again, restart : DescentSchedule
        Descents of every start, of the best one, of that again as long as it helps, and of a
        restart.
    n_again, n_restarts : int
        The greatest number of repetitions, and the number of restarts.
    deepfool : bool
        Whether the first restart is from DeepFool's points.
    """

    n_candidates: int
    near: float
    far: tuple[float, ...]
    race: DescentSchedule
    finish: DescentSchedule
    again: DescentSchedule
    n_again: int
    restart: DescentSchedule
    n_restarts: int
    deepfool: bool = True

    def within(self, budget: int | None, n_targets: int) -> SearchBudget:
        """Fit the search into a number of passes, forwards and backwards, per sample.

        Parameters
        ----------
        budget : int or None
            The greatest number of passes; None: as this budget says.
        n_targets : int
            Number of target classes.

        Returns
        -------
        SearchBudget
            A budget that fits.

        Raises
        ------
        ValueError
            If the passes do not suffice for one start.
        """
        n_candidates, far = min(self.n_candidates, n_targets), self.far
        if n_candidates == 1 and (budget is None or budget >= AMPLE):
            # One target class leaves no choice: another start at the far end of the box.
            far = (*far, FAR_END)
        if budget is None:
            return replace(self, n_candidates=n_candidates, far=far)
        # The prediction and the confirmation, which may step out, and the last descent.
        left = budget - 5 - _passes(self.finish)
        each = 1 + len(far) * (2 + _passes(self.race))
        if left < each:
            raise ValueError(
                f"budget must be at least {budget - left + each} passes per sample for this "
                f"method; got {budget}."
            )
        n_candidates = min(n_candidates, left // each)
        left -= n_candidates * each
        n_again = min(self.n_again, left // _passes(self.again))
        left -= n_again * _passes(self.again)
        most = DEEPFOOL + DEEPFOOL_TARGET * min(3, n_targets)
        deepfool = left >= most + _passes(self.restart)
        n_restarts = (left - most * deepfool) // _passes(self.restart)
        return replace(
            self,
            n_candidates=n_candidates,
            far=far,
            n_again=n_again,
            n_restarts=n_restarts,
            deepfool=deepfool,
        )


def _passes(schedule: DescentSchedule) -> int:
    return 2 * schedule.n_steps + 1


# benchmarks/constants.json has each number halved and doubled. What that does to length and passes:
AUTO = SearchBudget(
    n_candidates=5,  # 3: +0.3 % length, 9: +5 % passes
    near=1.3,  # 1.15: +0.1 % length, 1.6: +11 % passes
    far=(4.0,),  # 2 and 8: the same within 0.1 %
    race=DescentSchedule(5, step=(2.0, 1.0), change=(0.3, 0.1)),  # 10 steps: +33 % passes
    # 5 steps: +0.8 % length, 20: +37 % passes; steps and changes alone: 0.2 % at most
    finish=DescentSchedule(10, step=(2.0, 0.01), change=(0.3, 0.002)),
    again=DescentSchedule(16, step=(2.0, 0.01), change=(0.3, 0.002)),  # 8 and 32: the same
    n_again=6,  # 3 and 12: the same
    # For STRONG; 12 steps: +0.01 % length there, -26 % passes, 48: the same length, +53 %
    restart=DescentSchedule(24, step=(2.0, 0.01), change=(0.3, 0.001)),
    n_restarts=0,
)
STRONG = replace(
    AUTO,
    n_candidates=9,
    near=np.inf,  # 1.3: +0.03 % length, -29 % passes
    far=(4.0, 30.0),  # for flat logits; on the networks of bench_constants 4 alone does as well
    # Twice and three times the steps of AUTO. Halved and doubled, the same length there.
    race=DescentSchedule(10, step=(2.0, 1.0), change=(0.3, 0.1)),  # -16 % and +33 % passes
    finish=DescentSchedule(30, step=(2.0, 0.01), change=(0.3, 0.001)),  # -3 % and +6 %
    n_restarts=12,  # 6 and 24: the same length there, -27 % and +54 % passes
)
