"""One refit: how a sample is left out, confidences, threads and memory."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from refits import N, Ridge, data, equal, network, ridge_luf
from robfair.leave_one_out import leave_one_out


class WeightedRidge(Ridge):
    """The same, but it leaves out by weight, and refuses to have a row removed."""

    leaves_out_by_weight = True

    def fit(self, X, y, sample_weight=None):
        assert len(X) == N
        return super().fit(X, y, sample_weight)


@pytest.mark.slow
def test_leaving_out_by_weight_has_the_same_closed_form():
    X, y, X_test = data()
    weight = np.ones(N)
    for given_weight in (None, weight):
        result = leave_one_out(
            WeightedRidge(), X, y, X_test, n_left_out=N, sample_weight=given_weight
        )
        assert result.luf == pytest.approx(ridge_luf(X, y, X_test, 1.0, np.arange(N)))
    assert (weight == 1).all()


def test_weights_go_to_fit_and_a_weight_of_zero_is_not_in():
    X, y, X_test = data()
    weight = np.random.default_rng(1).integers(0, 3, size=N).astype(float)
    removed = leave_one_out(Ridge(), X, y, X_test, sample_weight=weight, n_left_out=5)
    weighted = leave_one_out(WeightedRidge(), X, y, X_test, sample_weight=weight, n_left_out=5)
    kept = weight > 0
    root = np.sqrt(weight[kept])[:, None]  # weighted least squares as plain ones
    rows = np.searchsorted(np.flatnonzero(kept), removed.left_out)
    expected = ridge_luf(root * X[kept], root[:, 0] * y[kept], X_test, 1.0, rows)
    assert removed.luf == pytest.approx(expected)
    assert weighted.luf == pytest.approx(expected)
    assert (weight[removed.left_out] > 0).all()


def test_a_class_that_is_lost_has_confidence_zero():
    X = np.array([[0.0], [1.0], [10.0], [11.0], [50.0]])
    y = np.array(["a", "a", "c", "c", "b"])
    result = leave_one_out(GaussianNB(var_smoothing=1), X, y, [[50.0]], left_out=[4])
    assert result.proba_refitted[0, 0, 1] == 0
    assert result.proba_refitted[0, 0, 2] > 0.5
    assert result.luf[0] == np.abs(result.proba - result.proba_refitted[0]).max()


def test_a_network_is_refitted_in_the_same_order_by_a_weight_of_zero():
    X, y, X_test = data()
    result = leave_one_out(network(random_state=1), X, y, X_test, left_out=[3], n_baseline=0)
    weight = np.ones(N)
    weight[3] = 0
    by_hand = network(random_state=1).fit(X, y, sample_weight=weight).predict_proba(X_test)
    assert np.array_equal(result.proba, network(random_state=1).fit(X, y).predict_proba(X_test))
    assert np.array_equal(result.proba_refitted[0], by_hand)
    assert result.mean > 0


class Grouped(Ridge):
    """Wants as groups the first feature, sample by sample."""

    def fit(self, X, y, groups):
        assert np.array_equal(X[:, 0], groups)
        return super().fit(X, y)


class GroupedByWeight(Grouped):
    leaves_out_by_weight = True

    def fit(self, X, y, groups, sample_weight=None):
        kept = slice(None) if sample_weight is None else sample_weight > 0
        return super().fit(X[kept], y[kept], groups[kept])


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Grouped(), GroupedByWeight()])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_groups_keep_to_their_samples(estimator, in_pipeline):
    X, y, X_test = data()
    if in_pipeline:
        estimator = make_pipeline("passthrough", estimator)
    result = leave_one_out(estimator, X, y, X_test, groups=X[:, 0], n_left_out=N)
    assert result.luf == pytest.approx(ridge_luf(X, y, X_test, 1.0, np.arange(N)))


class Spy(TransformerMixin, BaseEstimator):
    """Subtracts the mean of the rows that it has seen, and of nothing else."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X) * 2  # as a TargetEncoder treats training data otherwise

    def transform(self, X):
        return X - self.mean_


@pytest.mark.parametrize("last", [Ridge, WeightedRidge])
def test_transformers_of_a_pipeline_do_not_see_the_sample(last):
    X, y, X_test = data()
    result = leave_one_out(make_pipeline(Spy(), last()), X, y, X_test, left_out=[5, N - 1])
    for row, found in zip(result.left_out, result.proba_refitted, strict=True):
        kept = np.arange(N) != row
        by_hand = make_pipeline(Spy(), Ridge()).fit(X[kept], y[kept]).predict_proba(X_test)
        assert found == pytest.approx(by_hand, rel=1e-12)


def test_what_only_the_left_out_sample_has_does_not_matter():
    X = pd.DataFrame({"job": ["x", "y", "z", "x", "y", "x"]})
    y = [0, 1, 1, 0, 1, 1]
    estimator = make_pipeline(OneHotEncoder(sparse_output=False), network())
    result = leave_one_out(estimator, X, y, X[:1], left_out=[2], n_baseline=0)
    assert result.mean > 0


def misaligned(array):
    """Return an equal array at an address that is no multiple of its items' size."""
    buffer = np.zeros(array.nbytes + 1, dtype=np.uint8)
    shifted = np.frombuffer(buffer.data, dtype=array.dtype, offset=1, count=array.size)
    shifted = shifted.reshape(array.shape)
    shifted[...] = array
    assert not shifted.flags.aligned
    return shifted


def test_result_does_not_depend_on_where_in_memory_the_data_are():
    # Dask puts them anywhere, and numpy sums in another order then.
    arrays = data(n=200)
    one, other = (
        leave_one_out(LogisticRegression(), *map(place, arrays), n_left_out=3, n_baseline=0)
        for place in (np.copy, misaligned)
    )
    assert equal(one, other)


def test_threads_are_one_inside_and_as_before_afterwards():
    class Threads(Ridge):
        def fit(self, X, y):
            assert torch.get_num_threads() == 1
            return super().fit(X, y)

    X, y, X_test = data()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        leave_one_out(Threads(), X, y, X_test, n_left_out=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_errors_of_an_estimator_say_where():
    X, y, X_test = data()
    with pytest.raises(TypeError, match="groups") as error:
        leave_one_out(LogisticRegression(), X, y, X_test, groups=y, n_left_out=1)
    assert error.value.__notes__ == ["robfair: this happened in refit 'all'."]


@pytest.mark.parametrize(
    ("proba", "classes", "message"),
    [
        (np.ones((7, 3)), [0, 1], "a column for each of classes_"),
        (np.ones(7), [0, 1], "a column for each of classes_"),
        (np.ones((7, 2)), [0, 2], "classes_ labels of y"),
        (np.full((7, 2), np.nan), [0, 1], r"must return confidences in \[0, 1\]"),
        (np.full((7, 2), 3.0), [0, 1], r"must return confidences in \[0, 1\]"),
    ],
)
def test_confidences_that_are_none(proba, classes, message):
    class Strange(Ridge):
        def fit(self, X, y):
            self.classes_ = np.array(classes)
            return self

        def predict_proba(self, X):
            return proba

    X, y, X_test = data()
    with pytest.raises(ValueError, match=message):
        leave_one_out(Strange(), X, y, X_test, n_left_out=1)
