"""Exact distance to the boundary of a small ReLU network, one sample at a time.

For each target class a mixed-integer linear program (:mod:`._relu_milp`) asks for the smallest step
after which the logit of the target is not below that of the predicted class. In L-inf this is the
distance. In L2 the program knows the squares of the coordinates only by tangents, which bound them
from below. So each solution is improved to the nearest point of its linear region
(:mod:`._relu_region`), the tangents at that point are added, and the program is solved again until
bound and point agree. The tangents at its nearest point settle a region, so there are as many
rounds as there are regions that compete.

The radius of a program is the best distance so far. Only neurons that can change their sign within
the radius cost time, so nothing helps more than a good upper bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from robfair._confirm import beyond_rounding
from robfair._problem import margins
from robfair.adapters import LogitModel
from robfair.distance._arrays import Array, Flags
from robfair.distance.exact._reading import Reading
from robfair.distance.exact._relu_milp import SAFETY, Program, ReluNetwork
from robfair.distance.exact._relu_region import nearest_in_region

__all__ = ["TOLERANCE", "relu_distance"]

Verify = Callable[[Array], tuple[float, Array]]  # from a step to a flipped point: distance, point

TOLERANCE = 4 * SAFETY  # an interval this narrow, relative to its end, is closed
ROUNDS = 60  # of doubling the radius, and of solving a program again: a guard, not a budget
# How far beyond the boundary to look for a point that is flipped, relative to the step.
LEADS = (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)  # in units of the step
BEYOND = np.append(0, np.logspace(-8, -2, 25))


def relu_distance(
    module: nn.Module,
    x: Array,
    label: int,
    *,
    norm: float,
    shape: tuple[int, ...],
    box: tuple[Array, Array] | None,
    mask: Flags | None,
    upper: float = np.inf,
    time_limit: float | None = None,
) -> tuple[float, float, Array | None]:
    """Bound the distance of one sample from both sides, up to a relative 4e-6 if time allows.

    Parameters
    ----------
    module : torch.nn.Module
        Of layers that :meth:`Reading.relu` supports.
    x, label : ndarray of shape (n_features,), float64, and int
        The sample, in the box, and the class that the module predicts there.
    norm : {2, inf}
        The norm.
    shape : tuple of int
        Shape of one sample, as the module takes it.
    box : tuple of two ndarrays of shape (n_features,), or None
        The box that the points must stay in.
    mask : ndarray of bool, of shape (n_features,), or None
        Features that may change; None when all may.
    upper : float, default=inf
        Distance of a point known to be predicted differently. Without one the radius is doubled
        until a point is found.
    time_limit : float or None, default=None
        Seconds after which to return the bounds found so far. None: no limit.

    Returns
    -------
    low : float
        Nothing nearer is predicted differently by the module, whatever it rounds. inf if no other
        class can be reached in the box.
    high : float
        Distance of a point that the module itself predicts differently: `upper`, or less.
    point : ndarray of shape (n_features,), float64, or None
        That point, rounded to the dtype of the module; None if `upper` was not improved.

    Raises
    ------
    ValueError
        If the module has a layer that is not supported, or does not fit the sample.

    Notes
    -----
    The time grows exponentially with the number of neurons that can change their sign within
    `upper`: on trained networks with 10 inputs, and DeepFool's distance as `upper`, 0.1 s (L-inf)
    and 0.4 s (L2) a sample for 16 neurons, 2 s and 9 s for two layers of 32 (medians, one core).
    Bounds left by a time limit can be far apart: combine them with others.
    """
    deadline = np.inf if time_limit is None else time.perf_counter() + time_limit
    reading = Reading.relu(module)
    layers = [(w.cpu().numpy(), b.cpu().numpy()) for w, b in reading.maps()]
    weight, bias = layers[0]
    if weight.shape[1] != x.size:
        raise ValueError(
            f"the first affine layer takes {weight.shape[1]} features, and a sample of shape "
            f"{shape} has {x.size}: put nn.Flatten first."
        )
    mutable = np.full(x.size, True) if mask is None else mask
    slack = np.full((2, x.size), [[-np.inf], [np.inf]])
    if box is not None:  # a sample may lie out of it by a rounding error
        slack = np.array([np.minimum(box[0] - x, 0), np.maximum(box[1] - x, 0)])
    first = (weight[:, mutable], weight @ x + bias)
    model = LogitModel(module)
    given = torch.from_numpy(x[None]).to(model.device)
    moving = torch.from_numpy(mutable.copy()).to(model.device)
    rounding = reading.rounding(given, norm, moving, model.dtype)
    error, growth = (bound.cpu().numpy() for bound in (rounding.still[0], rounding.growth))
    low, high = slack[:, mutable]
    network = ReluNetwork([first, *layers[1:]], norm, low, high, error, growth)
    labels = torch.full((len(BEYOND),), label, device=model.device)
    with torch.no_grad(), model.forward(shape) as forward:

        def verify(step: Array) -> tuple[float, Array]:
            """Return the first point at the end of a step, or beyond, that is flipped."""
            moved = np.tile(x, (len(BEYOND), 1))
            moved[:, mutable] += (1 + BEYOND)[:, None] * step
            points: Tensor = model.tensor(moved)
            if box is not None:
                points = points.clamp(*model.tensor(np.stack(box)))
            logits = forward(points)
            margin = margins(logits, labels)
            flipped = beyond_rounding(margin, logits, points.dtype).cpu().numpy()
            point = points.double().cpu().numpy()[flipped.argmax()]
            return float(np.linalg.norm(point - x, norm)) if flipped.any() else np.inf, point

        search = _Search(network, label, upper, deadline, verify)
        search.run()
    return search.low, search.high, search.point


class _Search:
    """Raises the lower bounds and lowers the upper bound of a distance until they meet."""

    def __init__(
        self, network: ReluNetwork, label: int, upper: float, deadline: float, verify: Verify
    ) -> None:
        self.network, self.label, self.verify = network, label, verify
        self.high, self.deadline = upper, deadline
        self.point: Array | None = None
        self.touched: list[Array] = []  # steps that have their tangents
        corner = np.maximum(-network.low, network.high)
        self.farthest = float(np.linalg.norm(corner, network.norm))  # inf in an open box
        low, self.linear = _first_bounds(network, label)
        # Beyond the farthest corner there is nothing left to search.
        self.bounds = np.where(low > self.farthest, np.inf, low)

    @property
    def low(self) -> float:
        """Lower bound of the distance."""
        return min(float(self.bounds.min()), self.high)

    def run(self) -> None:
        """Search the target classes by their linearised distances, at growing radii."""
        radius = self.high
        if np.isinf(radius):
            # Half as long again as the nearest linearised boundary: mostly enough at the first try.
            known = np.append(1.5 * self.linear, 2 * self.bounds)
            known = known[(known > 0) & np.isfinite(known)]
            radius = known.min(initial=self.farthest)
        for _ in range(ROUNDS):
            radius = min(radius, self.high, self.farthest)
            if radius == 0 or np.isinf(radius):
                return
            for target in np.argsort(self.linear):
                if target != self.label:
                    self._close(int(target), radius)
            if radius >= min(self.high, self.farthest) or time.perf_counter() > self.deadline:
                return
            radius *= 2

    def _close(self, target: int, radius: float) -> None:
        """Raise the bound of a target to the radius or the best distance, or lower the latter."""
        program: Program | None = None
        for _ in range(ROUNDS):
            low, high = self.bounds[target], self.high
            end = min(high, radius)
            closed = low >= end * (1 - TOLERANCE * np.isfinite(high))
            if closed or time.perf_counter() > self.deadline:
                return
            # A smaller radius fixes the sign of more neurons, which pays for building anew.
            if program is None or end < 0.95 * program.radius:
                program = Program(self.network, end, self.deadline)
                for touched in self.touched:
                    program.add_tangents(touched / end)
            bound, step, active = program.solve(self.label, target)
            if np.isinf(bound):
                whole = program.radius == self.farthest
                self.bounds[target] = np.inf if whole else max(low, program.radius * (1 - SAFETY))
                return
            self.bounds[target] = max(low, bound * program.radius)
            if step is not None and active is not None:
                self._take(program, step)
                self._improve(program, target, active)
            if self.bounds[target] <= low * (1 + 1e-9) and self.high >= high * (1 - 1e-9):
                return  # nothing more can be gained within the solver's tolerances

    def _improve(self, program: Program, target: int, active: list[Flags]) -> None:
        """Go to the nearest point of a linear region, and beyond the boundary inside of it.

        The boundary has edges, and behind an edge a longer step may be on this side again.
        """
        unit = program.radius
        for lead in LEADS:
            step = nearest_in_region(self.network, active, self.label, target, unit, lead)
            if step is None:
                return
            self._take(program, step, tangents=lead == 0)
            if self.high <= np.linalg.norm(step, self.network.norm) * unit * (1 + SAFETY):
                return

    def _take(self, program: Program, step: Array, tangents: bool = True) -> None:
        """Take over a step, in units of the program's radius, if it is the best so far."""
        if tangents:
            program.add_tangents(step)
            self.touched.append(step * program.radius)
        size, point = self.verify(step * program.radius)
        if size < self.high:
            self.high, self.point = size, point


