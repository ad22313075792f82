"""Examples made for another model, and labels to be left or reached."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from oracles import network, predict_with
from robfair.attacks import attack
from robfair.attacks._prepared import check_eps

NORMS = [2, np.inf]
NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
CLEAN = predict_with(NET)(X)
Y = np.where(np.arange(40) % 7 == 0, (CLEAN + 1) % 3, CLEAN)  # some are wrong


def test_transfer():
    other = network([4, 8, 3], seed=1)
    result = attack(NET, X, Y, eps=0.3, transfer_from=("the other", other))
    assert result.transfer_from == "the other"
    assert "examples made for the other" in repr(result)
    assert_array_equal(result.predicted, CLEAN)
    assert_array_equal(result.predicted_adversarial, predict_with(NET)(result.adversarial))
    assert_array_equal(result.success, result.predicted_adversarial != Y)
    # All samples are attacked with all steps, also those that are wrong.
    assert (result.size > 0).all()
    assert_array_equal(result.n_backward, 20)
    made = attack(other, X, Y, eps=0.3)
    assert (predict_with(other)(result.adversarial) != Y)[made.success].mean() > 0.9


def test_transfer_to_a_model_without_gradients():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    result = attack(forest, X, Y, eps=0.5, transfer_from=NET)
    assert result.transfer_from == "Sequential"
    assert_array_equal(result.predicted_adversarial, forest.predict(result.adversarial))
    unlabelled = attack(forest, X, eps=0.5, transfer_from=NET)
    assert_array_equal(unlabelled.success, unlabelled.predicted_adversarial != forest.predict(X))


def test_transfer_needs_the_same_inputs():
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X * 3, CLEAN)
    with pytest.raises(ValueError, match="transform X differently"):
        attack(scaled, X, CLEAN, eps=0.1, transfer_from=NET)
    twin = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(X * 3, CLEAN)
    assert attack(scaled, X, CLEAN, eps=0.1, transfer_from=twin).transfer_from == "Pipeline"


def test_target():
    for target in (1, np.arange(40) % 3):
        result = attack(NET, X, eps=0.6, target=target)
        assert_array_equal(result.success, result.predicted_adversarial == target)
        assert_array_equal(predict_with(NET)(result.adversarial), result.predicted_adversarial)
        already = result.predicted == target
        assert (result.size[already] == 0).all()
        assert already.mean() + 0.2 < result.success_rate < 1
        assert (result.size <= 0.6).all()


def test_without_y_it_leaves_the_prediction():
    result = attack(NET, X, eps=0.3)
    assert_array_equal(result.success, attack(NET, X, CLEAN, eps=0.3).success)
    assert_array_equal(result.success, result.predicted_adversarial != CLEAN)
    assert not (result.size == 0).any()


def test_eps_is_a_number_that_is_finite_and_not_negative():
    assert_array_equal(check_eps([0, 1]), [0.0, 1.0])
    for bad in (-1, np.nan, [0, np.inf]):
        with pytest.raises(ValueError, match="radius must be finite and not negative"):
            check_eps(bad, "radius")
    with pytest.raises(TypeError, match="radius must be a number"):
        check_eps("large", "radius")
