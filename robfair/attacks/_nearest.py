"""The points of the search for the least distance, for samples that steps have not fooled.

Steps on the cross-entropy follow the class that is ahead, from one start. Another class may be
nearer: on a linear model of four, 20 steps left 5 % of the samples right that can be fooled, and
with 200 steps from ten starts 0 to 3 %. On small networks of two classes they left 2 to 7 % where a
way round is nearer; more steps changed nothing, and ten starts, or these points, left about 2 %.
The search for the least distance considers each class that is near, and one search serves every
eps. For an affine model its distance is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from robfair._problem import distances
from robfair.attacks._gradient_attack import Attempt, GradientAttack
from robfair.distance import DistanceOptions, measure_distance

__all__ = ["NearestPoints"]


@dataclass
class NearestPoints:
    """The nearest points found for the samples of an attack; searched once, when first asked for.

    Attributes
    ----------
    attack : GradientAttack
        The attack. It must lead away from labels, not towards a target.
    lower : ndarray of shape (n_samples,)
        Radii within which nothing can succeed; 0 where none is proven.
    """

    attack: GradientAttack
    lower: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        problem = self.attack.problem
        self.lower = np.zeros(len(problem.X))
        self._searched = np.zeros(len(problem.X), dtype=bool)
        self._points = np.zeros(problem.X.shape)
        self._size = np.full(len(problem.X), np.inf)

    def within(
        self, index: NDArray[np.intp], eps: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], Attempt | None]:
        """Return those of some samples whose nearest point is within their eps, and the points."""
        self._search(index[~self._searched[index]])
        rows = index[self._size[index] <= eps]
        if len(rows) == 0:
            return rows, None
        return rows, self.attack.judge(rows, self.attack.problem.model.tensor(self._points[rows]))

    def _search(self, index: NDArray[np.intp]) -> None:
        if len(index) == 0:
            return
        attack, problem = self.attack, self.attack.problem
        found = measure_distance(
            replace(problem.model, transform=None),  # X has been transformed
            problem.X[index],
            threat_model=problem.threat_model,
            options=DistanceOptions(
                batch_size=problem.batch_size,
                random_state=attack.seed,
                n_jobs=attack.options.n_jobs,
            ),
        )
        attack.n_forward[index] += found.n_forward
        attack.n_backward[index] += found.n_backward
        self._searched[index] = True
        assert found.adversarial is not None
        near = np.isfinite(found.distance)
        self._points[index[near]] = found.adversarial[near]
        points, x = problem.model.tensor(self._points[index]), problem.tensor(index)
        self._size[index] = distances(points, x, problem.norm).cpu().numpy()
        self._size[index[~near]] = np.inf
        if found.lower is not None:
            self.lower[index] = found.lower
