"""Joint bounds of the neurons of a ReLU layer, for samples that move in an L2 ball.

The lines around each ReLU are loosest if every argument goes to one of its bounds. The arguments
cannot all do that, since they move in a ball, too: its radius is the sample's times a Lipschitz
constant. The dual with one multiplier for this ball bounds the loss of the whole layer [1]_.

References
----------
.. [1] H.-M. Chiu et al., "SDP-CROWN: Efficient bound propagation for neural network verification
   with tightness of semidefinite programming", ICML 2025.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from robfair.certify._affine import TracedNetwork

__all__ = ["ReachableSet", "joint_loss", "lipschitz"]

LARGEST = 1536  # side of a dense matrix of which eigenvalues are computed
# In units of the best one without bounds of the arguments; bench_constants: halved and doubled, the
# same radii.
MULTIPLIER = 0.3
ROUNDING = 1e-9  # relative, of an eigenvalue


@dataclass(frozen=True)
class ReachableSet:
    """The arguments that a layer can get: in a ball, and between bounds."""

    centre: Tensor  # (n_neurons, n_samples), the arguments at the samples
    low: Tensor  # (n_neurons, n_samples)
    high: Tensor  # (n_neurons, n_samples)
    radius: Tensor  # (n_samples,), of the ball

    def __getitem__(self, index: Any) -> ReachableSet:
        centre, low, high = (part[index] for part in (self.centre, self.low, self.high))
        return ReachableSet(centre, low, high, self.radius[index[1]])


def joint_loss(outer: Tensor, inner: Tensor, slope: float, reachable: ReachableSet) -> Tensor:
    """Bound ``outer . relu(z) - inner . z`` from below wherever z can be, (n_samples, n_rows).

    `outer` and `inner` are coefficients (n_neurons, n_samples, n_rows), and `slope` is that of the
    ReLU below 0. For any multiplier m >= 0 of the ball, the minimum over z of the Lagrangian
    ``outer . relu(z) - inner . z + m / 2 (|z - centre|^2 - radius^2)`` is a bound. It falls apart
    into neurons, and each of those into two parabolas.
    """
    low, high, centre = (t[:, :, None] for t in (reachable.low, reachable.high, reachable.centre))
    radius = reachable.radius[:, None]
    right, left = outer - inner, slope * outer - inner
    unstable = ((low < 0) & (high > 0)).to(outer.dtype)
    steepest = torch.linalg.vector_norm(torch.maximum(right.abs(), left.abs()) * unstable, dim=0)
    tiny = torch.finfo(outer.dtype).tiny ** 0.5  # a radius of 0 must not divide by 0
    m = (MULTIPLIER * steepest / radius.clamp(min=tiny)).clamp(min=tiny).detach()
    sides = []
    for pull, least, most in (
        (right, low.clamp(min=0), high.clamp(min=0)),
        (left, low.clamp(max=0), high.clamp(max=0)),
    ):
        with torch.no_grad():  # z is a minimiser: by the envelope theorem it needs no gradient
            z = torch.minimum(torch.maximum(centre - pull / m, least), most)
            bowl = m / 2 * (z - centre) ** 2
        sides.append(torch.addcmul(bowl, pull, z))
    bound: Tensor = torch.minimum(*sides).sum(dim=0) - m / 2 * radius**2
    return bound


def lipschitz(network: TracedNetwork, n_features: int) -> list[float]:
    """Return an L2 Lipschitz constant of the arguments of every layer, as functions of the sample.

    It is inf where a matrix is too large for its eigenvalues, and from a layer of maxima on. An
    activation multiplies a difference of its arguments by a number between its least and its
    greatest slope: by their mean, up to half of their distance. The means are multiplied out, so
    the signs of the weights count. The rest is bounded by norms of matrices.
    """
    constants: list[float] = []
    linear: list[Any] = [sparse.eye_array(n_features, format="csr")]  # the mean map of each layer
    errors: list[dict[int, Any]] = [{}]  # its map of the deviations of earlier layers
    for layer in network.layers:
        if layer.kind == "max":  # tournaments have the better constants
            break
        mean, rest = 0, dict[int, Any]()
        for source, term in layer.inputs.terms.items():
            kept = (1 + network.layers[source - 1].slope) / 2 if source else 1.0
            mean = mean + kept * (term @ linear[source])
            for k, error in errors[source].items():
                rest[k] = rest.get(k, 0) + kept * (term @ error)
            if source:
                rest[source] = rest.get(source, 0) + term
        constant = _norm(mean)
        for k, error in rest.items():
            deviation = (1 - network.layers[k - 1].slope) / 2 * constants[k - 1]
            constant += _norm(error) * deviation if deviation > 0 else 0.0
        constants.append(constant)
        if math.isinf(constant):  # those of later layers build on this one
            break
        linear.append(mean)
        errors.append(rest)
    return constants + [math.inf] * (len(network.layers) - len(constants))


def _norm(matrix: Any) -> float:
    """Return the spectral norm, rounded up."""
    # The smaller one of the two Gram matrices; both have the same greatest eigenvalue.
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if matrix.shape[1] > LARGEST:
        return math.inf
    gram = (matrix.T @ matrix).toarray()
    return float(np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0) + ROUNDING * np.trace(gram)))
