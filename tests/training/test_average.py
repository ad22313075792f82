"""Averaged weights: the recurrence, and batch normalisation estimated anew."""

import copy
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, NaturalClassifier

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 3)).astype(np.float32), np.arange(40) % 2
TINY = {"batch_size": 8, "max_epochs": 3, "lr": 0.05, "random_state": 0}


class Steps(Callback):
    """Weights after every step."""

    def on_train_begin(self, net, **kwargs):
        self.weights_ = []

    def on_batch_end(self, net, **kwargs):
        self.weights_.append(copy.deepcopy(net.module_.state_dict()))


def fit(module, decay, cls=NaturalClassifier, sample_weight=None, **params):
    watch = Steps()
    clf = cls(module=module, averaging=decay, callbacks=[watch], **TINY | params)
    return clf.fit(X, Y, sample_weight=sample_weight), watch.weights_


def batch_norm():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def test_the_recurrence():
    clf, steps = fit(lambda: nn.Linear(3, 2), 0.6)
    mean = steps[0]["weight"].double()
    for n, step in enumerate(steps[1:], start=1):
        decay = min(0.6, (1 + n) / (10 + n))
        mean = decay * mean + (1 - decay) * step["weight"]
    torch.testing.assert_close(clf.module_.weight.detach().double(), mean, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(clf.module_.weight, steps[-1]["weight"])


def test_training_itself_is_the_same():
    (_, averaged), (_, plain) = fit(batch_norm, 0.9), fit(batch_norm, None)
    for one, other in zip(averaged, plain, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_batch_normalisation_is_estimated_from_the_training_samples():
    clf, steps = fit(batch_norm, 0.9)
    linear, norm = clf.module_[0], clf.module_[1]
    with torch.no_grad():
        out = linear(torch.from_numpy(X)).double()
    # Batches of equal size: the mean over batches is the mean over samples.
    torch.testing.assert_close(norm.running_mean.double(), out.mean(dim=0), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(norm.running_mean, steps[-1]["1.running_mean"])


def test_samples_that_are_left_out_have_no_part_in_it():
    weight = np.ones(40)
    weight[:8] = 0
    clf, _ = fit(batch_norm, 0.9, sample_weight=weight)
    with torch.no_grad():
        out = clf.module_[0](torch.from_numpy(X[8:])).double()
    torch.testing.assert_close(
        clf.module_[1].running_mean.double(), out.mean(dim=0), rtol=1e-5, atol=1e-6
    )


def test_dropout_does_not_touch_the_global_state():
    def module():
        return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 2))

    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, other = (fit(module, 0.9)[0].predict_proba(X) for _ in range(2))
    assert np.array_equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_fitted_net_holds_no_second_copy():
    plain, averaged = (fit(lambda: nn.Linear(3, 2), d)[0] for d in (None, 0.9))
    for clf in (plain, averaged):
        clf.callbacks = None
    size = len(pickle.dumps(averaged.set_params(module=None)))
    assert size < len(pickle.dumps(plain.set_params(module=None))) + 1000


def test_with_attacks():
    clf, steps = fit(lambda: nn.Linear(3, 2), 0.9, AdversarialClassifier, eps=0.1, n_steps=2)
    assert not torch.equal(clf.module_.weight, steps[-1]["weight"])


@pytest.mark.parametrize("decay", [0, 1, -0.1])
def test_a_bad_decay_is_an_error(decay):
    with pytest.raises(ValueError, match="averaging"):
        NaturalClassifier(averaging=decay).fit(X, Y)
