"""class_weight: the same as weights of the samples, or as repeated samples."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.utils.class_weight import compute_sample_weight
from skorch.callbacks import Callback
from torch import nn

from robfair import FarmurClassifier, NaturalClassifier
from robfair.estimators._samples import Samples

pytestmark = pytest.mark.filterwarnings("ignore::robfair.exceptions.CensoredDistanceWarning")

X = np.random.default_rng(0).standard_normal((60, 3))
Y = np.repeat(["few", "many", "some"], [10, 31, 19])
GROUPS = np.arange(60) % 2


def weights(clf):
    return torch.cat([p.detach().flatten() for p in clf.module_.parameters()])


@pytest.mark.parametrize("given", ["balanced", {"few": 3.0, "many": 0.5, "some": 1.0}, {"few": 2}])
@pytest.mark.parametrize("weighted", [True, False])
def test_class_weights_are_sample_weights(make, given, weighted):
    base = np.random.default_rng(1).integers(0, 3, size=60) if weighted else np.ones(60)
    kept = base > 0
    expected = base.astype(float)
    expected[kept] *= compute_sample_weight(given, Y[kept])
    one = make(class_weight=given)
    one.fit(X, Y, groups=GROUPS, sample_weight=base if weighted else None)
    other = make().fit(X, Y, groups=GROUPS, sample_weight=expected)
    assert_allclose(weights(one), weights(other), rtol=1e-4, atol=1e-6)


def test_a_class_of_weight_0_is_left_out():
    settings = {"hidden_layer_sizes": [4], "max_epochs": 1, "random_state": 0}
    one = NaturalClassifier(class_weight={"few": 0}, **settings).fit(X, Y)
    other = NaturalClassifier(**settings).fit(X, Y, sample_weight=Y != "few")
    assert torch.equal(weights(one), weights(other))


class Rows(Callback):
    """What is trained on in an epoch."""

    def on_epoch_begin(self, net, **kwargs):
        self.seen = []

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.seen.append(batch[0]["X"].numpy())

    def times(self):
        rows = np.concatenate(self.seen)
        return np.array([(rows == row).all(axis=1).sum() for row in X.astype(np.float32)])


def test_oversampling_repeats_the_smaller_classes(make):
    rows = Rows()
    make(class_weight="oversample", callbacks=[rows]).fit(X, Y, groups=Y)
    times = rows.times()
    held_out = isinstance(make(), FarmurClassifier)
    for label, expected in (("few", 3), ("many", 1), ("some", 2)):
        trained = times[label == Y]
        assert set(trained) == ({0, expected} if held_out else {expected})
        if held_out:
            assert (trained == 0).sum() == round(0.3 * len(trained))


def test_oversampling_is_training_on_repeated_samples():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Linear(3, 3)
    settings = {"module": module, "optimizer": "sgd", "lr": 0.2, "batch_size": 999}
    settings["random_state"] = 0
    one = NaturalClassifier(class_weight="oversample", max_epochs=3, **settings).fit(X, Y)
    times = np.select([Y == "few", Y == "some"], [3, 2], 1)
    other = NaturalClassifier(max_epochs=3, **settings).fit(X.repeat(times, 0), Y.repeat(times))
    assert_allclose(weights(one), weights(other), rtol=1e-4, atol=1e-6)


def test_oversampling_with_a_sample_left_out():
    """It is gone with all its copies, and those that are left keep their order."""
    found = []
    for weight in (None, np.arange(60) != 4):
        rows = Rows()
        clf = NaturalClassifier(
            class_weight="oversample", max_epochs=2, batch_size=16, random_state=0, callbacks=[rows]
        )
        clf.fit(X, Y, sample_weight=weight)
        found.append(rows)
    every, some = found
    assert every.times()[4] == 3
    assert some.times()[4] == 0
    gone = X[4].astype(np.float32)
    for before, after in zip(every.seen, some.seen, strict=True):
        assert np.array_equal(after, before[(before != gone).any(axis=1)])


@given(st.lists(st.integers(0, 40), min_size=2, max_size=5).filter(lambda n: max(n) > 0))
def test_no_other_number_of_repetitions_comes_closer(sizes):
    y = np.repeat(np.arange(len(sizes) + 1), [*sizes, 1])
    weight = (y < len(sizes)).astype(float)  # the last class is left out
    samples = Samples(np.zeros((len(y), 1)), y, y, weight)
    found = np.bincount(samples.oversampled().y, minlength=len(sizes) + 1)
    assert found[-1] == 1
    for size, repeated in zip(sizes, found, strict=False):
        assert repeated == 0 if size == 0 else repeated % size == 0
        best = min((abs(k * size - max(sizes)) for k in range(1, 42)), default=0)
        assert size == 0 or abs(repeated - max(sizes)) == best


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("smote", "'class_weight' parameter"),
        ([1, 2, 3], "'class_weight' parameter"),
        ({"few": -1.0}, r"class_weight must be finite and not negative; got \{'few': -1.0\}"),
        ({"few": np.nan}, "class_weight must be finite"),
        ({"few": np.inf}, "class_weight must be finite"),
        ({"none": 2.0}, "not in class_weight"),
        ({"few": 0, "some": 0}, r"1 of the classes in y, \['many'\].*at least two"),
        ({"few": 0, "some": 0, "many": 0}, r"0 of the classes in y, \[\]"),
    ],
)
def test_bad_class_weights(make, class_weight, message):
    with pytest.raises(ValueError, match=message):
        make(class_weight=class_weight).fit(X, Y, groups=GROUPS)
