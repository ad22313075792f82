"""Leave-one-out unfairness against closed forms, and runs that are cut off, damaged or mistaken."""

import os
import signal
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

from refits import N, Ridge, data, equal, network
from robfair import NaturalClassifier
from robfair.leave_one_out import leave_one_out
from robfair.metrics import leave_one_out_unfairness


class WeightedRidge(Ridge):
    """The same, but it leaves out by weight, and refuses to have a row removed."""

    leaves_out_by_weight = True

    def fit(self, X, y, sample_weight=None):
        assert len(X) == N
        return super().fit(X, y, sample_weight)


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


def ridge_luf(X, y, X_test, alpha, rows):
    """The closed form: without i, the prediction at x falls by x'A^-1 x_i e_i / (1 - h_ii)."""
    inverse = np.linalg.inv(X.T @ X + alpha * np.eye(X.shape[1]))
    residual = y - X @ inverse @ X.T @ y
    leverage = np.einsum("ij,jk,ik->i", X, inverse, X)
    change = X_test @ inverse @ X.T * (residual / (1 - leverage))
    full = X_test @ inverse @ X.T @ y
    return np.abs(expit(full[:, None] - change) - expit(full)[:, None])[:, rows].max(axis=1)


# What is measured


@settings(max_examples=10)
@given(st.integers(0, 1000), st.floats(0.1, 100), st.integers(1, 10))
def test_ridge_has_the_closed_form(seed, alpha, n_left_out):
    X, y, X_test = data(seed)
    result = leave_one_out(Ridge(alpha), X, y, X_test, n_left_out=n_left_out, random_state=seed)
    expected = ridge_luf(X, y, X_test, alpha, result.left_out)
    assert result.luf == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert result.mean == pytest.approx(expected.mean(), rel=1e-6, abs=1e-12)
    assert result.n_left_out == result.n_refits == len(set(result.left_out)) == n_left_out


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


def test_a_class_that_is_lost_has_confidence_zero():
    X = np.array([[0.0], [1.0], [10.0], [11.0], [50.0]])
    y = np.array(["a", "a", "c", "c", "b"])
    result = leave_one_out(GaussianNB(var_smoothing=1), X, y, [[50.0]], left_out=[4])
    assert result.proba_refitted[0, 0, 1] == 0
    assert result.proba_refitted[0, 0, 2] > 0.5
    assert result.luf[0] == np.abs(result.proba - result.proba_refitted[0]).max()


def test_result_says_what_stands_beside_what():
    X, y, X_test = data()
    estimator = MLPClassifier((3,), solver="lbfgs", max_iter=5000)
    result = leave_one_out(estimator, X, y, X_test, n_left_out=3)
    frame = result.to_frame()
    assert frame.index.tolist() == ["left out", "other seed"]
    assert frame["n_refits"].tolist() == [3, 3]  # a maximum over as many
    for row, part in (("left out", result), ("other seed", result.baseline)):
        assert frame.loc[row, "luf"] == leave_one_out_unfairness(part.proba, part.proba_refitted)
        assert frame.loc[row, "luf_t"] == part.luf_t
        assert part.luf_l == pytest.approx(len(X_test) / 3 * part.luf_t)
    assert "3 left out, 7 test samples" in repr(result)
    assert "3 other seeds" in repr(result)
    bare = leave_one_out(estimator, X, y, X_test, n_left_out=1, n_baseline=0)
    assert bare.to_frame().index.tolist() == ["left out"]
    assert "no other seeds" in repr(bare)


# How a sample is left out


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


# Many workers, and none lost


def test_result_depends_neither_on_the_backend_nor_on_the_seed_of_another_run():
    X, y, X_test = data()
    options = {"n_left_out": 3, "n_baseline": 2}
    serial = leave_one_out(network(), X, y, X_test, **options)
    with parallel_config(backend="threading", n_jobs=2):
        assert equal(serial, leave_one_out(network(), X, y, X_test, **options))
    assert not equal(serial, leave_one_out(network(), X, y, X_test, random_state=1, **options))


class Killer(TransformerMixin, BaseEstimator):
    """Changes nothing; the first to find the file removes it and kills its process."""

    def __init__(self, file):
        self.file = file

    def fit(self, X, y=None):
        if os.path.exists(self.file):
            os.remove(self.file)
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def transform(self, X):
        return X


