"""Attacks on tables: fooled if and only if the least cost found is within eps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier

from oracles import network, predict_with
from robfair import ThreatModel, boundary_distance
from robfair.attacks import attack, attack_success, least_eps, robust_accuracy

THREAT = ThreatModel(
    bounds="data", categories=[[2, 3, 4]], integer=[True, False, False, False, False]
)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = np.concatenate(
        [
            rng.integers(-3, 4, (40, 1)),
            rng.normal(size=(40, 1)),
            np.eye(3)[rng.integers(3, size=40)],
        ],
        axis=1,
    )
    net = network([5, 12, 2])
    y = predict_with(net)(X)
    y[::5] = 1 - y[::5]
    return net, X, y, boundary_distance(net, X, y=y, threat_model=THREAT)


def test_attack(problem):
    net, X, y, found = problem
    wrong = found.status == "skipped"
    eps = float(np.nanmedian(found.distance))
    result = attack(net, X, y, eps=eps, threat_model=THREAT)
    assert_array_equal(result.success, wrong | (found.distance <= eps))
    assert 0 < result.success.mean() < 1
    assert_array_equal(predict_with(net)(result.adversarial), result.predicted_adversarial)
    assert_array_equal(result.predicted_adversarial != y, result.success)
    moved = result.size > 0
    assert_array_equal(moved, result.success & ~wrong)
    assert_array_equal(result.adversarial[~moved], X[~moved])
    threat_model = THREAT.bind(X)
    assert threat_model.valid(X, result.adversarial).all()
    assert_allclose(threat_model.cost(X, result.adversarial), result.size)
    assert (result.size <= eps).all()


def test_an_eps_for_each_sample_and_the_labels_that_are_predicted(problem):
    net, X, _, _ = problem
    eps = np.linspace(0, 3, len(X))
    result = attack(net, X, eps=eps, threat_model=THREAT)
    distance = boundary_distance(net, X, threat_model=THREAT).distance
    assert_array_equal(result.success, distance <= eps)


@pytest.mark.slow
def test_rates_and_least_eps(problem):
    net, X, y, found = problem
    wrong, grid = found.status == "skipped", [0.0, 0.3, 1.0, 3.0]
    rates = robust_accuracy(net, X, y, grid, threat_model=THREAT)
    fooled = [(wrong | (found.distance <= eps)).mean() for eps in grid]
    assert_allclose(rates, 1 - np.array(fooled))
    assert robust_accuracy(net, X, y, 0.3, threat_model=THREAT) == rates[0.3]
    success = attack_success(net, X, y, grid, threat_model=THREAT)
    assert_allclose(success.mean(), fooled)
    least = least_eps(net, X, y, eps_max=1.0, threat_model=THREAT)
    expected = np.where(found.distance <= 1, found.distance, np.inf)
    assert_allclose(least.eps, np.where(wrong, 0, expected))


@pytest.mark.slow
def test_a_forest(problem):
    net, X, _, _ = problem
    forest = RandomForestClassifier(5, random_state=0).fit(X, predict_with(net)(X))
    result = attack(forest, X, eps=1.0, threat_model=THREAT)
    assert_array_equal(result.success, result.predicted_adversarial != result.predicted)
    assert result.success.any()


def test_rows_made_for_another_model(problem):
    net, X, y, _ = problem
    other = network([5, 12, 2], seed=1)
    result = attack(net, X, y, eps=1.0, threat_model=THREAT, transfer_from=("other", other))
    made = attack(other, X, y, eps=1.0, threat_model=THREAT)
    assert_array_equal(result.adversarial, made.adversarial)
    assert_array_equal(result.success, predict_with(net)(made.adversarial) != y)
    assert "examples made for other" in repr(result)
    rate = robust_accuracy(net, X, y, 1.0, threat_model=THREAT, transfer_from=("other", other))
    assert rate == 1 - result.success_rate
    assert rate.transfer_from == "other"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "fgsm"}, "leave out method; got 'fgsm'"),
        ({"method": "kl"}, "leave out method; got 'kl'"),
        ({"target": 1}, "target must be None; got 1"),
        ({"n_steps": 50, "random_start": False}, "leave out n_steps, random_start"),
    ],
)
def test_what_an_attack_on_a_table_refuses(problem, options, message):
    net, X, _, _ = problem
    with pytest.raises(ValueError, match=message):
        attack(net, X, eps=1.0, threat_model=THREAT, **options)
    with pytest.raises(ValueError, match=message):
        least_eps(net, X, eps_max=1.0, threat_model=THREAT, **options)


def test_bisections_are_refused(problem):
    net, X, _, _ = problem
    with pytest.raises(ValueError, match="leave out tolerance"):
        least_eps(net, X, eps_max=1.0, threat_model=THREAT, tolerance=0.1)
