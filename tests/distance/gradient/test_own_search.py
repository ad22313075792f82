"""A row's own search: its starts, and how it ends."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from oracles import network
from robfair import boundary_distance
from robfair._problem import as_problem
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient import AUTO, own_distance
from robfair.threat import ThreatModel


def by_itself(module, X, y=None, batch_size=512):
    problem = as_problem(module, X, y, ThreatModel(), batch_size)
    results = ResultWriter(problem, keep_adversarial=True)
    own_distance(problem, results, AUTO.own.for_targets(problem.n_classes - 1))
    return results


def test_a_row_by_itself_needs_no_other():
    module, X = network([4, 8, 3]).double(), np.random.default_rng(0).normal(size=(9, 4))
    whole = by_itself(module, X)
    exact = boundary_distance(module, X, method="deepfool")
    assert (whole.distance <= exact.distance * 1.001).all()
    single = by_itself(module, X[:1])
    assert abs(single.distance[0] / whole.distance[0] - 1) < 1e-6
    y = whole.predicted_codes.copy()
    y[2] = (y[2] + 1) % 3
    skipped = by_itself(module, X, y)
    assert_array_equal(np.flatnonzero(np.isnan(skipped.distance)), [2])


def test_what_no_start_flips_is_flagged_for_the_fallback():
    module = network([3, 4, 3])
    with torch.no_grad():
        module[-1].weight.zero_()
    results = by_itself(module, np.random.default_rng(0).normal(size=(5, 3)))
    assert results.failed.all()
    assert np.isinf(results.distance).all()
