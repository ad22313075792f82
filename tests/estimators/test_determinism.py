"""The same seed gives the same weights, whatever is around; global states are left alone."""

import sys
import threading

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.model_selection import StratifiedKFold, cross_validate
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, NaturalClassifier
from robfair.metrics import classifier_robustness
from robfair.scorers import make_robustness_scorer

# A tiny network that is barely trained may predict one class for all of the held-out samples.
pytestmark = pytest.mark.filterwarnings("ignore::robfair.exceptions.CensoredDistanceWarning")


def weights(clf):
    return torch.cat([p.detach().flatten() for p in clf.module_.parameters()])


def dropout_module():
    return nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 2))


@pytest.mark.parametrize("module", [None, dropout_module, dropout_module()])
def test_same_seed_same_bits(make, data, module):
    found = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        clf = make(module=module).fit(data.X, data.y, groups=data.groups)
        found.append((weights(clf), clf.predict_proba(data.X), clf.history_))
    assert torch.equal(found[0][0], found[1][0])
    assert_array_equal(found[0][1], found[1][1])
    for name in found[0][2].keys() - {"dur"}:
        assert_array_equal(found[0][2][name], found[1][2][name])


def test_different_seeds_differ(make, data):
    fits = [make(random_state=s).fit(data.X, data.y, groups=data.groups) for s in (0, 1)]
    assert not torch.equal(*map(weights, fits))


def test_seed_none_draws_a_fresh_one(make, data):
    fits = [make(random_state=None).fit(data.X, data.y, groups=data.groups) for _ in range(2)]
    assert not torch.equal(*map(weights, fits))


def test_random_state_instance(make, data):
    def fit(state):
        return weights(make(random_state=state).fit(data.X, data.y, groups=data.groups))

    state = np.random.RandomState(5)
    first, second = fit(state), fit(state)
    assert torch.equal(first, fit(np.random.RandomState(5)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("module", [None, dropout_module])
def test_global_states_are_untouched(make, data, module):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    make(module=module).fit(data.X, data.y, groups=data.groups).predict(data.X)
    assert torch.equal(torch.get_rng_state(), torch_state)
    for now, before in zip(np.random.get_state(), numpy_state, strict=True):  # noqa: NPY002
        assert_array_equal(now, before)


def test_global_state_is_untouched_when_fit_fails(make, data):
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="3 logits"):
        make(module=lambda: nn.Linear(3, 3)).fit(data.X, data.y, groups=data.groups)
    assert torch.equal(torch.get_rng_state(), before)


class Meet(Callback):
    """Say that training has begun, then wait for something else."""

    def __init__(self, say, wait):
        self.say = say
        self.wait = wait

    def on_train_begin(self, net, **kwargs):
        self.say.set()
        assert self.wait.wait(30)


def test_global_state_is_untouched_by_two_threads(data):
    """Of two fits that overlap, the first to begin ends first."""
    before = torch.get_rng_state()
    one_begun, two_begun, one_ended = (threading.Event() for _ in range(3))

    def fit(say, wait):
        clf = NaturalClassifier(hidden_layer_sizes=[3], max_epochs=1, callbacks=[Meet(say, wait)])
        clf.fit(data.X, data.y)

    def first():
        fit(one_begun, two_begun)
        one_ended.set()

    def second():
        assert one_begun.wait(30)
        fit(two_begun, one_ended)

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def busy_threads():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
def test_dropout_in_threads_draws_what_it_draws_alone(data, busy_threads):
    """Its numbers come from torch's one generator, which each batch seeds anew."""

    def fit(seed):
        clf = NaturalClassifier(
            module=dropout_module, max_epochs=4, batch_size=8, averaging=0.9, random_state=seed
        )
        return weights(clf.fit(data.X, data.y))

    alone = [fit(seed) for seed in range(3)]
    for _ in range(2):
        together = joblib.Parallel(n_jobs=3, backend="threading")(
            joblib.delayed(fit)(seed) for seed in range(3)
        )
        assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


SCORING = {
    "accuracy": "accuracy",
    "log_loss": "neg_log_loss",
    "rob": make_robustness_scorer(classifier_robustness, groups=0, tau_max=9.0),
}


def scores(clf, data, n_jobs):
    X = np.column_stack([data.groups, data.X])
    found = cross_validate(clf, X, data.y, cv=StratifiedKFold(2), scoring=SCORING, n_jobs=n_jobs)
    return {name: values for name, values in found.items() if name.startswith("test_")}


def small(cls=AdversarialClassifier, **changes):
    return cls(hidden_layer_sizes=[6], max_epochs=2, random_state=0, **changes)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_parallel_folds_score_the_same(data, backend):
    clf = small(n_steps=2)
    alone = scores(clf, data, 1)
    with joblib.parallel_config(backend=backend):
        parallel = scores(clf, data, 2)
    assert alone.keys() == parallel.keys()
    for name, values in alone.items():
        assert_array_equal(values, parallel[name], err_msg=name)


@pytest.mark.slow
def test_fits_in_threads_have_the_weights_that_they_have_alone(data):
    """One seeds torch's global generator while another makes its network."""

    def fit(seed):
        clf = NaturalClassifier(
            hidden_layer_sizes=[64, 64], max_epochs=3, batch_size=8, random_state=seed
        )
        clf.fit(data.X[:64], data.y[:64])
        return next(clf.module_.parameters()).detach().numpy()

    alone = [fit(seed) for seed in range(3)]
    with joblib.parallel_config(backend="threading", n_jobs=2):
        together = joblib.Parallel()(joblib.delayed(fit)(i % 3) for i in range(30))
    for i, weights in enumerate(together):
        assert_array_equal(weights, alone[i % 3])
