"""The progress bar, and what `verbose` prints."""

import pickle

import numpy as np
import pytest
from skorch.callbacks import GradientNormClipping

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.training import EpochProgress

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 3)), np.arange(40) % 2
TINY = {"hidden_layer_sizes": [4], "max_epochs": 3, "random_state": 0}


@pytest.mark.parametrize("verbose", [0, None])  # None: nobody watches
def test_nothing_is_printed_unless_asked_for(verbose, capfd):
    NaturalClassifier(verbose=verbose, **TINY).fit(X, Y).predict(X)
    assert capfd.readouterr() == ("", "")


def test_verbose_1_shows_one_bar_on_stderr(capfd):
    clf = FarmurClassifier(verbose=1, retrain_epochs=2, n_steps=1, **TINY)
    clf.fit(X, Y, groups=np.arange(40) // 20)
    out, err = capfd.readouterr()
    assert out == ""
    last = err.rstrip().rsplit("\r", 1)[-1]
    assert last.startswith("FarmurClassifier: 100%")
    assert "5/5" in last
    assert "phase=retraining" in last
    assert f"natural={clf.history_['natural_loss'][-1]:.3f}" in last


def test_verbose_2_is_skorchs_table(capfd):
    NaturalClassifier(verbose=2, **TINY).fit(X, Y)
    out, err = capfd.readouterr()
    header, _, *rows = out.splitlines()
    assert {"epoch", "phase", "natural_loss"} <= set(header.split())
    assert len(rows) == 3
    assert err == ""


def test_predicting_is_silent_after_a_verbose_fit(capfd):
    clf = NaturalClassifier(verbose=1, **TINY).fit(X, Y)
    capfd.readouterr()
    clf.predict_proba(X)
    assert capfd.readouterr() == ("", "")


def test_a_fitted_bar_pickles(capfd):
    clf = NaturalClassifier(verbose=1, **TINY).fit(X, Y)
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again.set_params(verbose=0).fit(X, Y) is again


def test_the_bar_is_closed_when_training_fails(capfd):
    with pytest.raises(ValueError, match="diverged"):
        NaturalClassifier(verbose=1, lr=1e30, **TINY).fit(1e4 * X, Y)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("\rNaturalClassifier:")


def test_description_of_the_bar():
    assert EpochProgress().description == "training"
    assert EpochProgress("mine").description == "mine"


@pytest.mark.parametrize("cls", [NaturalClassifier, AdversarialClassifier])
def test_skorchs_callback_clips_gradients(cls):
    """With SGD and a learning rate of 1, a step is as long as the clipped gradient."""
    params = {"optimizer": "sgd", "lr": 1.0, "batch_size": 40, **TINY, "max_epochs": 1}
    start = NaturalClassifier(**params | {"lr": 1e-30}).fit(X, Y)
    for limit in (1e-3, 1e-2):
        clf = cls(callbacks=[GradientNormClipping(limit)], **params).fit(X, Y)
        moved = [
            (one - other).detach().flatten()
            for one, other in zip(clf.module_.parameters(), start.module_.parameters(), strict=True)
        ]
        assert np.concatenate(moved).astype(float) @ np.concatenate(moved) == pytest.approx(
            limit**2, rel=1e-2
        )
