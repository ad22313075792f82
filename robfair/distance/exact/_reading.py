"""A module as its weights say it computes, held against what it computes, and its rounding.

Exact methods read weights. A `Reading` is what they have read: affine layers, in segments with a
ReLU between each two. It bounds how far the module, which rounds in its own dtype, can be from it.
So it can tell whether the module computes anything else, and what its rounding leaves of a proof.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from robfair._problem import Problem, finite
from robfair.adapters import AffineLayer, affine_layers, is_identity, is_plain
from robfair.distance._writer import ResultWriter

__all__ = ["Reading", "ReadingDiffers", "Rounding"]

ROWS = 256  # held against the module: one batch, so that it costs about a pass
HUGE = 1e30  # in place of the inf that bounds the rounding of too many terms: inf - inf is NaN

# Of a product in float32, where the user lets torch multiply in TensorFloat32 or bfloat16.
PRECISION = {"highest": 0.0, "high": 2.0**-11, "medium": 2.0**-8}

Pair = tuple[Tensor, Tensor]


class ReadingDiffers(ValueError):
    """The model does not compute what was read of it."""


@dataclass(frozen=True)
class Rounding:
    """Bounds of the error of each logit, ``still + radius * growth`` in a ball around a sample."""

    still: Tensor  # (n, n_classes)
    growth: Tensor  # (n_classes,), per unit of the radius


@dataclass(frozen=True)
class Reading:
    """The affine layers of a module, in segments with a ReLU between each two.

    Attributes
    ----------
    segments : tuple of tuples of AffineLayer
        The layers; only the last segment, and one between two ReLUs, may be empty.
    """

    segments: tuple[tuple[AffineLayer, ...], ...]

    @classmethod
    def affine(cls, module: nn.Module) -> Reading | None:
        """Read an affine module.

        Parameters
        ----------
        module : torch.nn.Module
            The module.

        Returns
        -------
        Reading or None
            The reading, of one segment; None if the module is not affine.
        """
        layers = affine_layers(module)
        return None if layers is None else cls((tuple(layers),))

    @classmethod
    def relu(cls, module: nn.Module) -> Reading:
        """Read a ReLU network.

        Parameters
        ----------
        module : torch.nn.Module
            The module.

        Returns
        -------
        Reading
            The reading.

        Raises
        ------
        ValueError
            If the module is not one; the message names the layer.
        """
        segments: list[list[AffineLayer]] = [[]]
        for name, part in _named_parts(module):
            if is_identity(part) or (
                is_plain(part, nn.Flatten) and part.start_dim == 1 and segments == [[]]
            ):
                continue
            layers = affine_layers(part)
            if is_plain(part, nn.ReLU) and segments[0]:
                segments.append([])
            elif layers is not None:
                segments[-1] += layers
            else:
                raise ValueError(
                    f'method="exact" does not support layer {name}, {part}, where it stands. '
                    "Supported: Linear, ReLU, Flatten (first), Identity, Dropout and BatchNorm1d "
                    "with running statistics, without hooks, in a Sequential that starts with an "
                    'affine layer. Use method="auto".'
                )
        if not segments[0]:
            raise ValueError('method="exact" needs a module with at least one Linear layer.')
        return cls(tuple(tuple(segment) for segment in segments))

    def in_units(self, unit: Tensor) -> Reading:
        """Read the module as one that first multiplies its input by some units.

        Parameters
        ----------
        unit : Tensor of shape (n_in,), float64
            The units.

        Returns
        -------
        Reading
            The reading of that module.
        """
        first, *rest = self.segments[0]
        first = replace(first, weight=first.weight * unit, n_roundings=first.n_roundings + 1)
        return Reading(((first, *rest), *self.segments[1:]))

    def maps(self) -> list[Pair]:
        """Write each segment as one affine map.

        Returns
        -------
        list of tuple (weight, bias)
            The maps. An empty segment is left out unless it is the last: there it is the identity.
            The last map has two logits or more: for a module with one output s, these are (0, s).
        """
        maps = [_merged(segment) for segment in self.segments if segment]
        if not self.segments[-1]:
            bias = maps[-1][1]
            maps.append((torch.eye(len(bias)).to(bias), torch.zeros_like(bias)))
        weight, bias = maps[-1]
        maps[-1] = _two_outputs(weight.T).T, _two_outputs(bias)
        return maps

    def logits(self, x: Tensor) -> Tensor:
        """Compute the logits in float64, whose own rounding :meth:`rounding` includes.

        Parameters
        ----------
        x : Tensor of shape (n, n_features), float64
            The points.

        Returns
        -------
        Tensor of shape (n, n_classes), float64
            Their logits, two or more.
        """
        for k, segment in enumerate(self.segments):
            x = x.clamp(min=0) if k else x
            for layer in segment:
                x = x @ layer.weight.T + layer.bias
        return _two_outputs(x)

    def rounding(self, x: Tensor, norm: float, mask: Tensor | None, dtype: torch.dtype) -> Rounding:
        """Bound how far the logits that a module computes in `dtype` are from :meth:`logits`.

        A sum of n products has an error of at most n u / (1 - n u) times the sum of their absolute
        values, with u the unit roundoff and in any order of the sum (Higham, Accuracy and Stability
        of Numerical Algorithms, 3.1). The errors of a layer pass through the next ones; the first
        is that of `x` itself.

        Parameters
        ----------
        x : Tensor of shape (n, n_features), float64
            The centres of the balls.
        norm : {2, inf}
            The norm of the balls.
        mask : Tensor of bool, of shape (n_features,), or None
            Features that may change; None when all may.
        dtype : torch.dtype
            The module's dtype.

        Returns
        -------
        Rounding
            The bounds.
        """
        unit, least = _roundoff(dtype), torch.finfo(dtype).tiny
        size, error = x.abs(), unit * x.abs()
        reach = growth = torch.zeros(0)
        first = True
        for k, segment in enumerate(self.segments):
            x = x.clamp(min=0) if k else x
            for layer in segment:
                weight = layer.weight.abs()
                share = _share(layer.n_roundings, unit)
                if first:  # the ball is the norm's own; after that its image is bounded by a box
                    moving = weight if mask is None else weight * mask
                    spread = moving.norm(dim=1) if norm == 2 else moving.sum(dim=1)
                    growth = (1 + share) * unit * spread + share * spread
                    first = False
                else:
                    spread = weight @ reach
                    growth = (1 + share) * (weight @ growth) + share * spread
                terms = size @ weight.T + layer.offset
                error = (1 + share) * (error @ weight.T) + share * terms + layer.n_roundings * least
                x, reach = x @ layer.weight.T + layer.bias, spread
                size = x.abs()
        return Rounding(_two_outputs(error), _two_outputs(growth))

    def hold(self, problem: Problem, results: ResultWriter) -> None:
        """Compare the logits with those of the module on some rows, and count the pass.

        Parameters
        ----------
        problem : Problem
            The samples and the model.
        results : ResultWriter
            Counts the pass.

        Raises
        ------
        ReadingDiffers
            If they differ by more than rounding can explain.
        """
        x = problem.rows(0, min(ROWS, problem.batch_size, len(problem.X)))
        with torch.no_grad(), problem.network.forward(problem.shape) as forward:
            own = finite(forward(x)).double()
        results.n_forward[: len(x)] += 1
        read = self.logits(x.double())
        allowed = self.rounding(x.double(), problem.norm, None, x.dtype).still
        if own.shape != read.shape:
            raise ReadingDiffers(
                f"the module returns {own.shape[1]} logits, and its layers {read.shape[1]}."
            )
        gap = (own - read).abs()
        differ = (gap > allowed).any(dim=1)
        if bool(differ.any()):
            raise ReadingDiffers(
                "the module does not compute what its layers say: their logits differ by up to "
                f"{float(gap.max()):.3g} on {int(differ.sum())} of {len(x)} rows, more than "
                "rounding does. A hook, autocast or a class that was patched may be the reason."
            )


def _merged(segment: tuple[AffineLayer, ...]) -> Pair:
    weight, bias = segment[0].weight, segment[0].bias
    for layer in segment[1:]:
        weight, bias = layer.weight @ weight, layer.weight @ bias + layer.bias
    return weight, bias


def _two_outputs(values: Tensor) -> Tensor:
    """Write one output s, on the last axis, as two, (0, s)."""
    if values.shape[-1] > 1:
        return values
    return torch.cat([torch.zeros_like(values), values], dim=-1)


def _named_parts(module: nn.Module, name: str = "") -> list[tuple[str, nn.Module]]:
    if not is_plain(module, nn.Sequential):
        return [(name or "0", module)]
    return [
        found
        for part, child in module.named_children()
        for found in _named_parts(child, f"{name}.{part}" if name else part)
    ]


def _roundoff(dtype: torch.dtype) -> float:
    """Return the unit roundoff of a module's arithmetic, and that of float64, in which it is read.

    Reading a module takes as many roundings as a pass through it.
    """
    unit: float = torch.finfo(dtype).eps / 2
    if dtype == torch.float32:
        unit = max(unit, PRECISION[torch.get_float32_matmul_precision()])
    return unit + np.finfo(np.float64).eps / 2


def _share(n: int, unit: float) -> float:
    """Return n u / (1 - n u), or HUGE where that is not a bound."""
    return n * unit / (1 - n * unit) if n * unit < 0.5 else HUGE
