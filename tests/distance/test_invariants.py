"""What holds of every point that is written, and what becomes of one of which it does not."""

import numpy as np
import pytest
import torch
from torch import nn

from robfair import ThreatModel, boundary_distance
from robfair._problem import Problem
from robfair.adapters import LogitModel
from robfair.distance._writer import ResultWriter

X = np.arange(12, dtype=np.float64).reshape(4, 3)
ROWS = np.array([2, 1])


def writer(keep=True, **options):
    model = LogitModel(nn.Linear(3, 2))
    problem = Problem(model, X.copy(), None, 2, ThreatModel(**options), batch_size=2)
    return ResultWriter(problem, keep_adversarial=keep, method="auto")


def moved(*delta):
    return (X[ROWS] + np.array(delta)).astype(np.float32)


@pytest.mark.parametrize("keep", [True, False])
def test_a_point_that_moves_an_immutable_feature(keep):
    results, points = writer(keep, mutable=[True, False, True]), moved(1, 0, 0)
    results.write_found(ROWS, [1, 1], points)
    points[1, 1] += 1e-3
    with pytest.raises(RuntimeError, match="1 of 2 points of the method 'auto' move immutable"):
        results.write_found(ROWS, torch.ones(2), torch.from_numpy(points))
    results.problem.X[1, 1] = points[1, 1] = np.nan  # a gap stays a gap
    results.write_found(ROWS, torch.ones(2), torch.from_numpy(points))


def test_a_point_outside_of_the_box():
    sides = np.float32(0.1), np.float32(8.1)  # to which points are rounded, too
    results = writer(bounds=(-0.1, 8.1))
    results.write_found(ROWS, [np.sqrt(3) * (sides[1] - 8)] * 2, moved(*[sides[1] - 8] * 3))
    with pytest.raises(RuntimeError, match="1 of 2 points of the method 'auto' leave the box"):
        results.write_found(ROWS, [0.2, 0.2], moved(0, 0, 0.2))


@pytest.mark.parametrize("norm", [2, np.inf])
def test_a_distance_that_is_not_that_of_the_point(norm):
    results, size = writer(norm=norm, unit=2.0), {2: 2.5, np.inf: 2.0}[norm]
    points = moved(3, -4, 0)
    results.write_found(ROWS, [size, size], points)
    for wrong in (size * (1 - 1e-5), size * (1 + 1e-5)):
        with pytest.raises(RuntimeError, match=r"1 of 2 points .* are not as far away as their"):
            results.write_found(ROWS, [size, wrong], points)
    # A closed form, whose point lies a step beyond the boundary.
    results.write_found(ROWS, [size, size * 0.995], points, exact=[False, True])
    with pytest.raises(RuntimeError, match="not as far away"):
        results.write_found(ROWS, [size, size * 0.98], points, exact=[False, True])
    results.write_found(ROWS, [size, 7.0], points, is_of_points=False)


@pytest.mark.parametrize("move", [(0.5, 0, 0), (0, 0, 1), (np.nan, 0, 0)])
def test_a_row_that_could_not_exist(move):
    results = writer(integer=[True, False, False], categories=[])
    results.problem.threat_model.check(X)
    points = moved(1, 0, 0)
    results.write_found(ROWS, [1, 1], points)
    if move == (0, 0, 1):  # a gap where the sample has none
        points[0, 2] = np.nan
    else:
        points[0] += np.array(move, dtype=np.float32)
    with pytest.raises(RuntimeError, match=r"1 of 2 points .* could not exist as rows"):
        results.write_found(ROWS, [1, 1], points)


def test_what_was_not_found_is_not_looked_at():
    results = writer(bounds=(0, 20))
    points = moved(1, 0, 0)
    points[1] = np.nan
    results.write_found(ROWS, [1, np.inf], points)


def test_a_search_that_is_broken_does_not_end_in_numbers(monkeypatch):
    class Bent(nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0] ** 3, x[:, 1]], dim=1)

    module = "robfair.distance.gradient._own_search.distances"
    monkeypatch.setattr(module, lambda points, start, norm: torch.ones(len(points)).double())
    with pytest.raises(RuntimeError, match="a fault of robfair, not yours: please report it"):
        boundary_distance(Bent(), X.astype(np.float32))
