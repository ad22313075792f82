"""Numeric moves of rows, within fixed categories, by the searches of networks.

These searches know a norm, a box and a mask, but no units. They are therefore given the rows in
units, z = x / unit, where the cost of a numeric move is its norm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from robfair.distance._arrays import Flags
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient import (
    DescentSchedule,
    OwnBudget,
    own_distance,
    refine,
)
from robfair.distance.tabular._oracle import TableOracle
from robfair.distance.tabular._space import TableRows
from robfair.threat import ThreatModel


class _InUnits(nn.Module):
    """A network that multiplies its input by the units of the threat model."""

    unit: Tensor

    def __init__(self, module: nn.Module, unit: Tensor) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("unit", unit)

    def forward(self, z: Tensor) -> Any:
        return self.module(z * self.unit)


class NumericSearch:
    """Move the numeric features of rows as little as flips them."""

    def __init__(self, oracle: TableOracle) -> None:
        self.oracle, self.space, self.problem = oracle, oracle.space, oracle.problem
        self.unit = self.space.unit.astype(self.space.X.dtype)
        network, shape = self.problem.network, self.problem.shape
        unit = network.tensor(self.unit.reshape(1, *shape)).reshape(shape)
        # Integers move like continuous features here; blocks stay, since the mask leaves them out.
        box = [(side / self.unit).reshape(shape) for side in (self.space.low, self.space.high)]
        threat_model = ThreatModel(
            norm=self.space.norm,
            bounds=None if np.isinf(box).all() else (box[0], box[1]),
            mutable=self._mask(self.space.numeric),
        )
        self.numeric = replace(
            self.problem,
            model=replace(network, module=_InUnits(network.module, unit), transform=None),
            threat_model=threat_model,
            true_codes=None,
            y=None,
        )
        threat_model = replace(threat_model, mutable=self._mask(self.space.continuous))
        self.continuous = replace(self.numeric, threat_model=threat_model)

    def _mask(self, flags: Flags) -> NDArray[np.bool_] | None:
        # ThreatModel refuses a mask that is False everywhere; nothing is searched then.
        return flags.reshape(self.problem.shape) if flags.any() else None

    def search(self, rows: TableRows, budget: OwnBudget) -> tuple[TableRows, Flags]:
        """Search the least numeric moves that flip rows, as if integers were continuous.

        Return the rows, moved, and whether the search has flipped them. They must come without
        numeric moves and not flipped.
        """
        z = rows.points / self.unit
        problem = replace(self.numeric, X=z.reshape(-1, *self.problem.shape))
        results = ResultWriter(problem, keep_adversarial=True)
        own_distance(problem, results, budget)
        self.oracle.count(rows.sample, results.n_forward, results.n_backward)
        assert results.adversarial is not None
        points = self._from_units(rows.points, z, results.adversarial)
        return replace(rows, points=points), np.isfinite(results.distance)

    def _from_units(self, start: NDArray[Any], z: NDArray[Any], end: NDArray[Any]) -> NDArray[Any]:
        """Points for ends in units; features that have not moved from z keep those of the start."""
        end = end.reshape(z.shape)
        moved = np.clip(end * self.unit, self.space.low, self.space.high)
        stays = (end == z) | np.isnan(end)
        return self.space.prolong(start, np.where(stays, start, moved))

    def refine(self, rows: TableRows, schedule: DescentSchedule) -> tuple[TableRows, Flags]:
        """Move the continuous features only, from where they are, as little as flips the rows.

        Return the rows, moved, and whether they are flipped.
        """
        fixed = self.space.build(rows, continuous=False)
        flipped = self.oracle.margin(fixed) < 0
        left = np.flatnonzero(~flipped)
        if not self.space.continuous.any() or len(left) == 0:
            return fixed, flipped
        warm = self.space.build(rows[left])
        parts = [
            self._descend(fixed[left[batch]], warm[batch], schedule)
            for batch in self.oracle.batches(len(left))
        ]
        moved = replace(warm, points=np.concatenate(parts))
        flipped[left] = self.oracle.margin(moved) < 0
        fixed.points[left] = moved.points  # build has made a copy: the caller's rows stay
        return fixed, flipped

    def _forward(self, z: Tensor) -> Tensor:
        return self.oracle.forward(z * self.problem.model.tensor(self.unit[None]))

    def _descend(
        self, fixed: TableRows, warm: TableRows, schedule: DescentSchedule
    ) -> NDArray[Any]:
        """Descend from warm starts towards rows whose continuous features have not moved."""
        start, points = (self.problem.model.tensor(r.points / self.unit) for r in (fixed, warm))
        label = self.oracle.labels(fixed.sample)
        end = refine(self.continuous, self._forward, start, points, label, schedule)
        self.oracle.count(fixed.sample, schedule.n_steps + 2, schedule.n_steps + 1)
        return self._from_units(fixed.points, start.cpu().numpy(), end.cpu().numpy())
