"""Callbacks that ask for a validation set are refused in a sentence, before any training."""

import pytest
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
)
from skorch.dataset import ValidSplit

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier


class Untrained(Callback):
    def on_train_begin(self, net, **kwargs):
        raise AssertionError("training has begun")


def half(net, X, y):
    return 0.5


class Recorder(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("valid_loss", 1.0)


@pytest.mark.parametrize("classifier", [NaturalClassifier, AdversarialClassifier, FarmurClassifier])
@pytest.mark.parametrize(
    ("callbacks", "monitor"),
    [
        ([EarlyStopping()], "valid_loss"),
        ([EarlyStopping], "valid_loss"),
        ([("stop", EarlyStopping())], "valid_loss"),
        ([EarlyStopping("robust_accuracy")], "robust_accuracy"),
        ([Checkpoint()], "valid_loss_best"),
        ([LRScheduler("ReduceLROnPlateau", monitor="valid_acc")], "valid_acc"),
    ],
)
def test_monitors(classifier, callbacks, monitor, data):
    with pytest.raises(ValueError, match=rf" monitors '{monitor}'.*Use early_stopping=True"):
        classifier(callbacks=callbacks).fit(data.X, data.y, groups=data.groups)


@pytest.mark.parametrize(
    "callback",
    [
        EpochScoring("accuracy"),
        EpochScoring("accuracy", on_train=True, use_caching=False),
        EpochScoring(half, on_train=True),
        BatchScoring("accuracy", on_train=True),
    ],
)
def test_scores(callback, data):
    with pytest.raises(ValueError, match="scores predictions that training does not make"):
        NaturalClassifier(callbacks=[Untrained(), callback]).fit(data.X, data.y)


def test_other_arguments(data):
    with pytest.raises(ValueError, match="holds train_split"):
        NaturalClassifier(net_params={"train_split": ValidSplit(5)}).fit(data.X, data.y)
    with pytest.raises(TypeError, match="must be skorch callbacks; got 'stop'"):
        NaturalClassifier(callbacks=["stop"]).fit(data.X, data.y)


@pytest.mark.parametrize(
    ("callbacks", "early_stopping"),
    [
        ([EarlyStopping("natural_loss", patience=2, threshold=1e9)], False),
        ([EarlyStopping("robust_accuracy", patience=2, lower_is_better=False)], True),
        ([EpochScoring(half, on_train=True, use_caching=False), EarlyStopping("half", 2)], False),
        ([Recorder(), EarlyStopping(patience=2)], False),
    ],
)
def test_what_is_recorded_can_be_monitored(callbacks, early_stopping, data, capsys):
    clf = NaturalClassifier(
        max_epochs=9, callbacks=callbacks, early_stopping=early_stopping, random_state=0
    ).fit(data.X, data.y)
    assert 2 <= len(clf.history_["epoch"]) < 9
    capsys.readouterr()
