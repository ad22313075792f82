"""Leave-one-out unfairness against closed forms, its baseline, and the samples that it takes."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from refits import N, Ridge, data, network, ridge_luf
from robfair import NaturalClassifier
from robfair.leave_one_out import leave_one_out


class Chance(ClassifierMixin, BaseEstimator):
    """Confidences that depend on the seed, and on nothing else."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        generator = self.random_state
        if not isinstance(generator, np.random.RandomState):
            generator = np.random.RandomState(generator)
        self.positive_ = generator.rand()
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.positive_, self.positive_], (len(X), 1))


@pytest.mark.slow
@settings(max_examples=10)
@given(st.integers(0, 1000), st.floats(0.1, 100), st.integers(1, 10))
def test_ridge_has_the_closed_form(seed, alpha, n_left_out):
    X, y, X_test = data(seed)
    result = leave_one_out(Ridge(alpha), X, y, X_test, n_left_out=n_left_out, random_state=seed)
    expected = ridge_luf(X, y, X_test, alpha, result.left_out)
    assert result.luf == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert result.mean == pytest.approx(expected.mean(), rel=1e-6, abs=1e-12)
    assert result.n_left_out == result.n_refits == len(set(result.left_out)) == n_left_out


def test_nearest_neighbour_by_hand():
    # Without 2.0 the nearest to 1.9 is 1.0 (class 0); without 0.0 nothing changes its class.
    X, y = [[0.0], [1.0], [2.0], [4.0]], ["no", "no", "yes", "yes"]
    nearest = KNeighborsClassifier(n_neighbors=1)
    result = leave_one_out(nearest, X, y, [[0.1], [1.9], [3.9]], left_out=[2, 0])
    assert result.luf.tolist() == [0, 1, 0]
    assert result.mean == pytest.approx(1 / 3)
    assert result.luf_t == pytest.approx(1 / 3)  # 1 of 2 models, for 1 of 3 samples
    assert result.luf_l == pytest.approx(1 / 2)
    assert result.left_out.tolist() == [2, 0]
    assert result.proba_refitted[0, 1].tolist() == [1, 0]
    assert result.classes.tolist() == ["no", "yes"]
    assert result.baseline is None
    assert "takes no random_state" in repr(result)


def test_a_model_that_ignores_its_data_has_none():
    X, y, X_test = data()
    result = leave_one_out(DummyClassifier(strategy="uniform"), X, y, X_test, n_left_out=5)
    assert result.luf.tolist() == [0] * len(X_test)
    assert result.baseline.mean == 0


@pytest.mark.parametrize("seed", [None, 3, np.random.RandomState(3)])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_chance_is_in_the_baseline_and_not_in_luf(seed, in_pipeline):
    X, y, X_test = data()
    estimator = Chance(random_state=seed)
    if in_pipeline:
        estimator = make_pipeline(StandardScaler(), estimator)
    result = leave_one_out(estimator, X, y, X_test, n_left_out=6, n_baseline=4)
    assert result.mean == result.repeat_difference == 0
    assert result.baseline.n_refits == 4
    assert len(np.unique(result.baseline.proba_refitted)) == 2 * 4
    assert result.baseline.mean > 0
    if isinstance(seed, np.random.RandomState):
        assert seed.rand() == np.random.RandomState(3).rand()  # the user's has not moved on
        seed.seed(3)


def test_noise_that_no_seed_governs_is_reported():
    class Unseeded(Chance):
        def __init__(self):
            super().__init__(np.random.RandomState())

        def get_params(self, deep=True):
            return {}

    X, y, X_test = data()
    with pytest.warns(UserWarning, match="two fits with the same seed .* differ by up to"):
        result = leave_one_out(Unseeded(), X, y, X_test, n_left_out=2)
    assert result.repeat_difference > 0


class Grouped(Ridge):
    """Wants as groups the first feature, sample by sample."""

    def fit(self, X, y, groups):
        assert np.array_equal(X[:, 0], groups)
        return super().fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["frame", "list", "images"])
def test_samples_may_be_what_the_estimator_takes(kind):
    X, y, X_test = data()
    estimator = Ridge()
    expected = ridge_luf(X, y, X_test, 1.0, np.arange(N))
    if kind == "frame":
        names = ["a", "b", "c"]
        X, y = pd.DataFrame(X, columns=names, index=range(100, 100 + N)), pd.Series(y)
        X_test = pd.DataFrame(X_test, columns=names)
    elif kind == "list":
        X, y, X_test = X.tolist(), y.tolist(), X_test.tolist()
    else:
        module = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
        estimator = NaturalClassifier(module=module, max_epochs=1)
        X, X_test = X.reshape(N, 1, 3), X_test.reshape(-1, 1, 3)
    result = leave_one_out(estimator, X, y, X_test, n_left_out=N, n_baseline=0)
    if kind != "images":
        assert result.luf == pytest.approx(expected)


def test_nothing_of_the_users_is_changed():
    X, y, X_test = data()
    before = [a.copy() for a in (X, y, X_test)]
    estimator = network()
    states = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    leave_one_out(estimator, X, y, X_test, n_left_out=2, n_baseline=1)
    assert all(np.array_equal(a, b) for a, b in zip(before, (X, y, X_test), strict=True))
    assert not hasattr(estimator, "net_")
    assert estimator.random_state is None
    assert np.array_equal(states[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(states[1], torch.get_rng_state())


def test_all_features_times_100_change_nothing():
    X, y, X_test = data()
    estimator = make_pipeline(StandardScaler(), Ridge())
    small, large = (leave_one_out(estimator, X * s, y, X_test * s, n_left_out=9) for s in (1, 100))
    assert small.luf == pytest.approx(large.luf, rel=1e-9)
