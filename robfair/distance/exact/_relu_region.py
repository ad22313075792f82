"""The nearest point of one linear region of a ReLU network."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog, nnls

from robfair.distance._arrays import Array, Flags
from robfair.distance.exact._relu_milp import ReluNetwork

__all__ = ["nearest_in_region"]


def nearest_in_region(
    network: ReluNetwork,
    active: list[Flags],
    label: int,
    target: int,
    unit: float,
    lead: float = 0.0,
) -> Array | None:
    """Return the smallest step (n,) to the side of a target class within one linear region.

    `active` is the region: the active neurons of each hidden layer. The step is in a `unit` of
    about its size, so that the arithmetic is with numbers around 1, and stays `lead` such units in
    L2 beyond the boundary. None: the target class is nowhere predicted in the region.
    """
    matrix, values = _region(network, active, label, target, unit)
    values[0] += lead
    n = matrix.shape[1]
    if network.norm == 2:
        # Lawson and Hanson: the least distance problem is one of non-negative least squares.
        dual = np.vstack([matrix.T, values])
        unit_vector = np.append(np.zeros(n), 1)
        try:
            multipliers, rest = nnls(dual, unit_vector)
        except RuntimeError:  # too many iterations
            return None
        residual = dual @ multipliers - unit_vector
        # Its last entry is -rest ** 2 < 0, unless rounding of large terms is all that it is.
        rounding = 4 * np.finfo(float).eps * (1 + np.abs(values) @ multipliers)
        nowhere = rest < 1e-9 or residual[n] >= -rounding
        return None if nowhere else -residual[:n] / residual[n]
    one = np.ones((n, 1))  # a last variable, the L-inf norm, bounds every coordinate
    result = linprog(
        np.append(np.zeros(n), 1),
        A_ub=np.vstack(
            [np.pad(-matrix, [(0, 0), (0, 1)])]
            + [np.hstack([side, -one]) for side in (np.eye(n), -np.eye(n))]
        ),
        b_ub=np.concatenate([-values, np.zeros(2 * n)]),
        bounds=[(None, None)] * n + [(0, None)],
    )
    return None if result.x is None else result.x[:n]


def _region(
    network: ReluNetwork, active: list[Flags], label: int, target: int, unit: float
) -> tuple[Array, Array]:
    """Write the lead of the target, the region and the box as ``matrix @ step >= values``."""
    n = len(network.low)
    weight, bias = np.eye(n) * unit, np.zeros(n)
    rows: list[Array] = []
    values: list[Array] = []
    for (w, b), on in zip(network.layers, [*active, None], strict=True):
        weight, bias = w @ weight, w @ bias + b
        if on is None:
            rows.insert(0, weight[[target]] - weight[label])
            values.insert(0, bias[label] - bias[[target]])
        else:
            sign = np.where(on, 1, -1)
            rows.append(sign[:, None] * weight)
            values.append(-sign * bias)
            weight, bias = weight * on[:, None], bias * on
    for side, bound in ((1, network.low), (-1, network.high)):
        closed = np.isfinite(bound)
        rows.append(side * np.eye(n)[closed])
        values.append(side * bound[closed] / unit)
    matrix, limits = np.concatenate(rows), np.concatenate(values)
    size = np.linalg.norm(matrix, axis=1)
    size[size == 0] = 1  # the lead in a region where it is constant, or a neuron there
    return matrix / size[:, None], limits / size
