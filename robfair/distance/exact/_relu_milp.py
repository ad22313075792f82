"""A ReLU network around one sample as a mixed-integer linear program, solved by HiGHS.

Variables are the step, its size, and for each neuron whose sign is not fixed within the radius (an
unstable one) its output and a binary that tells whether it is active. The output of the other
neurons is an affine function of these. The solver's tolerances are absolute, so that everything is
measured in units in which it is around 1: the step in units of the radius, a neuron in units of its
own bound.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp

from robfair.distance._arrays import Array, Flags, Indices

__all__ = ["SAFETY", "Program", "ReluNetwork", "Solution"]

# HiGHS takes a constraint as met within 1e-7, a number as whole within 1e-6, a bound as proved
# within 1e-7. With numbers around 1, what it calls a bound is one after this has been taken off.
SAFETY = 1e-6

INFEASIBLE = 2  # status of scipy.optimize.milp


class ReluNetwork(NamedTuple):
    """Affine maps with a ReLU between each two, as a function of the step from a sample."""

    layers: list[tuple[Array, Array]]  # (weight, bias); the first is applied to the step
    norm: float  # of the step
    low: Array  # (n,), down to where each coordinate of the step may go: -inf where open
    high: Array  # (n,), up to where; inf where open
    # Bounds of the rounding of each logit: at the sample, and per unit of the step's norm.
    error: Array | None = None
    growth: Array | None = None

    def rounding(self, n_classes: int) -> tuple[Array, Array]:
        """Return both bounds, of shape (n_classes,)."""
        none = np.zeros(n_classes)
        return (
            none if self.error is None else self.error,
            none if self.growth is None else self.growth,
        )


class Solution(NamedTuple):
    """The proof and the result of the solver, in units of the radius."""

    bound: float  # no step to the target class is shorter; inf if none lies within the radius
    step: Array | None = None  # (n,), the best one found, within the solver's tolerances
    active: list[Flags] | None = None  # after it, the neurons of each hidden layer


class Program:
    """All steps within a radius, and the outputs of the network after them.

    `deadline` is when to stop, on the clock of ``time.perf_counter``.
    """

    def __init__(self, network: ReluNetwork, radius: float, deadline: float) -> None:
        self.norm, self.radius, self.deadline = network.norm, radius, deadline
        self.n = n = len(network.low)
        self.low, self.high, self.integer = np.empty(0), np.empty(0), np.empty(0, dtype=np.intp)
        self.blocks: list[tuple[Array, Array]] = []  # matrix @ variables <= values
        self.binaries: list[Indices] = []
        self._variables(np.maximum(network.low / radius, -1), np.minimum(network.high / radius, 1))
        self._add_size()
        weight, bias = np.eye(n) * radius, np.zeros(n)
        for k, (w, b) in enumerate(network.layers):
            weight, bias = w @ weight, w @ bias + b
            if k < len(network.layers) - 1:
                low, high = self._range(weight, bias)
                if k > 0:  # the first layer's range is exact, or nearly so
                    self._tighten(weight, bias, low, high)
                weight, bias = self._relu(weight, bias, low, high)
        self.logits = weight, bias
        error, growth = network.rounding(len(bias))
        self.error = error + radius * growth

    def _variables(self, low: Array, high: Array, integer: int = 0) -> Indices:
        """Add variables and return their indices."""
        self.low, self.high = np.append(self.low, low), np.append(self.high, high)
        self.integer = np.append(self.integer, np.full(len(low), integer))
        return np.arange(len(self.low) - len(low), len(self.low))

    def _add_size(self) -> None:
        """Add the size of the step: t >= |step_i| for L-inf, s_i >= step_i^2 for L2."""
        n = self.n
        if self.norm == 2:
            self.size = self._variables(np.zeros(n), np.ones(n))
            self.blocks.append((np.repeat([[0.0, 1.0]], n, axis=1), np.ones(1)))
            for at in 2.0 ** np.arange(-2, 2) / n**0.5:  # around the size of an even step
                self.add_tangents(np.full(n, at))
                self.add_tangents(np.full(n, -at))
        else:
            self.size = self._variables(np.zeros(1), np.ones(1))
            for side in (np.eye(n), -np.eye(n)):
                self.blocks.append((np.column_stack([side, -np.ones(n)]), np.zeros(n)))

    def add_tangents(self, step: Array) -> None:
        """Bound the squares s_i in L2 from below by their tangents at a step."""
        if self.norm == 2:
            self.blocks.append((np.hstack([np.diag(2 * step), -np.eye(self.n)]), step**2))

    def _range(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        """Return ranges by interval arithmetic; the norm and the box both bound the step."""
        n, width = self.n, weight.shape[1]
        low, high = self.low[:width], self.high[:width]

        def greatest(rows: Array) -> Array:
            parts = np.where(rows > 0, rows * high, rows * low)
            dual = np.linalg.norm(rows[:, :n], 2 if self.norm == 2 else 1, axis=1)
            most: Array = np.minimum(parts[:, :n].sum(axis=1), dual) + parts[:, n:].sum(axis=1)
            return most

        return bias - greatest(-weight), bias + greatest(weight)

    def _tighten(self, weight: Array, bias: Array, low: Array, high: Array) -> None:
        """Improve the ranges of unstable neurons by linear programs, in place."""
        for j in np.flatnonzero((low < 0) & (high > 0)):
            scale = max(high[j], -low[j])
            high[j] = min(high[j], bias[j] + self._greatest(weight[j] / scale) * scale)
            if high[j] > 0:  # else it is inactive, and its lower end does not matter
                low[j] = max(low[j], bias[j] - self._greatest(-weight[j] / scale) * scale)

    def _greatest(self, row: Array) -> float:
        """Return an upper bound of ``row @ variables``, with the binaries relaxed."""
        result = self._milp(-row, relaxed=True)
        return np.inf if result is None or result.status != 0 else SAFETY - result.fun

    def _relu(self, weight: Array, bias: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """Apply a ReLU to neurons in these ranges; return its outputs in terms of the variables."""
        unstable = np.flatnonzero((low < 0) & (high > 0))
        k = len(unstable)
        scale = np.maximum(high, -low)[unstable]
        least, most = low[unstable] / scale, high[unstable] / scale
        outputs = self._variables(np.zeros(k), most)
        binaries = self._variables(np.zeros(k), np.ones(k), integer=1)
        # Of a stable neuron the sign alone is kept: -1 for an inactive one, -2 for an active one.
        self.binaries.append(np.where(high <= 0, -1, -2))
        self.binaries[-1][unstable] = binaries

        total = len(self.low)
        a, s, z = np.zeros((3, k, total))
        a[np.arange(k), outputs] = 1
        s[np.arange(k), binaries] = 1
        z[:, : weight.shape[1]] = weight[unstable] / scale[:, None]
        shift = bias[unstable] / scale
        self.blocks += [
            (z - a, -shift),  # a >= z
            (a - z - least[:, None] * s, shift - least),  # a <= z - least (1 - s)
            (a - most[:, None] * s, np.zeros(k)),  # a <= most s
        ]
        active = low >= 0
        after = np.zeros((len(bias), total))
        after[:, : weight.shape[1]] = weight * active[:, None]
        after[unstable, outputs] = scale
        return after, bias * active

    def solve(self, label: int, target: int) -> Solution:
        """Ask for the smallest step after which `target`'s logit may be no less than `label`'s.

        By rounding it may be where it is less by the bounds of both.
        """
        weight, bias = self.logits
        row, shift = weight[[target]] - weight[label], bias[[target]] - bias[label]
        shift = shift + self.error[target] + self.error[label]
        low, high = self._range(row, shift)
        if high[0] < 0:
            return Solution(np.inf)
        scale = np.maximum(high, -low) if low[0] < high[0] else 1.0  # a constant gap
        objective = np.zeros(len(self.low))
        objective[self.size] = 1
        result = self._milp(objective, (-row / scale, shift / scale))
        if result is not None and result.status == INFEASIBLE:
            return Solution(np.inf)
        bound = self._bound(result)
        if result is None or result.x is None:
            return Solution(bound)
        active = [np.where(k < 0, k == -2, result.x[k] > 0.5) for k in self.binaries]
        return Solution(bound, result.x[: self.n], active)

    def _bound(self, result: OptimizeResult | None) -> float:
        """Return the lower bound that is proved; 0 if the solver stopped before it had one."""
        if result is None:
            return 0.0
        # Without a binary it is a linear program, and its optimum the bound.
        solved = result.fun if result.status == 0 else None
        bound = solved if result.mip_dual_bound is None else result.mip_dual_bound
        slack = 2 * SAFETY if self.norm == 2 else SAFETY
        proved = 0.0 if bound is None else max(float(bound) - slack, 0.0)
        return math.sqrt(proved) if self.norm == 2 else proved

    def _milp(
        self, objective: Array, extra: tuple[Array, Array] | None = None, relaxed: bool = False
    ) -> OptimizeResult | None:
        """Minimise over the variables; None if there is no time left."""
        left = self.deadline - time.perf_counter()
        if left <= 0:
            return None
        total = len(self.low)
        blocks = self.blocks if extra is None else [*self.blocks, extra]
        wide = [np.pad(matrix, [(0, 0), (0, total - matrix.shape[1])]) for matrix, _ in blocks]
        return milp(
            np.pad(objective, (0, total - len(objective))),
            integrality=None if relaxed else self.integer,
            bounds=Bounds(self.low, self.high),
            constraints=LinearConstraint(
                np.concatenate(wide), -np.inf, np.concatenate([values for _, values in blocks])
            ),
            options={"mip_rel_gap": 1e-7, "time_limit": left},
        )
