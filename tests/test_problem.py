import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from robfair import ThreatModel
from robfair._problem import Problem, distances, margins
from robfair.adapters import LogitModel


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


def test_truth():
    assert problem().truth(0, 2) is None
    assert_array_equal(problem(codes=np.array([1, 0, 1, 1])).truth(1, 3), [0, 1])


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
