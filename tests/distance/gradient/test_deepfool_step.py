"""One DeepFool step: beyond the nearest boundary, inside the box, mutable features only."""

import numpy as np
import pytest
import torch
from torch import nn

from robfair import ThreatModel
from robfair._problem import Problem
from robfair.adapters import LogitModel
from robfair.distance.gradient._deepfool_step import deepfool_step
from robfair.distance.gradient._slots import Queue

WEIGHT = torch.tensor([[3.0, 0], [0, 1], [-1, 0]], dtype=torch.float64)
POINT = np.array([[1.0, 0.5]])  # logits 3, 0.5, -1


def one_step(threat_model, n_candidates=2):
    layer = nn.Linear(2, 3, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(WEIGHT)
    problem = Problem(LogitModel(layer), POINT, None, 3, threat_model, 1)
    slots = Queue(problem).take(1)
    slots.label = torch.tensor([0])
    points = slots.point.requires_grad_(True)
    step, size, stuck = deepfool_step(
        problem.norm, problem.box(torch.float64), problem.mask(), 1e-3, n_candidates,
        layer(points), points, slots,
    )  # fmt: skip
    return step[0].numpy(), float(size), bool(stuck)


@pytest.mark.parametrize(("norm", "dual"), [(2, 2), (np.inf, 1)])
def test_goes_a_little_beyond_the_nearest_boundary(norm, dual):
    gaps, normals = np.array([2.5, 4.0]), np.array([[-3.0, 1], [-4, 0]])
    distances = gaps / np.linalg.norm(normals, dual, axis=1)
    step, size, stuck = one_step(ThreatModel(norm=norm))
    nearest = distances.argmin()
    assert not stuck
    assert np.linalg.norm(step, norm) == pytest.approx(distances.min() * 1.001, rel=1e-9)
    assert normals[nearest] @ step == pytest.approx(gaps[nearest] * 1.001, rel=1e-9)
    assert size == pytest.approx(distances.min(), rel=1e-9)  # without the overshoot


def test_immutable_features_stay():
    step, _, stuck = one_step(ThreatModel(mutable=[False, True]))
    assert not stuck
    assert step[0] == 0
    assert step[1] == pytest.approx(2.5 * 1.001)


def test_clips_where_that_is_enough_and_else_makes_up_for_it():
    # Free: step (-0.75, 0.25) * 1.001. Clipped at x2 <= 0.6 it still closes 0.94 of the gap.
    step, _, _ = one_step(ThreatModel(bounds=([-9, -9], [9, 0.6])), n_candidates=1)
    np.testing.assert_allclose(step, [-0.75 * 1.001, 0.1], rtol=1e-9)
    # Clipped at x1 >= 0.9 it closes a fifth: x2 has to go the rest of the way.
    step, _, _ = one_step(ThreatModel(bounds=([0.9, -9], [9, 9])), n_candidates=1)
    np.testing.assert_allclose(step, [-0.1, 2.5 * 1.001 - 0.3], rtol=1e-9)


def test_stuck_where_nothing_can_move():
    _, _, stuck = one_step(ThreatModel(bounds=([1.0, 0.5], [9, 0.5])), n_candidates=1)
    assert stuck
