"""Averaged weights: the recurrence, and that of the statistics of batch normalisation."""

import copy
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, NaturalClassifier
from robfair.training import NaturalObjective

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 3)).astype(np.float32), np.arange(40) % 2
TINY = {"batch_size": 8, "max_epochs": 3, "lr": 0.05, "random_state": 0}


class Steps(Callback):
    """Weights after every step."""

    def on_train_begin(self, net, **kwargs):
        self.weights_ = []

    def on_batch_end(self, net, **kwargs):
        self.weights_.append(copy.deepcopy(net.module_.state_dict()))


def fit(module, decay, cls=NaturalClassifier, **params):
    watch = Steps()
    clf = cls(module=module, averaging=decay, callbacks=[watch], **TINY | params)
    return clf.fit(X, Y), watch.weights_


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


class Moved:
    """Natural training on samples that are moved by 3, as an augmentation may do it."""

    def __call__(self, module, X, *args):
        return NaturalObjective()(module, X + 3, *args)


def test_statistics_of_batch_normalisation_are_averaged_like_weights():
    """So that they fit what the network saw, whatever the objective made of the samples."""
    clf, steps = fit(batch_norm, 0.6, AdversarialClassifier, objective=Moved(), max_epochs=12)
    mean = steps[0]["1.running_mean"].double()
    for n, step in enumerate(steps[1:], start=1):
        decay = min(0.6, (1 + n) / (10 + n))
        mean = decay * mean + (1 - decay) * step["1.running_mean"]
    norm = clf.module_[1]
    torch.testing.assert_close(norm.running_mean.double(), mean, rtol=1e-5, atol=1e-6)
    assert norm.num_batches_tracked == len(steps)
    with torch.no_grad():
        seen, given = (clf.module_[0](torch.from_numpy(X + move)).mean(dim=0) for move in (3, 0))
    assert (norm.running_mean - seen).norm() < 0.3 * (given - seen).norm()


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
