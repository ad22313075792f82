"""Linear bound propagation (CROWN) from any affine rows of a network back to its sample.

To bound a row from below, each nonlinear layer is replaced, from the last to the first, by the line
below or above it, after the sign of its coefficient. What remains is an affine function of the
sample, whose minimum over a ball is exact. Tensors have the axes (neuron, sample, row), so that a
matrix acts on the first of them in a single product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robfair.certify._affine import Affine, Layer, TracedNetwork
from robfair.certify._lipschitz import ReachableSet, joint_loss, lipschitz
from robfair.certify._relaxation import Lines, relax

__all__ = ["BoxedBall", "Crown"]

BUDGET = 2**21  # numbers in one tensor; a handful of them are alive at the same time
DENSE = 0.2  # share of non-zeros from which on a dense product is faster
NEWTON_STEPS = 3  # bench_constants: 2 and 6, the same radii
TUNING_STEPS = 10  # bench_constants: halved, -0.4 % radius; doubled, the same
LEARNING_RATE = 0.2  # bench_constants: halved, -0.2 % radius; doubled, the same
GRAPH = 16  # tensors that the graph of one bound keeps alive


@dataclass(frozen=True)
class BoxedBall:
    """The perturbed samples that an attacker can reach: a ball around each, cut by a box."""

    x: Tensor  # (n_features, n_samples), the centres
    radius: Tensor  # (n_samples,)
    norm: float
    # (n_features, n_samples), how far each feature can go down and up: inf where open, 0 where
    # immutable. None: there are no such limits.
    down: Tensor | None = None
    up: Tensor | None = None

    def __getitem__(self, samples: Any) -> BoxedBall:
        down, up = (None if side is None else side[:, samples] for side in (self.down, self.up))
        return BoxedBall(self.x[:, samples], self.radius[samples], self.norm, down, up)

    def minimum(self, normal: Tensor, features: Tensor | slice = slice(None)) -> Tensor:
        """Return the least ``normal . (x' - x)`` (n_samples, n_rows), or in a box and L2 a bound.

        `normal` (n_features, 1 or n_samples, n_rows) has a row for each of some `features`.
        """
        radius = self.radius[:, None]
        if self.down is None or self.up is None:
            if self.norm == 2:
                size: Tensor = torch.linalg.vector_norm(normal, dim=0)
                return -radius * size
            return -radius * normal.abs().sum(dim=0)
        down, up = self.down[features], self.up[features]
        moving = ((down > 0) | (up > 0)).any(dim=1)
        if not bool(moving.all()):  # on a table most features may be immutable
            normal, down, up = normal[moving], down[moving], up[moving]
        if self.norm != 2:
            down, up = torch.minimum(down, self.radius), torch.minimum(up, self.radius)
            falling = _dot(normal.clamp(min=0), down)
            return _dot(normal.clamp(max=0), up) - falling
        return _minimum_in_box(normal, down[:, :, None], up[:, :, None], radius)


def _dot(normal: Tensor, step: Tensor) -> Tensor:
    """Sum products over the first axis."""
    if normal.shape[1] == 1:
        return step.T @ normal[:, 0]
    return (normal * step[:, :, None]).sum(dim=0)  # several times as fast as einsum


def _minimum_in_box(normal: Tensor, down: Tensor, up: Tensor, radius: Tensor) -> Tensor:
    """Return the least ``normal . r`` with ``-down <= r <= up`` and L2 norm at most the radius.

    The Lagrangian with a multiplier m for the norm is minimised feature by feature, by
    ``r = clip(-normal / m, -down, up)``. Its value bounds the minimum from below for any m, so a
    few steps of Newton's method suffice. They start where no feature is clipped. From there m can
    only fall, since the norm that clipped features leave unused goes to the others.
    """
    with torch.no_grad():
        # Products with zeros and ones: torch.where takes ten times as long. Both sides are finite.
        down, up = torch.minimum(down, radius), torch.minimum(up, radius)
        limit = torch.addcmul(up, (normal > 0).to(normal.dtype), down - up)
        free = normal.abs() * (limit > 0)
        force, square = free**2, limit**2
        total = force.sum(dim=0)
        tiny = torch.finfo(radius.dtype).tiny ** 0.5  # its square is no less than the least number
        multiplier = total.sqrt() / radius.clamp(min=tiny)
        for _ in range(NEWTON_STEPS):
            clipped = (free > multiplier * limit).to(normal.dtype)
            rest = (total - (clipped * force).sum(dim=0)).clamp(min=0)
            left = radius**2 - (clipped * square).sum(dim=0)
            less = (rest / left.clamp(min=tiny)).sqrt()
            multiplier = torch.where(left > 0, torch.minimum(multiplier, less), multiplier)
        # Where the multiplier is 0 the norm does not bind: every feature goes to its limit.
        step = torch.minimum(free / multiplier.clamp(min=tiny), limit)
    slack = radius**2 - step.square().sum(dim=0)
    return -(normal.abs() * step).sum(dim=0) - multiplier * slack / 2


@dataclass(frozen=True)
class _Subnetwork:
    """The part of the network that some rows depend on, as torch matrices."""

    columns: dict[int, Tensor]  # of each source, the neurons that the rows depend on
    # Transposed, of each pair (layer, source); layer 0 stands for the rows themselves.
    matrices: dict[tuple[int, int], Tensor]
    biases: dict[int, Tensor]  # of each layer
    width: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", max(len(c) for c in self.columns.values()))


def _sparse(matrix: Any) -> bool:
    return bool(matrix.nnz <= DENSE * math.prod(matrix.shape))


def _torch(matrix: Any, device: torch.device) -> Tensor:
    if not _sparse(matrix):
        return torch.from_numpy(matrix.toarray()).to(device)
    coo = matrix.tocoo()
    index = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    return torch.sparse_coo_tensor(
        index, torch.from_numpy(coo.data), coo.shape, device=device, check_invariants=False
    ).coalesce()


def _product(matrix: Tensor, dense: Tensor) -> Tensor:
    return torch.sparse.mm(matrix, dense) if matrix.is_sparse else matrix @ dense


class Crown:
    """Bounds of the rows of a network, computed on a device."""

    def __init__(self, network: TracedNetwork, device: torch.device) -> None:
        self.network, self.device = network, device
        self._constants: list[float] | None = None  # on first use: eigenvalues take a while
        # Joint offsets pay where each neuron sees a patch, and could spend the whole radius there;
        # on networks of dense layers they take half of the time and change no digit.
        self.patches = any(
            _sparse(term) for layer in network.layers for term in layer.inputs.terms.values()
        )
        self.subnets = [list(self._subnets(layer.inputs)) for layer in network.layers]
        self.n_outputs = len(network.output.bias)
        self.output = self._subnet(network.output, np.arange(self.n_outputs))

    def _subnets(self, value: Affine) -> Iterator[tuple[Tensor, _Subnetwork]]:
        """Split the rows of a layer into chunks; those of an image see little of the sample."""
        order = np.arange(len(value.bias))
        chunk = 128
        if len(value.shape) == 3:
            order = order.reshape(value.shape[0], -1).T.ravel()  # all channels of a pixel together
            chunk = value.shape[0] * math.ceil(64 / value.shape[0])
        for start in range(0, len(order), chunk):
            rows = order[start : start + chunk]
            yield torch.from_numpy(rows).to(self.device), self._subnet(value, rows)

    def _subnet(self, value: Affine, rows: np.ndarray[Any, Any]) -> _Subnetwork:
        layers = self.network.layers
        used: dict[int, Any] = {0: rows}
        matrices, biases, columns = {}, {}, {}
        pending: dict[int, list[Any]] = {}
        blocks: dict[tuple[int, int], Any] = {}
        target, j = value, 0
        while True:
            biases[j] = torch.from_numpy(target.bias[used[j]]).to(self.device)
            for source, term in target.terms.items():
                block = term[used[j]]
                blocks[j, source] = block
                pending.setdefault(source, []).append(np.unique(block.indices))
            following = [s for s in pending if s > 0]
            if not following:
                break
            j = max(following)
            used[j] = np.unique(np.concatenate(pending.pop(j)))
            columns[j] = torch.from_numpy(used[j]).to(self.device)
            target = layers[j - 1].inputs
        used[-1] = np.unique(np.concatenate(pending.get(0, [np.arange(1)])))
        columns[0] = torch.from_numpy(used[-1]).to(self.device)
        for (j, source), block in blocks.items():
            part = block[:, used[source or -1]]
            matrices[j, source] = _torch(part.T.tocsr(), self.device)
        return _Subnetwork(columns, matrices, biases)

    def logits(self, x: Tensor) -> Tensor:
        """Run the network itself on samples, of shape (n_features, n_samples)."""
        values = [x]
        for layer in self.network.layers:
            values.append(layer(self._value(layer.inputs, values)))
        return self._value(self.network.output, values)

    def rounding(self, x: Tensor, unit: float) -> Tensor:
        """Estimate the errors of the logits (n_outputs, n_samples) of a pass with unit roundoff.

        Each value is off by `unit` times the sum of the absolute values that are added up in it,
        which is far more than itself where they cancel. Errors are carried on as independent ones.
        """
        values, errors = [x], [(unit * x) ** 2]
        for layer in [*self.network.layers, None]:
            inputs = self.network.output if layer is None else layer.inputs
            sizes = replace(inputs, terms={s: abs(t) for s, t in inputs.terms.items()})
            squares = {s: t.multiply(t).tocsr() for s, t in inputs.terms.items()}
            size = self._value(replace(sizes, bias=abs(inputs.bias)), [v.abs() for v in values])
            carried = self._value(Affine(squares, 0 * inputs.bias, inputs.shape), errors)
            errors.append(carried + (unit * size) ** 2)  # activations have slopes of at most 1
            if layer is not None:
                values.append(layer(self._value(inputs, values)))
        return errors[-1].sqrt()

    def _reachable(self, ball: BoxedBall) -> Iterator[ReachableSet | None]:
        """Yield the ball around the arguments of each ReLU layer, without their bounds."""
        if ball.norm != 2 or not self.patches:
            yield from [None] * len(self.network.layers)
            return
        if self._constants is None:
            self._constants = lipschitz(self.network, len(ball.x))
        values = [ball.x]
        for layer, constant in zip(self.network.layers, self._constants, strict=True):
            z = self._value(layer.inputs, values)
            values.append(layer(z))
            known = layer.kind == "relu" and math.isfinite(constant)
            yield ReachableSet(z, z, z, constant * ball.radius) if known else None

    @staticmethod
    def _relax(layer: Layer, low: Tensor, high: Tensor, reachable: ReachableSet | None) -> Lines:
        lines = relax(layer.kind, layer.slope, low, high)
        if reachable is None:
            return lines
        return replace(lines, reachable=replace(reachable, low=low, high=high))

    def _value(self, affine: Affine, values: list[Tensor]) -> Tensor:
        value = torch.from_numpy(affine.bias).to(self.device)[:, None]
        for source, term in affine.terms.items():
            value = value + _product(_torch(term, self.device), values[source])
        return value.expand(-1, values[0].shape[1])

    def intermediate(self, ball: BoxedBall) -> list[tuple[Tensor, Tensor]]:
        """Return bounds of the arguments of every layer, each of shape (n_neurons, n_samples)."""
        bounds: list[tuple[Tensor, Tensor]] = []
        lines: list[Lines] = []
        n = len(ball.radius)
        layers = zip(self.network.layers, self.subnets, self._reachable(ball), strict=True)
        for layer, subnets, reachable in layers:
            low, high = (ball.x.new_empty(len(layer.inputs.bias), n) for _ in range(2))
            for rows, subnet in subnets:
                signs = torch.eye(len(rows), dtype=torch.float64, device=self.device)
                # Upper bounds are lower bounds of the negative: both from one pass.
                signs = torch.cat([signs, -signs], dim=1)[:, None]
                for part in self._parts(n, subnet.width * signs.shape[2]):
                    least = self._lower(subnet, signs, lines, ball, part)
                    low[rows, part] = least[:, : len(rows)].T
                    high[rows, part] = -least[:, len(rows) :].T
            bounds.append((low, high))
            lines.append(self._relax(layer, low, high, reachable))
        return bounds

    @staticmethod
    def _parts(n: int, size: int) -> Iterator[slice]:
        step = max(1, BUDGET // size)
        for start in range(0, n, step):
            yield slice(start, min(start + step, n))

    def margins(self, ball: BoxedBall, bounds: list[tuple[Tensor, Tensor]], rows: Tensor) -> Tensor:
        """Return lower bounds (n_samples, n_rows) of linear functions of the output.

        `bounds` are those of :meth:`intermediate` in this ball, or wider; `rows` of shape
        (n_outputs, n_samples, n_rows) are the functions.
        """
        size = GRAPH * self.output.width * rows.shape[2]
        parts = self._parts(len(ball.radius), size)
        return torch.cat(
            [
                self._tuned(rows[:, p], [(low[:, p], high[:, p]) for low, high in bounds], ball[p])
                for p in parts
            ]
        )

    def _tuned(self, rows: Tensor, bounds: list[tuple[Tensor, Tensor]], ball: BoxedBall) -> Tensor:
        """Tune the slopes below each ReLU by gradient steps (alpha-CROWN); return the bounds."""
        lines, slopes, unstable, least_slope = [], [], [], []
        layers = zip(self.network.layers, bounds, self._reachable(ball), strict=True)
        for layer, (low, high), reachable in layers:
            line = self._relax(layer, low, high, reachable)
            lines.append(line)
            slopes.append(line.low_slope.clone().requires_grad_())
            unstable.append((low < 0) & (high > 0) & (layer.kind == "relu"))
            least_slope.append(layer.slope)
        best = self._lower(self.output, rows, lines, ball, slice(None))
        if not any(bool(free.any()) for free in unstable):
            return best
        # Adam, written out: the first optimiser that a process builds makes torch import its
        # compiler, which takes seconds. No epsilon, since the scale of the logits is arbitrary.
        first, second = ([torch.zeros_like(slope) for slope in slopes] for _ in range(2))
        for step in range(1, TUNING_STEPS + 1):
            with torch.enable_grad():
                tuned = [
                    replace(line, low_slope=torch.where(free, slope, line.low_slope))
                    for line, slope, free in zip(lines, slopes, unstable, strict=True)
                ]
                margins = self._lower(self.output, rows, tuned, ball, slice(None))
                gradients = torch.autograd.grad(
                    margins.amin(dim=1).sum(), slopes, materialize_grads=True
                )
            # Each step's slopes are valid, and so is the best bound of all steps.
            best = torch.maximum(best, margins.detach())
            for slope, gradient, least, m, v in zip(
                slopes, gradients, least_slope, first, second, strict=True
            ):
                m.lerp_(gradient, 0.1)
                v.lerp_(gradient**2, 0.001)
                size = (v / (1 - 0.999**step)).sqrt()
                move = m / (1 - 0.9**step) / torch.where(size > 0, size, 1)
                slope.data.add_(move, alpha=LEARNING_RATE).clamp_(least, 1)
        return best

    def _lower(
        self,
        subnet: _Subnetwork,
        rows: Tensor,
        lines: list[Lines],
        ball: BoxedBall,
        part: slice,
    ) -> Tensor:
        """Return lower bounds of the rows of a subnetwork, combined by the columns of `rows`."""
        pending: dict[int, Tensor] = {}
        constant = self._push(subnet, 0, rows, pending)
        while j := max(pending):
            coefficient = pending.pop(j)  # complete: the layers after this one are done
            columns, line = subnet.columns[j], lines[j - 1]
            ls, lo, hs, ho = (
                t[columns, part]
                for t in (line.low_slope, line.low_offset, line.high_slope, line.high_offset)
            )
            negative = coefficient.clamp(max=0)
            offset = _dot(negative, ho)
            if self.network.layers[j - 1].kind != "relu":  # the lower line of a ReLU has no offset
                offset = offset + _dot(coefficient - negative, lo)
            low, more = ls[:, :, None], (hs - ls)[:, :, None]
            outer, coefficient = coefficient, torch.addcmul(coefficient * low, negative, more)
            if line.reachable is not None:  # both bounds hold, so the better one counts
                slope, reachable = self.network.layers[j - 1].slope, line.reachable[columns, part]
                offset = torch.maximum(offset, joint_loss(outer, coefficient, slope, reachable))
            constant = constant + offset
            constant = constant + self._push(subnet, j, coefficient, pending)
        normal, here = pending[0], ball[part]
        constant = constant + _dot(normal, here.x[subnet.columns[0]])
        return constant + here.minimum(normal, subnet.columns[0])

    @staticmethod
    def _push(
        subnet: _Subnetwork, j: int, coefficient: Tensor, pending: dict[int, Tensor]
    ) -> Tensor:
        """Carry coefficients of a layer's arguments over to its sources; return the constant."""
        flat = coefficient.reshape(len(coefficient), -1)
        for (layer, source), matrix in subnet.matrices.items():
            if layer == j:
                product = _product(matrix, flat).reshape(-1, *coefficient.shape[1:])
                pending[source] = pending[source] + product if source in pending else product
        return (subnet.biases[j] @ flat).reshape(coefficient.shape[1:])
