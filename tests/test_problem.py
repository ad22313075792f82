import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from robfair import ThreatModel
from robfair._problem import Problem, distances, margins
from robfair.adapters import LogitModel
from robfair.distance._writer import ResultWriter


def problem(n=4, shape=(3,), classes=None, codes=None, threat_model=None, dtype=torch.float32):
    X = np.arange(n * np.prod(shape), dtype=float).reshape(n, *shape)
    model = LogitModel(nn.Linear(shape[-1], 2).to(dtype), classes=classes)
    return Problem(model, X, codes, 2, threat_model or ThreatModel(), batch_size=2)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), min_size=1, max_size=5))
def test_margins(rows):
    logits = torch.tensor(rows, dtype=torch.float64)
    before = logits.clone()
    for k in range(4):
        found = margins(logits, torch.full((len(rows),), k))
        expected = [row[k] - max(row[:k] + row[k + 1 :]) for row in rows]
        assert_array_equal(found, expected)
    assert_array_equal(logits, before)


def test_distances_are_subtracted_in_float64():
    start = torch.full((1, 2), 16777216.0)  # 2**24, where float32 counts in twos
    points = start + torch.tensor([[2.0, 4.0]])
    assert_allclose(distances(points, start, 2), [20**0.5], rtol=1e-15)
    assert_array_equal(distances(points, start, torch.inf), [4])
    assert distances(points, start, 2).dtype == torch.float64


def test_rows_are_flat_copies_in_the_dtype_of_the_model():
    p = problem(shape=(2, 3))
    rows = p.rows(1, 3)
    assert rows.dtype == torch.float32
    assert_array_equal(rows, p.X[1:3].reshape(2, 6))
    rows.zero_()
    assert p.X[1:3].all()
    assert p.shape == (2, 3)


def test_true_codes():
    assert problem().true_codes(0, 2) is None
    assert_array_equal(problem(codes=np.array([1, 0, 1, 1])).true_codes(1, 3), [0, 1])


def test_box_and_mask_as_tensors():
    p = problem(threat_model=ThreatModel(np.inf, (0, [20, 21, 22]), [True, False, True]))
    low, high = p.box(torch.float64)
    assert_array_equal(low, [0, 0, 0])
    assert_array_equal(high, [20, 21, 22])
    assert high.dtype == torch.float64
    assert_array_equal(p.mask(), [True, False, True])
    assert p.norm == np.inf
    assert problem().box(torch.float32) is None
    assert problem().mask() is None


def test_results_begin_censored_and_take_what_comes_in_any_order():
    made = []
    p = problem(n=5, shape=(1, 3), classes=np.array(["no", "yes"]))
    results = ResultWriter(p, keep_adversarial=True, progress=made.append)
    points = torch.arange(6.0).reshape(2, 3)
    results.found(np.array([3, 0]), torch.tensor([2.0, 1.0]), points)
    results.skip(np.array([4]))
    results.give_up(np.array([1, 2]))
    results.codes[[0, 3]] = 1
    end = results.finish("deepfool")
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
    results = ResultWriter(problem(dtype=dtype), keep_adversarial=False, progress=lambda n: None)
    results.found(np.arange(3), torch.arange(3.0), torch.zeros(3, 3))
    results.exact[[0, 2, 3]] = True
    results.lower = np.array([0, 0.5, 2, np.inf])
    results.warnings.append("a warning")
    end = results.finish("exact")
    assert_array_equal(end.lower, [0, 0.5, 2, np.inf])
    # Where it is proven that there is nothing to find, nothing was found all the same.
    assert_array_equal(end.status, ["exact", "found", "exact", "censored"])
    assert end.warnings_ == ("a warning",)
    assert end.adversarial is None
