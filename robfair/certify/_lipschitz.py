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

from robfair.certify._affine import Network

__all__ = ["Reach", "joint_loss", "lipschitz"]

LARGEST = 1536  # side of a dense matrix of which eigenvalues are computed
MULTIPLIER = 0.3  # in units of the best one without bounds of the arguments
ROUNDING = 1e-9  # relative, of an eigenvalue


@dataclass(frozen=True)
class Reach:
    """The set of arguments that a layer can get: between bounds, and in a ball.

    Attributes
    ----------
    centre, low, high : Tensor of shape (n_neurons, n_samples)
        The arguments at the samples, and their bounds.
    radius : Tensor of shape (n_samples,)
        The radius of the ball.
    """

    centre: Tensor
    low: Tensor
    high: Tensor
    radius: Tensor

    def __getitem__(self, index: Any) -> Reach:
        return Reach(self.centre[index], self.low[index], self.high[index], self.radius[index[1]])


def joint_loss(outer: Tensor, inner: Tensor, slope: float, reach: Reach) -> Tensor:
    """Bound ``outer . relu(z) - inner . z`` from below wherever z can be.

    For any multiplier m >= 0 of the ball, the minimum over z of the Lagrangian
    ``outer . relu(z) - inner . z + m / 2 (|z - centre|^2 - radius^2)`` is a bound. It falls apart
    into neurons, and each of those into two parabolas.

    Parameters
    ----------
    outer, inner : Tensor of shape (n_neurons, n_samples, n_rows)
        The coefficients.
    slope : float
        Slope of the ReLU below 0.
    reach : Reach
        Where z can be.

    Returns
    -------
    Tensor of shape (n_samples, n_rows)
        The bounds.
    """
    low, high, centre = (t[:, :, None] for t in (reach.low, reach.high, reach.centre))
    radius = reach.radius[:, None]
    right, left = outer - inner, slope * outer - inner
    unstable = ((low < 0) & (high > 0)).to(outer.dtype)
    steepest = torch.linalg.vector_norm(torch.maximum(right.abs(), left.abs()) * unstable, dim=0)
    tiny = torch.finfo(outer.dtype).tiny ** 0.5
    m = (MULTIPLIER * steepest / radius.clamp(min=tiny)).clamp(min=tiny).detach()
    sides = []
    for pull, least, most in (
        (right, low.clamp(min=0), high.clamp(min=0)),
        (left, low.clamp(max=0), high.clamp(max=0)),
    ):
        with torch.no_grad():
            z = torch.minimum(torch.maximum(centre - pull / m, least), most)
            bowl = m / 2 * (z - centre) ** 2
        sides.append(torch.addcmul(bowl, pull, z))
    bound: Tensor = torch.minimum(*sides).sum(dim=0) - m / 2 * radius**2
    return bound


def lipschitz(network: Network, size: int) -> list[float]:
    """Return L2 Lipschitz constants of the arguments of every layer, as functions of the sample.

    An activation multiplies a difference of its arguments by a number between its least and its
    greatest slope: by their mean, up to half of their distance. The means are multiplied out, so
    the signs of the weights count. The rest is bounded by norms of matrices.

    Parameters
    ----------
    network : Network
        The network.
    size : int
        Number of features.

    Returns
    -------
    list of float
        A constant for each layer; inf where a matrix is too large for its eigenvalues.
    """
    constants: list[float] = []
    linear: list[Any] = [sparse.eye_array(size, format="csr")]  # the mean map of each layer
    errors: list[dict[int, Any]] = [{}]  # its map of the deviations of earlier layers
    for layer in network.layers:
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
        if math.isinf(constant):
            break
        linear.append(mean)
        errors.append(rest)
    return constants + [math.inf] * (len(network.layers) - len(constants))


def _norm(matrix: Any) -> float:
    """Return the spectral norm, rounded up."""
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if matrix.shape[1] > LARGEST:
        return math.inf
    gram = (matrix.T @ matrix).toarray()
    return float(np.sqrt(max(np.linalg.eigvalsh(gram)[-1], 0) + ROUNDING * np.trace(gram)))
