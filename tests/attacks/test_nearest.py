"""The nearest points, for samples that steps have not fooled."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from oracles import linear_distances, linear_layer, network, random_linear
from robfair import ThreatModel, boundary_distance
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


@pytest.mark.parametrize("norm", [2, np.inf])
def test_what_a_distance_proves_to_flip_is_fooled(norm):
    threat_model = ThreatModel(norm)
    samples = np.random.default_rng(1).normal(size=(60, 4))
    n_missed = 0  # by steps alone: without any, this test could not fail
    for sizes in ([4, 1], [4, 3], [4, 12, 12, 1], [4, 12, 2], [4, 12, 3]):
        module = network(sizes)
        distance = boundary_distance(module, samples, threat_model=threat_model).distance
        options = {"eps": np.quantile(distance, 0.6), "threat_model": threat_model}
        left = distance > options["eps"]
        assert (~attack(module, samples, **options).success <= left).all()
        n_missed += (~attack(module, samples, nearest=False, **options).success & ~left).sum()
    assert n_missed > 0


def test_a_search_costs_only_the_samples_that_are_left():
    result, steps = (attack(network([4, 5, 2]), X, eps=0.05, n_steps=3, nearest=n) for n in (1, 0))
    left = ~steps.success
    assert left.any()
    assert (result.n_forward[left] > steps.n_forward[left]).all()
    assert (result.n_forward[~left] == steps.n_forward[~left]).all()


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
