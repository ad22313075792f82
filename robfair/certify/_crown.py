"""Linear bound propagation (CROWN) from any affine rows of a network back to its sample.

To bound a row from below, each nonlinear layer is replaced, from the last to the first, by the line
below or above it, after the sign of its coefficient. What remains is an affine function of the
sample, whose minimum over a ball is exact. Tensors have the axes (neuron, sample, row), so that a
matrix acts on the first of them in a single product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robfair.certify._affine import Affine, TracedNetwork
from robfair.certify._ball import BoxedBall, dot
from robfair.certify._lipschitz import ReachableSet, joint_loss, lipschitz
from robfair.certify._maximum import Windows, normalise
from robfair.certify._relaxation import Bounds, Lines, relax

__all__ = ["Crown"]

BUDGET = 2**21  # numbers in one tensor; a handful of them are alive at the same time
DENSE = 0.2  # share of non-zeros from which on a dense product is faster
TUNING_STEPS = 10  # bench_constants: halved, -0.4 % radius; doubled, the same
LEARNING_RATE = 0.2  # bench_constants: halved, -0.2 % radius; doubled, the same
GRAPH = 16  # tensors that the graph of one bound keeps alive
HARDEST = 3  # rows of each sample that one tuning step looks at: those with the least bounds


Matrix = Tensor | tuple[Any, Any]  # in scipy, for a few columns: it and its transpose


@dataclass(frozen=True)
class _Subnetwork:
    """The part of the network that some rows depend on, as torch matrices."""

    columns: dict[int, Tensor]  # of each source, the neurons that the rows depend on
    # Transposed, of each pair (layer, source); layer 0 stands for the rows themselves.
    matrices: dict[tuple[int, int], Matrix]
    biases: dict[int, Tensor]  # of each layer
    width: int  # the most numbers that a layer has


def _sparse(matrix: Any) -> bool:
    return bool(matrix.nnz <= DENSE * math.prod(matrix.shape))


class _Narrow(torch.autograd.Function):
    """Product of a sparse matrix and a few columns, several times as fast as torch's own."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, pair: tuple[Any, Any]) -> Tensor:
        """Multiply by the first of a matrix and its transpose."""
        ctx.transposed = pair[1]
        return torch.from_numpy(pair[0] @ dense.numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Multiply by the transpose."""
        return torch.from_numpy(ctx.transposed @ gradients[0].numpy()), None


def _torch(matrix: Any, device: torch.device) -> Tensor:
    if not _sparse(matrix):
        return torch.from_numpy(matrix.toarray()).to(device)
    coo = matrix.tocoo()
    index = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    return torch.sparse_coo_tensor(
        index, torch.from_numpy(coo.data), coo.shape, device=device, check_invariants=False
    ).coalesce()


def _product(matrix: Matrix, dense: Tensor) -> Tensor:
    if isinstance(matrix, tuple):
        product: Tensor = _Narrow.apply(dense, matrix)  # type: ignore[no-untyped-call]
        return product
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
        maximum = [layer.kind == "max" for layer in network.layers]
        self.windows = [
            Windows(layer, device) if m else None
            for layer, m in zip(network.layers, maximum, strict=True)
        ]
        self.subnets = [
            [] if m else list(self._subnets(layer.inputs))
            for layer, m in zip(network.layers, maximum, strict=True)
        ]
        self.n_outputs = len(network.output.bias)
        self.output = self._subnet(network.output, np.arange(self.n_outputs), narrow=True)

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

    def _subnet(
        self, value: Affine, rows: np.ndarray[Any, Any], narrow: bool = False
    ) -> _Subnetwork:
        layers = self.network.layers
        used: dict[int, Any] = {0: rows}
        matrices: dict[tuple[int, int], Matrix] = {}
        biases, columns = {}, {}
        pending: dict[int, list[Any]] = {}
        blocks: dict[tuple[int, int], Any] = {}
        target, j, size = value, 0, len(rows)
        while True:
            needed = used[j]
            if j and (layer := layers[j - 1]).pieces > 1:
                n = len(layer.inputs.bias) // layer.pieces
                needed = np.concatenate([needed + k * n for k in range(layer.pieces)])
            size = max(size, len(needed))
            biases[j] = torch.from_numpy(target.bias[needed]).to(self.device)
            for source, term in target.terms.items():
                block = term[needed]
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
            part = block[:, used[source or -1]].tocsr()
            if narrow and self.device.type == "cpu" and _sparse(part):
                matrices[j, source] = part.T.tocsr(), part
            else:
                matrices[j, source] = _torch(part.T.tocsr(), self.device)
        return _Subnetwork(columns, matrices, biases, max(size, len(columns[0])))

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
            error = carried + (unit * size) ** 2  # activations have slopes of at most 1
            if layer is not None and layer.kind == "max":
                error = error.reshape(layer.pieces, -1, error.shape[1]).amax(dim=0)
            errors.append(error)
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

    def _value(self, affine: Affine, values: list[Tensor]) -> Tensor:
        value = torch.from_numpy(affine.bias).to(self.device)[:, None]
        for source, term in affine.terms.items():
            value = value + _product(_torch(term, self.device), values[source])
        return value.expand(-1, values[0].shape[1])

    def intermediate(self, ball: BoxedBall) -> list[Bounds]:
        """Bound the arguments of every layer, and put lines around its outputs."""
        bounds: list[Bounds] = []
        known = zip(self.network.layers, self.windows, self._reachable(ball), strict=True)
        for layer, windows, reachable in known:
            if windows is None:
                low, high = self._bounds(len(bounds), [b.lines for b in bounds], ball)
                lines = relax(layer.kind, layer.slope, low, high)
                free = (low < 0) & (high > 0) & (layer.kind == "relu")
            else:
                low, high, lines, free = windows.relax(ball)
            if reachable is not None:
                lines = replace(lines, reachable=replace(reachable, low=low, high=high))
            bounds.append(Bounds(low, high, lines, free))
        return bounds

    def _bounds(self, j: int, lines: list[Lines], ball: BoxedBall) -> tuple[Tensor, Tensor]:
        """Return bounds (n_neurons, n_samples) of the arguments of a layer."""
        n = len(ball.radius)
        low, high = (ball.x.new_empty(len(self.network.layers[j].inputs.bias), n) for _ in range(2))
        for rows, subnet in self.subnets[j]:
            signs = torch.eye(len(rows), dtype=torch.float64, device=self.device)
            # Upper bounds are lower bounds of the negative: both from one pass.
            signs = torch.cat([signs, -signs], dim=1)[:, None]
            for part in self._parts(n, subnet.width * signs.shape[2]):
                least = self._lower(subnet, signs, lines, ball, part)
                low[rows, part] = least[:, : len(rows)].T
                high[rows, part] = -least[:, len(rows) :].T
        return low, high

    @staticmethod
    def _parts(n: int, size: int) -> Iterator[slice]:
        step = max(1, BUDGET // size)
        for start in range(0, n, step):
            yield slice(start, min(start + step, n))

    def margins(self, ball: BoxedBall, bounds: list[Bounds], rows: Tensor) -> Tensor:
        """Return lower bounds (n_samples, n_rows) of linear functions of the output.

        `bounds` are those of :meth:`intermediate` in this ball, or wider; `rows` of shape
        (n_outputs, n_samples, n_rows) are the functions.
        """
        size = GRAPH * self.output.width * min(HARDEST, rows.shape[2])
        parts = self._parts(len(ball.radius), size)
        return torch.cat(
            [self._tuned(rows[:, p], [b.samples(p) for b in bounds], ball[p]) for p in parts]
        )

    def _tuned(self, rows: Tensor, bounds: list[Bounds], ball: BoxedBall) -> Tensor:
        """Tune the slopes below each layer by gradient steps (alpha-CROWN); return the bounds."""
        slopes = [b.lines.low_slope.clone().requires_grad_() for b in bounds]
        best = self._lower(self.output, rows, [b.lines for b in bounds], ball, slice(None))
        if not any(bool(b.free.any()) for b in bounds):
            return best
        # Adam, written out: the first optimiser that a process builds makes torch import its
        # compiler, which takes seconds. No epsilon, since the scale of the logits is arbitrary.
        first, second = ([torch.zeros_like(slope) for slope in slopes] for _ in range(2))
        for step in range(1, TUNING_STEPS + 1):
            hardest = best.topk(min(HARDEST, best.shape[1]), dim=1, largest=False).indices
            chosen = rows.gather(2, hardest.expand(len(rows), -1, -1))
            with torch.enable_grad():
                tuned = [
                    self._with_slope(j, b, slope)
                    for j, (b, slope) in enumerate(zip(bounds, slopes, strict=True))
                ]
                margins = self._lower(self.output, chosen, tuned, ball, slice(None))
                gradients = torch.autograd.grad(
                    margins.amin(dim=1).sum(), slopes, materialize_grads=True
                )
            # Each step's slopes are valid, and so is the best bound of all steps.
            best.scatter_reduce_(1, hardest, margins.detach(), "amax")
            for layer, slope, gradient, m, v in zip(
                self.network.layers, slopes, gradients, first, second, strict=True
            ):
                m.lerp_(gradient, 0.1)
                v.lerp_(gradient**2, 0.001)
                size = (v / (1 - 0.999**step)).sqrt()
                move = m / (1 - 0.9**step) / torch.where(size > 0, size, 1)
                slope.data.add_(move, alpha=LEARNING_RATE).clamp_(layer.slope, 1)
        return best

    def _with_slope(self, j: int, bounds: Bounds, slope: Tensor) -> Lines:
        """Return the lines of a layer with another slope below, where it is free."""
        start = bounds.lines.low_slope
        if self.windows[j] is not None:
            slope = normalise(slope, start, self.network.layers[j].rectified)
        return replace(bounds.lines, low_slope=torch.where(bounds.free, slope, start))

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
            columns, layer = subnet.columns[j], self.network.layers[j - 1]
            line, reachable = lines[j - 1][columns, part], lines[j - 1].reachable
            negative = coefficient.clamp(max=0)
            offset = dot(negative, line.high_offset)
            if layer.kind == "tanh":  # the other lower lines have no offset
                offset = offset + dot(coefficient - negative, line.low_offset)
            low, more = line.low_slope[..., None], (line.high_slope - line.low_slope)[..., None]
            outer, coefficient = coefficient, torch.addcmul(coefficient * low, negative, more)
            if reachable is not None:  # both bounds hold, so the better one counts
                loss = joint_loss(outer, coefficient, layer.slope, reachable[columns, part])
                offset = torch.maximum(offset, loss)
            if layer.kind == "max":
                coefficient = coefficient.flatten(0, 1)
            constant = constant + offset
            constant = constant + self._push(subnet, j, coefficient, pending)
        normal, here = pending[0], ball[part]
        constant = constant + dot(normal, here.x[subnet.columns[0]])
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
