"""Rows of a table, the edits between them, and their costs.

A perturbed row has a discrete part, the category of each block and the number of steps of each
integer, and a continuous part. Searches change the discrete part by *edits*: another category for
one block, or one step more or less for one integer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._problem import Problem
from robfair.distance._arrays import Array, Flags, Indices
from robfair.threat import ThreatModel


@dataclass(frozen=True)
class TableRows:
    """Perturbed rows of samples; `sample` is the index of the sample that each row perturbs."""

    sample: Indices  # (m,); samples may repeat
    categories: Indices  # (m, n_blocks), of the mutable blocks
    steps: Array  # (m, n_integers), whole numbers
    points: NDArray[Any]  # (m, d); TableSpace.build brings them up to date with the others

    def __len__(self) -> int:
        return len(self.sample)

    def __getitem__(self, index: Any) -> TableRows:
        return TableRows(*(array[index] for array in self.arrays()))

    def arrays(self) -> tuple[Indices, Indices, Array, NDArray[Any]]:
        """Return the four arrays."""
        return self.sample, self.categories, self.steps, self.points

    def where(self, flags: Flags, others: TableRows) -> TableRows:
        """Take these rows where `flags` are set, and others elsewhere."""
        pairs = zip(self.arrays()[1:], others.arrays()[1:], strict=True)
        return TableRows(self.sample, *(np.where(flags[:, None], a, b) for a, b in pairs))

    @staticmethod
    def join(parts: list[TableRows]) -> TableRows:
        """Concatenate rows."""
        arrays = zip(*(part.arrays() for part in parts), strict=True)
        return TableRows(*map(np.concatenate, arrays))


class TableSpace:
    """The rows that an attacker may make of samples, in the dtype of the model, and their costs.

    A continuous feature stays, or moves by its `resolution` at least: 1e-9 of its unit, and if
    `written`, the last decimal place of its column. Trees cut at values of the data, so that
    without it the sample itself would be the nearest row. In a norm ball it is 0. `grid` has the
    steps in which trees move a column: those of integers, and the decimal places; 0 for none.

    Parameters
    ----------
    threat_model : ThreatModel
        What may change, and what it costs. A norm ball is a table without blocks and integers.
    X : ndarray of shape (n_samples, ...)
        The samples.
    dtype : dtype
        That of the model's points.
    written : bool, default=False
        Whether changes reach the last decimal place of a column.
    """

    def __init__(
        self, threat_model: ThreatModel, X: NDArray[Any], dtype: Any, *, written: bool = False
    ) -> None:
        shape = X.shape[1:]
        self.X = X.reshape(len(X), -1).astype(dtype)
        self.norm = threat_model.norm
        self.unit = threat_model.units(shape)
        self.category_cost = threat_model.category_cost
        self.numeric = threat_model.numeric(shape)
        spacing = threat_model.spacing(shape)
        self.integers = np.flatnonzero(self.numeric & (spacing > 0))
        self.continuous = self.numeric & (spacing == 0)
        self.resolution = np.zeros(self.X.shape[1])
        self.grid = np.where(self.numeric, spacing, 0)
        if threat_model.is_mixed:
            self.resolution = threat_model.resolution(shape, written=written)
            places = self.resolution > threat_model.resolution(shape, written=False)
            self.grid = np.where(self.continuous & places, self.resolution, self.grid)
        self.spacing = spacing[self.integers]
        self.step_cost = self.spacing / self.unit[self.integers]
        box = threat_model.box(shape)
        open_side = np.full(self.X.shape[1], np.inf)
        # Rounded as X is, or the rounding alone could put a sample outside.
        box = (
            (-open_side, open_side) if box is None else (box[0].astype(dtype), box[1].astype(dtype))
        )
        self.low, self.high = box
        self.least_steps, self.most_steps = self.step_limits(
            slice(None), self.integers, self.spacing
        )
        self.blocks = [threat_model.blocks[b] for b in threat_model.mutable_blocks(shape)]
        self.columns = [np.array(block.columns) for block in self.blocks]
        # Gaps are NaN in the rows of every search, and category -1: they stay.
        self.gap = np.isnan(self.X)
        held = [block.match(self.X) for block in self.blocks]
        self.own_categories = np.array(held, dtype=np.intp).reshape(len(held), len(self.X)).T
        # An edit each: the feature (a block, or n_blocks + an integer) and the category or step.
        sizes = [len(block.codes) for block in self.blocks]
        n_integers = len(self.integers)
        self.n_blocks, self.n_discrete = len(sizes), len(sizes) + n_integers
        self.edit_feature = np.repeat(np.arange(self.n_discrete), [*sizes, *[2] * n_integers])
        self.edit_value = np.concatenate(
            [*map(np.arange, sizes), np.tile([-1, 1], n_integers)]
        ).astype(np.intp)

    def step_limits(self, rows: Any, columns: Any, spacing: Array | float) -> tuple[Array, Array]:
        """Return the least and the greatest whole steps of columns of rows inside the box."""
        columns = np.atleast_1d(columns)
        x = self.X[rows][:, columns].astype(np.float64)
        sides = (self.low[columns], self.high[columns])
        eps = np.finfo(self.X.dtype).eps
        limits = []
        for sign, side in zip((-1, 1), sides, strict=True):
            # So that a sample that lies a whole number of steps from the bound may go all of them.
            slack = sign * (side.astype(np.float64) - x)
            rounding = np.where(np.isfinite(slack), eps * (np.abs(x) + np.abs(side)), 0)
            steps = sign * np.floor((slack + rounding) / spacing)
            limits.append(np.where(np.isnan(steps), 0, steps))
        return limits[0], limits[1]

    def unperturbed(self, samples: Indices) -> TableRows:
        """Return samples as they are."""
        steps = np.zeros((len(samples), len(self.integers)))
        return TableRows(samples, self.own_categories[samples], steps, self.X[samples])

    def build(self, rows: TableRows, continuous: bool = True) -> TableRows:
        """Bring the points of rows up to date with their categories and steps.

        Continuous features stay as they are in the points, or return to the sample. Nothing moves
        into a gap or out of one.
        """
        x, own = self.X[rows.sample], self.own_categories[rows.sample]
        points = np.where(self.continuous, self.prolong(x, rows.points), x) if continuous else x
        points = np.where(self.gap[rows.sample] | np.isnan(points), x, points)
        categories = np.where((own < 0) | (rows.categories < 0), own, rows.categories)
        for b, (block, columns) in enumerate(zip(self.blocks, self.columns, strict=True)):
            # A category that has not changed keeps the sample's own rounding.
            switched = np.flatnonzero(categories[:, b] != own[:, b])
            points[switched[:, None], columns] = block.codes[categories[switched, b]]
        moved = x[:, self.integers].astype(np.float64) + rows.steps * self.spacing
        points[:, self.integers] = np.clip(
            moved.astype(points.dtype), self.low[self.integers], self.high[self.integers]
        )
        return TableRows(rows.sample, categories, rows.steps, points)

    def prolong(self, x: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
        """Return points whose continuous features have not moved from x, or by the resolution."""
        delta = points.astype(np.float64) - x
        short = (np.abs(delta) < self.resolution) & (delta != 0) & self.continuous
        if not short.any():
            return points
        longer = np.clip(x + np.sign(delta) * self.resolution, self.low, self.high)
        enough = np.abs(longer - x) >= self.resolution * (1 - 1e-6)  # where the box leaves as much
        return np.where(short, np.where(enough, longer, x), points).astype(points.dtype)

    def apply_edits(self, rows: TableRows, edits: Indices) -> TableRows:
        """Apply an edit to each row; its points are then out of date."""
        categories, steps = rows.categories.copy(), rows.steps.copy()
        feature, value = self.edit_feature[edits], self.edit_value[edits]
        i = np.flatnonzero(feature < self.n_blocks)
        categories[i, feature[i]] = value[i]
        i = np.flatnonzero(feature >= self.n_blocks)
        steps[i, feature[i] - self.n_blocks] += value[i]
        return TableRows(rows.sample, categories, steps, rows.points)

    def allowed_edits(self, rows: TableRows) -> Flags:
        """Flag the edits that change each row and keep it in the box, of shape (m, n_edits)."""
        feature, value = self.edit_feature, self.edit_value
        n_switches = int((feature < self.n_blocks).sum())
        held = rows.categories[:, feature[:n_switches]]
        other = (held != value[:n_switches]) & (held >= 0)
        j = feature[n_switches:] - self.n_blocks
        after = rows.steps[:, j] + value[n_switches:]
        sample = rows.sample[:, None]
        inside = (after >= self.least_steps[sample, j]) & (after <= self.most_steps[sample, j])
        return np.concatenate([other, inside], axis=1)

    def combine(self, a: Array, b: Array) -> Array:
        """Return the norm of a vector whose two parts have these norms."""
        return np.asarray(np.hypot(a, b) if self.norm == 2 else np.maximum(a, b))

    def discrete_cost(self, rows: TableRows) -> Array:
        """Return the cost of the categories and the whole steps."""
        changed = (rows.categories != self.own_categories[rows.sample]) * self.category_cost
        parts = np.concatenate([changed, rows.steps * self.step_cost], axis=1)
        return np.linalg.norm(parts, self.norm, axis=1) if parts.shape[1] else np.zeros(len(rows))

    def move_cost(self, rows: TableRows, features: Flags) -> Array:
        """Return the cost of the move of some numeric features, as they are in the points."""
        if not features.any():
            return np.zeros(len(rows))
        x = self.X[np.ix_(rows.sample, features)]
        delta = np.nan_to_num(rows.points[:, features].astype(np.float64) - x)  # a gap stays
        return np.asarray(np.linalg.norm(delta / self.unit[features], self.norm, axis=1))

    def cost(self, rows: TableRows) -> Array:
        """Return the cost of rows that are up to date."""
        return self.combine(self.discrete_cost(rows), self.move_cost(rows, self.continuous))

    def steepness(self, gradient: Array, features: Flags) -> Array:
        """Return the steepest fall of a margin per unit of cost, by moves of some features.

        This is the dual norm of each gradient in units, of shape (m,); 0 without features.
        """
        scaled = gradient[:, features] * self.unit[features]
        order = 2 if self.norm == 2 else 1
        return np.linalg.norm(scaled, order, axis=1) if features.any() else np.zeros(len(gradient))


def valid_costs(problem: Problem, samples: Indices, points: NDArray[Any]) -> Array:
    """Return the cost of each point (m, d), or raise a RuntimeError if it is not a valid row."""
    if len(samples) == 0:
        return np.zeros(0)
    threat_model, start = problem.threat_model, problem.X[samples]
    points = points.reshape(start.shape)
    valid = threat_model.valid(start, points)
    if not valid.all():  # a bug, and a wrong number would hide it
        raise RuntimeError(f"{int((~valid).sum())} adversarial rows break the threat model.")
    return threat_model.cost(start, points)
