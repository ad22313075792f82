"""A fit that does not end leaves nothing that passes as finished."""

import signal

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import EarlyStopping
from torch import nn

from interrupts import CtrlC, usual_handler
from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.datasets import make_group_margins

DATA = make_group_margins(60, n_features=3, random_state=0)
TINY = {"max_epochs": 3, "batch_size": 16, "random_state": 0}
MADE = [
    (NaturalClassifier, {}),
    (AdversarialClassifier, {"n_steps": 1, "averaging": 0.9, "early_stopping": True}),
    (FarmurClassifier, {"n_steps": 1, "retrain_epochs": 2}),
]


@pytest.fixture(autouse=True)
def _usual_handler():
    with usual_handler():
        yield


def fit(clf, X=DATA.X):
    return clf.fit(X, DATA.y, groups=DATA.groups)


def weights(clf):
    return [value.clone() for value in clf.module_.state_dict().values()]


@pytest.mark.parametrize(("cls", "params"), MADE, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize(
    ("method", "epoch"),
    [
        ("on_train_begin", 0), ("on_epoch_begin", 2), ("on_batch_begin", 1), ("on_batch_end", 3),
        ("on_grad_computed", 2), ("on_epoch_end", 2), ("on_epoch_end", 3), ("on_train_end", 3),
    ],
)  # fmt: skip
def test_ctrl_c_leaves_an_unfitted_classifier(cls, params, method, epoch):
    clf = cls(**TINY, **params)
    for fitted_before in (False, True):
        if fitted_before:
            fit(clf)
        clf.set_params(callbacks=[CtrlC(method, epoch)])
        with pytest.raises(KeyboardInterrupt):
            fit(clf)
        with pytest.raises(NotFittedError):
            check_is_fitted(clf)
        with pytest.raises(NotFittedError):
            clf.predict(DATA.X)
        assert not hasattr(clf, "module_")
        clf.set_params(callbacks=None)


def test_ctrl_c_in_the_users_network():
    class Interrupted(nn.Linear):
        passes = 0

        def forward(self, x):
            Interrupted.passes += 1
            if Interrupted.passes == 9:
                raise KeyboardInterrupt
            return super().forward(x)

    module = Interrupted(3, 2)
    clf = NaturalClassifier(module=module, **TINY)
    with pytest.raises(KeyboardInterrupt):
        fit(clf)
    assert Interrupted.passes == 9
    assert not hasattr(clf, "module_")


def test_ctrl_c_goes_through_searches_and_cross_validation():
    clf = NaturalClassifier(callbacks=[CtrlC()], **TINY)
    with pytest.raises(KeyboardInterrupt):
        cross_val_score(clf, DATA.X, DATA.y, cv=2)
    search = GridSearchCV(clf, {"lr": [0.1, 0.01]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(DATA.X, DATA.y)
    assert not hasattr(search, "best_estimator_")


@pytest.mark.parametrize(("cls", "params"), MADE, ids=lambda value: getattr(value, "__name__", ""))
def test_finished_epochs_are_kept_in_the_checkpoint(cls, params, tmp_path):
    whole = weights(fit(cls(**TINY, **params)))
    clf = cls(**TINY, **params, checkpoint=tmp_path / "run", callbacks=[CtrlC(epoch=3)])
    with pytest.raises(KeyboardInterrupt):
        fit(clf)
    resumed = weights(fit(clf.set_params(callbacks=None)))
    assert all(torch.equal(one, other) for one, other in zip(whole, resumed, strict=True))


def test_a_warm_start_that_is_interrupted_leaves_the_last_fit():
    clf = fit(NaturalClassifier(warm_start=True, **TINY))
    module, before, proba = clf.module_, weights(clf), clf.predict_proba(DATA.X)
    clf.set_params(callbacks=[CtrlC()])
    with pytest.raises(KeyboardInterrupt):
        fit(clf)
    assert clf.module_ is module
    assert all(torch.equal(one, other) for one, other in zip(before, weights(clf), strict=True))
    assert np.array_equal(clf.predict_proba(DATA.X), proba)


@pytest.mark.parametrize(
    ("X", "y", "reason"),
    [
        (DATA.X[:, :2], np.zeros(60), "one class only"),
        (DATA.X[:5], DATA.y, "inconsistent numbers"),
        (DATA.X * np.nan, DATA.y, "NaN"),
    ],
)
def test_arguments_that_are_refused_change_nothing(X, y, reason):
    clf = fit(NaturalClassifier(**TINY))
    proba = clf.predict_proba(DATA.X)
    with pytest.raises(ValueError, match=reason):
        clf.fit(X, y)
    assert np.array_equal(clf.predict_proba(DATA.X), proba)


def test_an_error_in_training_leaves_an_unfitted_classifier():
    clf = fit(NaturalClassifier(**TINY))
    with pytest.raises(ValueError, match="diverged"):
        fit(clf.set_params(optimizer="sgd", lr=1e30))
    with pytest.raises(NotFittedError):
        clf.predict(DATA.X)


def test_early_stopping_of_skorch_still_ends_a_run():
    """It does so by a KeyboardInterrupt."""
    stop = EarlyStopping(monitor="natural_loss", patience=2, threshold=1e9, threshold_mode="abs")
    clf = fit(NaturalClassifier(**TINY | {"max_epochs": 9}, callbacks=[stop]))
    assert len(clf.history_["epoch"]) == 3


def test_a_handler_of_the_user_that_does_not_raise_is_left_to_itself():
    presses = []
    signal.signal(signal.SIGINT, lambda *args: presses.append(args))
    clf = fit(NaturalClassifier(callbacks=[CtrlC()], **TINY))
    assert presses
    assert len(clf.history_["epoch"]) == 3


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_an_error_in_the_users_network_leaves_it_as_it_was(where):
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
            self.layers[1].eval()
            self.layers[0].bias.requires_grad_(False)
            self.passes = 0

        def forward(self, x):
            self.passes += 1
            out = self.layers(x)
            if self.passes > 5 and out.requires_grad:
                if where == "forward":
                    raise ZeroDivisionError
                out.register_hook(lambda gradient: 1 / 0)
            return out

    module = Failing()
    flags = [part.training for part in module.modules()]
    values = [value.clone() for value in module.state_dict().values()]
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        fit(AdversarialClassifier(module=module, n_steps=1, **TINY))
    assert [part.training for part in module.modules()] == flags
    assert [p.requires_grad for p in module.parameters()] == [True, False, True, True, True, True]
    assert all(p.grad is None for p in module.parameters())
    assert all(
        torch.equal(one, other)
        for one, other in zip(values, module.state_dict().values(), strict=True)
    )
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == threads
