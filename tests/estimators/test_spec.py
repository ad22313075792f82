"""The run that each classifier describes."""

import numpy as np
import pytest

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier, ThreatModel
from robfair.training import Farmur, Noise, PgdObjective, Strategy, TradesObjective

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
NOISE = Noise(0)


def spec(clf):
    return clf._training_spec(X, NOISE)


def test_natural_training_has_no_attack():
    run = spec(NaturalClassifier(max_epochs=7))
    assert (run.n_epochs, run.eps, run.attack.n_steps, run.fallback) == (7, 0, 0, None)


def test_steps_are_relative_to_eps():
    run = spec(AdversarialClassifier(eps=0.2, n_steps=5, step_size=0.1, beta=2))
    assert isinstance(run.objective, TradesObjective)
    assert (run.eps, run.beta, run.attack.n_steps) == (0.2, 2, 5)
    assert run.attack.relative_step == pytest.approx(0.5)
    assert spec(AdversarialClassifier(n_steps=5)).attack.relative_step == pytest.approx(0.5)


def test_a_single_step_has_several_to_fall_back_on():
    run = spec(AdversarialClassifier(objective="n-fgsm", n_steps=4, eps=0.2, step_size=0.1))
    assert isinstance(run.objective, PgdObjective)
    assert (run.attack.n_steps, run.attack.spread, run.attack.radius) == (1, 2, 3)
    assert run.attack.relative_step == 1  # of eps, whatever the steps of the other attack
    assert (run.fallback.n_steps, run.fallback.spread, run.fallback.radius) == (4, 1, 1)
    assert run.fallback.relative_step == pytest.approx(0.5)


def test_farmur_adds_its_epochs():
    run = spec(FarmurClassifier(max_epochs=3, retrain_epochs=2, reduction="batch"))
    assert run.n_epochs == 5
    assert run.strategy.get_params() == Farmur(3, "batch").get_params()


def test_the_strategy_is_a_copy_and_the_box_that_of_the_samples():
    strategy = Strategy()
    clf = AdversarialClassifier(strategy=strategy, threat_model=ThreatModel(bounds="data"))
    run = spec(clf)
    assert run.strategy is not strategy
    low, high = run.attack.threat_model.bounds
    np.testing.assert_array_equal(low, X.min(axis=0))
    np.testing.assert_array_equal(high, X.max(axis=0))


def test_plan_of_all_groups():
    plan = spec(AdversarialClassifier(eps=0.25, beta=3)).plan(2, "cpu")
    assert plan.eps.tolist() == [0.25, 0.25]
    assert plan.beta.tolist() == [3, 3]