def test_result_is_the_same_from_two_processes_one_of_them_killed(tmp_path):
    X, y, X_test = data()
    file = tmp_path / "kill"
    estimator = make_pipeline(Killer(file), network())
    options = {"n_left_out": 4, "n_baseline": 2}
    serial = leave_one_out(estimator, X, y, X_test, **options)
    file.touch()
    with pytest.warns(UserWarning, match="workers were lost"):
        result = leave_one_out(estimator, X, y, X_test, n_jobs=2, **options)
    assert not file.exists()
    assert equal(serial, result)


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


@pytest.mark.parametrize("error", [CancelledError, BrokenProcessPool])
def test_workers_lost_again_and_again_are_an_error(tmp_path, monkeypatch, error):
    class Loses:
        """Returns one result in its first call, and loses its workers in every one."""

        n_calls = 0

        def __init__(self, **kwargs):
            type(self).n_calls += 1

        def __call__(self, tasks):
            for function, args, kwargs in tasks:
                if self.n_calls > 1:
                    break
                yield function.function(*args, **kwargs)
                break
            raise error("gone")

    monkeypatch.setattr("robfair.leave_one_out._runner.Parallel", Loses)
    X, y, X_test = data()
    for checkpoint, where in ((None, "gone: pass checkpoint"), (tmp_path, f"kept in {tmp_path}")):
        Loses.n_calls = 0
        with (
            pytest.raises(RuntimeError, match=rf"1 of 8 refits are finished and {where}") as raised,
            pytest.warns(UserWarning, match=rf"workers were lost \({error.__name__}: gone\)"),
        ):
            leave_one_out(Ridge(), X, y, X_test, n_left_out=6, checkpoint=checkpoint)
        assert Loses.n_calls == 2
        assert isinstance(raised.value.__cause__, error)


# Bad input, before any work


class Untouched(Ridge):
    def fit(self, X, y):
        raise AssertionError("work has started")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n_left_out": 31}, ValueError, "between 1 and 30, the number of training .* got 31"),
        ({"n_left_out": 0}, ValueError, "between 1 and 30"),
        ({"n_left_out": 1.5}, TypeError, "integer"),
        ({"left_out": [1, 30]}, ValueError, r"got \[30\]"),
        ({"left_out": [-1]}, ValueError, r"got \[-1\]"),
        ({"left_out": [1, 2, 1]}, ValueError, r"repeats \[1\]"),
        ({"left_out": []}, TypeError, "positions in X"),
        ({"left_out": np.array([], dtype=int)}, ValueError, "left_out is empty"),
        ({"left_out": np.ones(N, dtype=bool)}, TypeError, "got bool of shape"),
        ({"left_out": 3}, TypeError, "use n_left_out"),
        ({"left_out": [0], "sample_weight": [0] + [1] * 29}, ValueError, "weight above 0"),
        ({"left_out": [0], "y": [0] + [1] * 29}, ValueError, "without sample 0, the only one"),
        ({"y": [1] * 30}, ValueError, "one class only"),
        ({"y": np.linspace(0, 1, 30)}, ValueError, "Unknown label type"),
        ({"y": [0, 1]}, ValueError, "inconsistent numbers of samples"),
        ({"groups": ["a"]}, ValueError, "inconsistent numbers of samples"),
        ({"X_test": np.ones((2, 4))}, ValueError, r"of shape \(3,\), not \(4,\)"),
        ({"X_test": np.ones((0, 3))}, ValueError, "no samples"),
        ({"estimator": LinearSVC()}, TypeError, "no method predict_proba"),
        ({"estimator": make_pipeline(LinearSVC())}, TypeError, "no method predict_proba"),
        ({"n_baseline": 1}, ValueError, "takes no random_state"),
        ({"n_baseline": -1}, ValueError, "not be negative"),
    ],
)
def test_bad_input_is_refused_before_work_starts(changed, error, message):
    X, y, X_test = data()
    arguments = {"estimator": Untouched(), "X": X, "y": y, "X_test": X_test, "n_left_out": 3}
    with pytest.raises(error, match=message):
        leave_one_out(**{**arguments, **changed})


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