def _first_bounds(network: ReluNetwork, label: int) -> tuple[Array, Array]:
    """Return Lipschitz bounds of the distance to each target, and the linearised distances.

    Both are inf for `label`. The first is the result if time runs out at once.
    """
    n, norm = len(network.low), network.norm
    weight: Array = np.eye(n)
    bias: Array = np.zeros(n)
    lipschitz = 1 + SAFETY
    for w, b in network.layers[:-1]:
        weight, bias = w @ weight, w @ bias + b
        lipschitz *= float(np.linalg.norm(w, norm))
        weight, bias = weight * (bias > 0)[:, None], bias.clip(min=0)
    w, b = network.layers[-1]
    weight, bias = w @ weight, w @ bias + b
    gap = (bias[label] - bias).clip(min=0)
    dual = 2 if norm == 2 else 1
    steepest = np.linalg.norm(w - w[label], dual, axis=1) * lipschitz
    slope = np.linalg.norm(weight - weight[label], dual, axis=1)
    error, growth = (each + each[label] for each in network.rounding(len(b)))
    sure = (gap - error).clip(min=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(sure > 0, sure / (steepest + growth), 0.0)
        linear = np.where(gap > 0, gap / slope, 0.0)
    low[label] = linear[label] = np.inf
    return low, linear
