"""The nearest points, for samples that steps have not fooled."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from oracles import linear_distances, linear_layer, network, random_linear
from robfair import ThreatModel
from robfair.attacks import attack
from robfair.attacks._gradient_attack import GradientAttack
from robfair.attacks._nearest import NearestPoints
from robfair.attacks._options import AttackOptions
from robfair.attacks._prepared import prepare_steps

X = np.random.default_rng(0).normal(size=(20, 4))


def nearest(module, samples, norm=np.inf):
    options = AttackOptions()
    steps = prepare_steps(module, samples, None, ThreatModel(norm), options)
    return NearestPoints(GradientAttack(steps.problem, options, 0))


@pytest.mark.parametrize(
    ("module", "pays"),
    [
        (network([4, 1]), True),
        (network([4, 2]), True),
        (network([4, 5, 1]), False),
        (network([4, 5, 2]), False),
        (network([4, 5, 3]), True),
    ],
)
def test_a_search_pays_for_affine_models_and_many_classes(module, pays):
    assert nearest(module, X).pays == pays
    result = attack(module, X, eps=0.05, n_steps=3)
    left = ~result.success
    assert left.any()
    n_other = result.n_forward[left] - 5  # clean, steps and the confirmation
    assert (n_other > 0).all() == (n_other > 0).any() == pays
    steps = attack(module, X, eps=0.05, n_steps=3, nearest=False)
    assert (steps.n_forward[~steps.success] == 5).all()


@pytest.mark.parametrize("norm", [2, np.inf])
def test_points_within_eps_are_found_once(norm):
    weight, bias, samples = random_linear(np.random.default_rng(1), 4)
    exact = linear_distances(weight, bias, samples, norm)
    points = nearest(linear_layer(weight, bias), samples, norm)
    index = np.arange(len(samples))
    for share in (0.5, 1.0, 2.0):
        eps = np.full(len(samples), share * np.median(exact))
        rows, attempt = points.within(index, eps)
        assert_array_equal(rows, np.flatnonzero(exact * (1 + 1e-6) <= eps))
        assert attempt.fooled.all()
    assert (points.lower <= exact).all()
    assert (points.lower > exact * (1 - 1e-9)).all()
    assert points.attack.n_forward.max() == 7  # one search, and a pass for each eps
    rows, attempt = points.within(index, np.zeros(len(samples)))
    assert (len(rows), attempt) == (0, None)
