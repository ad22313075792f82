"""Results of a method, written in any order."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from robfair import ThreatModel
from robfair._problem import Problem
from robfair.adapters import LogitModel
from robfair.distance._writer import ResultWriter


def problem(n=4, shape=(3,), classes=None, codes=None, threat_model=None, dtype=torch.float32):
    X = np.arange(n * np.prod(shape), dtype=float).reshape(n, *shape)
    model = LogitModel(nn.Linear(shape[-1], 2).to(dtype), classes=classes)
    return Problem(model, X, codes, 2, threat_model or ThreatModel(), batch_size=2)


def points_at(problem, index, distance):
    """Points so far from some samples, which differ from them in the first feature alone."""
    points = problem.X[index].reshape(len(index), -1)
    points[:, 0] += distance
    return points


def test_results_begin_censored_and_take_what_comes_in_any_order():
    made = []
    p = problem(n=5, shape=(1, 3), classes=np.array(["no", "yes"]))
    results = ResultWriter(p, keep_adversarial=True, progress=made.append)
    points = torch.from_numpy(points_at(p, [3, 0], [2, 1])).float()
    results.write_found(np.array([3, 0]), torch.tensor([2.0, 1.0]), points)
    results.skip(np.array([4]))
    results.give_up(np.array([1, 2]))
    results.predicted_codes[[0, 3]] = 1
    end = results.finish()
    assert made == [2, 1, 2]
    assert_array_equal(end.distance, [1, np.inf, np.inf, 2, np.nan])
    assert end.distance.dtype == np.float64
    assert_array_equal(end.status, ["found", "censored", "censored", "found", "skipped"])
    assert_array_equal(end.predicted, ["yes", "no", "no", "yes", "no"])
    assert end.adversarial.shape == p.X.shape
    assert end.adversarial.dtype == np.float32
    assert_array_equal(end.adversarial[[3, 0], 0], points)
    assert np.isnan(end.adversarial[[1, 2, 4]]).all()
    assert end.lower is None
    assert (end.n_forward.dtype, end.n_backward.dtype) == (np.int32, np.int32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_status_and_bounds_are_per_sample(dtype):
    p = problem(dtype=dtype)
    results = ResultWriter(p, keep_adversarial=False, progress=lambda n: None)
    exact, points = np.array([True, False, True]), points_at(p, np.arange(3), [0, 1, 2])
    results.write_found(np.arange(3), torch.arange(3.0), points, exact=exact)
    results.exact[3] = True
    results.write_lower(np.array([3, 1]), [np.inf, 0.5])
    results.write_lower(np.array([0, 2]), np.array([0, 2]))
    results.warnings.append("a warning")
    end = results.finish()
    assert_array_equal(end.lower, [0, 0.5, 2, np.inf])
    # Where it is proven that there is nothing to find, nothing was found all the same.
    assert_array_equal(end.status, ["exact", "found", "exact", "censored"])
    assert end.warnings_ == ("a warning",)
    assert end.adversarial is None


def test_what_is_written_again_moves_the_bar_once():
    made = []
    p = problem(n=4)
    results = ResultWriter(p, keep_adversarial=True, progress=made.append)
    index, points = np.arange(3), points_at(p, np.arange(3), 1)
    with results.muted():
        results.write_found(index, np.ones(3), points)
        results.skip(np.array([3]))
    assert made == []
    results.advance(1)
    results.write_found(index, np.full(3, 0.5), None)  # nearer, by the same points
    assert made == [1, 3]
    end = results.finish()
    assert_array_equal(end.distance, [0.5, 0.5, 0.5, np.nan])
    assert_array_equal(end.adversarial[:3], points)


def test_bounds_that_are_never_written_are_nan():
    results = ResultWriter(problem(n=4), keep_adversarial=False)
    assert results.finish().lower is None
    results.write_lower(np.array([], dtype=int), [])
    assert np.isnan(results.finish().lower).all()


def test_parts_are_put_together():
    whole = ResultWriter(problem(n=4), keep_adversarial=True)
    first, second = whole.part(slice(0, 2)), pickle.loads(pickle.dumps(whole.part(slice(2, 4))))
    for part, labels in ((first, ["no", "no"]), (second, ["yes", "perhaps"])):
        part.predicted = np.array(labels)
        points = points_at(part.problem, [0], 1.5)
        part.write_found(np.array([0]), [1.5], points, exact=True)
        part.write_lower(np.array([0]), [1.0])
        part.warnings += ["the same"]
        part.n_forward += 2
    second.skip(np.array([1]))
    whole.put(slice(0, 2), first.written())
    whole.put(slice(2, 4), second.written())
    assert_array_equal(whole.distance, [1.5, np.inf, 1.5, np.nan])
    assert_array_equal(whole.lower, [1, np.nan, 1, np.nan])
    assert_array_equal(whole.adversarial[::2, 0], whole.problem.X[::2, 0] + 1.5)
    assert_array_equal(whole.predicted, ["no", "no", "yes", "perhaps"])  # none is cut short
    assert_array_equal(whole.n_forward, 2)
    assert_array_equal(whole.finish().status, ["exact", "censored", "exact", "skipped"])
    assert whole.warnings == ["the same"]
