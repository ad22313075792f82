"""What the model says of rows of a table: margins, gradients, and numeric moves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robfair._confirm import beyond_rounding, confirm, outwards
from robfair._problem import Forward, Problem, finite, margins
from robfair.adapters import affine_map
from robfair.distance._writer import ResultWriter
from robfair.distance.exact import linear_distance
from robfair.distance.gradient import (
    AUTO,
    DescentSchedule,
    SearchBudget,
    minimum_norm_distance,
    refine,
)
from robfair.distance.tabular._space import Array, Flags, Moves, Rows, Space
from robfair.threat import ThreatModel

__all__ = ["Judge"]


class _Scaled(nn.Module):
    """A network in the units of the threat model: numbers are multiplied by their units."""

    unit: Tensor

    def __init__(self, module: nn.Module, unit: Tensor) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("unit", unit)

    def forward(self, z: Tensor) -> Any:
        return self.module(z * self.unit)


class Judge:
    """Asks a network, and counts the passes for each sample.

    Searches that follow gradients go on in units (z = x / unit), where the cost of a numeric move
    is its norm and all that has been made for boxes and norms holds.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        The samples; where passes are counted.
    space : Space
        How rows may change.
    forward : callable
        From points (m, d) to logits.
    """

    def __init__(
        self, problem: Problem, results: ResultWriter, space: Space, forward: Forward
    ) -> None:
        self.problem, self.results, self.space, self.forward = problem, results, space, forward
        self.unit = space.unit.astype(space.X.dtype)
        network = problem.network
        unit = network.tensor(self.unit.reshape(1, *problem.shape)).reshape(problem.shape)
        self.affine = affine_map(network.module) if network.to_logits is None else None
        if self.affine is not None:
            self.affine = (self.affine[0] * unit.double().ravel(), self.affine[1])
        box = [(side / self.unit).reshape(problem.shape) for side in (space.low, space.high)]
        self.scaled = replace(
            problem,
            model=replace(network, module=_Scaled(network.module, unit), transform=None),
            threat_model=ThreatModel(
                norm=space.norm,
                bounds=None if np.isinf(box).all() else (box[0], box[1]),
                mutable=self._mask(space.numeric),
            ),
            codes=None,
            y=None,
        )
        rules = replace(self.scaled.threat_model, mutable=self._mask(space.continuous))
        self.held = replace(self.scaled, threat_model=rules)  # integers stay

    def _mask(self, flags: Flags) -> NDArray[np.bool_] | None:
        return flags.reshape(self.problem.shape) if flags.any() else None

    def _batches(self, n: int) -> Iterator[slice]:
        size = self.problem.batch_size
        return (slice(first, first + size) for first in range(0, n, size))

    def _count(self, owner: Rows, forward: int, backward: int = 0) -> None:
        times = np.bincount(owner, minlength=len(self.results.distance))
        self.results.n_forward += (forward * times).astype(np.int32)
        self.results.n_backward += (backward * times).astype(np.int32)

    def _labels(self, owner: Rows) -> Tensor:
        return torch.from_numpy(self.results.codes[owner]).to(self.problem.model.device)

    def predict(self, points: NDArray[Any]) -> Rows:
        """Class of points; not counted."""
        codes = np.empty(len(points), dtype=np.intp)
        with torch.no_grad():
            for batch in self._batches(len(points)):
                logits = finite(self.forward(self.problem.model.tensor(points[batch])))
                codes[batch] = logits.argmax(dim=1).cpu().numpy()
        return codes

    def margin(self, owner: Rows, points: NDArray[Any]) -> tuple[Array, Flags]:
        """Margin of each row, negative once flipped, and whether it is beyond rounding."""
        margin, sure = np.empty(len(owner)), np.empty(len(owner), dtype=bool)
        dtype = self.problem.model.dtype
        with torch.no_grad():
            for batch in self._batches(len(owner)):
                logits = finite(self.forward(self.problem.model.tensor(points[batch])))
                values = margins(logits, self._labels(owner[batch]))
                margin[batch] = values.double().cpu().numpy()
                sure[batch] = beyond_rounding(values, logits, dtype).cpu().numpy()
        self._count(owner, 1)
        return margin, sure

    def slopes(self, moves: Moves, n_rivals: int) -> Array:
        """Gradients of the gaps to the nearest rivals, per feature and not per unit.

        Parameters
        ----------
        moves : Moves
            Rows.
        n_rivals : int
            Number of rivals.

        Returns
        -------
        ndarray of shape (n_rivals, m, d)
            The gradients.
        """
        slopes = np.empty((n_rivals, *moves.points.shape))
        for batch in self._batches(len(moves)):
            x = self.problem.model.tensor(moves.points[batch]).requires_grad_(True)
            label = self._labels(moves.owner[batch])
            with torch.enable_grad():
                logits = self.forward(x)
                own = logits.gather(1, label[:, None])
                others = logits.detach().scatter(1, label[:, None], -torch.inf)
                gaps = own - logits.gather(1, others.topk(n_rivals, dim=1).indices)
                for j in range(n_rivals):
                    (slope,) = torch.autograd.grad(
                        gaps[:, j].sum(), x, retain_graph=True, materialize_grads=True
                    )
                    slopes[j, batch] = slope.double().cpu().numpy()
        self._count(moves.owner, 1, n_rivals)
        return slopes

    def confirm(self, moves: Moves) -> Moves:
        """Predict flipped rows once more, and step out to where rounding cannot take that back."""
        x, points = self.space.X[moves.owner], moves.points

        def attempt(index: Tensor, beyond: float) -> tuple[Tensor, Tensor, Tensor]:
            rows = index.numpy()
            tried = points[rows] + beyond * (points[rows] - x[rows])
            tried = np.clip(tried, self.space.low, self.space.high).astype(points.dtype)
            tried = np.where(self.space.continuous, tried, points[rows])
            margin, sure = self.margin(moves.owner[rows], tried)
            return torch.from_numpy(tried), torch.from_numpy(margin < 0), torch.from_numpy(sure)

        ends = torch.from_numpy(points)
        confirmed = confirm(ends, (0.0, *outwards(ends.dtype)), attempt).numpy()
        flipped = ~np.isnan(confirmed).any(axis=1)
        return replace(moves, points=confirmed)[flipped]

    def dual(self, slope: Array, on: Flags) -> Array:
        """How fast a margin falls at most, per unit of cost, by moves of some features."""
        steepness = slope[:, on] * self.space.unit[on]
        order = 2 if self.space.norm == 2 else 1
        return np.linalg.norm(steepness, order, axis=1) if on.any() else np.zeros(len(slope))

    def numeric(self, moves: Moves, plan: SearchBudget) -> tuple[Moves, Flags]:
        """Least numeric moves that flip the rows, as if integers were continuous.

        Parameters
        ----------
        moves : Moves
            Rows with categories in place and no numeric moves, not flipped.
        plan : SearchBudget
            What to spend on each.

        Returns
        -------
        moves : Moves
            The rows, moved.
        found : ndarray of bool, of shape (m,)
            Whether anything was found.
        """
        return self._search(moves, self.scaled, plan)

    def _search(self, moves: Moves, problem: Problem, plan: SearchBudget) -> tuple[Moves, Flags]:
        z = moves.points / self.unit
        problem = replace(problem, X=z.reshape(-1, *self.problem.shape))
        results = ResultWriter(problem, keep_adversarial=True)
        if self.affine is not None:
            linear_distance(problem, results, self.affine)
        else:
            minimum_norm_distance(problem, results, plan, seed=0, fallback=False)
        size = len(self.results.distance)
        for total, part in (
            (self.results.n_forward, results.n_forward),
            (self.results.n_backward, results.n_backward),
        ):
            total += np.bincount(moves.owner, part, size).astype(np.int32)
        assert results.adversarial is not None
        points = self._back(moves.points, z, results.adversarial)
        return replace(moves, points=points), np.isfinite(results.distance)

    def _back(self, start: NDArray[Any], z: NDArray[Any], end: NDArray[Any]) -> NDArray[Any]:
        """Points for points in units; what has not moved stays as it is."""
        end = end.reshape(z.shape)
        moved = np.clip(end * self.unit, self.space.low, self.space.high)
        points: NDArray[Any] = np.where((end == z) | np.isnan(end), start, moved)
        return points

    def refine(self, moves: Moves, schedule: DescentSchedule) -> tuple[Moves, Flags]:
        """Move the continuous features only, from where they are, as little as flips the rows.

        Parameters
        ----------
        moves : Moves
            Rows whose continuous features are where the search begins.
        schedule : DescentSchedule
            Descent of each.

        Returns
        -------
        moves : Moves
            The rows, moved.
        flipped : ndarray of bool, of shape (m,)
            Whether they are flipped.
        """
        fixed = self.space.build(moves, continuous=False)
        margin, _ = self.margin(fixed.owner, fixed.points)
        flipped = margin < 0
        rows = np.flatnonzero(~flipped)
        if not self.space.continuous.any() or len(rows) == 0:
            return fixed, flipped
        warm = self.space.build(moves[rows])
        if self.affine is not None:
            points = self._search(fixed[rows], self.held, AUTO)[0].points
        else:
            batches = self._batches(len(rows))
            points = np.concatenate(
                [self._descend(fixed[rows[b]], warm[b], schedule) for b in batches]
            )
        again, _ = self.margin(fixed.owner[rows], points)
        fixed.points[rows], flipped[rows] = points, again < 0
        return fixed, flipped

    def _scaled_forward(self, z: Tensor) -> Tensor:
        return self.forward(z * self.problem.model.tensor(self.unit[None]))

    def _descend(self, fixed: Moves, warm: Moves, schedule: DescentSchedule) -> Any:
        start, points = (self.problem.model.tensor(m.points / self.unit) for m in (fixed, warm))
        label = self._labels(fixed.owner)
        end = refine(self.held, self._scaled_forward, start, points, label, schedule)
        self._count(fixed.owner, schedule.n_steps + 2, schedule.n_steps + 1)
        return self._back(fixed.points, start.cpu().numpy(), end.cpu().numpy())
