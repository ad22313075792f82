"""What the three classifiers share: labels, containers, copies, modules, callbacks."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, EarlyStopping

from networks import same, weights
from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier

LABELS = {
    "strings": np.array(["no", "yes"]),
    "numbers": np.array([0, 2]),
    "negative": np.array([-1, 1]),
    "floats": np.array([0.0, 1.0]),
    "bools": np.array([False, True]),
    "objects": np.array(["no", "yes"], dtype=object),
}


@pytest.mark.parametrize("kind", list(LABELS))
def test_labels(make, data, kind):
    labels = LABELS[kind]
    clf = make().fit(data.X, labels[data.y], groups=data.groups)
    assert clf.classes_.tolist() == labels.tolist()
    predicted = clf.predict(data.X)
    assert predicted.dtype == clf.classes_.dtype
    proba = clf.predict_proba(data.X)
    assert np.array_equal(predicted, labels[proba.argmax(axis=1)])
    plain = make().fit(data.X, data.y, groups=data.groups)
    assert np.array_equal(proba, plain.predict_proba(data.X))
    assert clf.score(data.X, labels[data.y]) == plain.score(data.X, data.y)


def test_three_classes(make, data):
    y = np.array(["b", "c", "a"])[np.digitize(data.X @ data.coef, [-1, 1])]
    clf = make().fit(data.X, y, groups=data.groups)
    proba = clf.predict_proba(data.X)
    assert proba.shape == (len(y), 3)
    assert proba.dtype == np.float64
    assert_allclose(proba.sum(axis=1), 1)


def test_probabilities_are_the_softmax_of_the_module(make, data):
    clf = make().fit(data.X, data.y, groups=data.groups)
    with torch.no_grad():
        logits = clf.module_(torch.from_numpy(data.X.astype(np.float32))).double()
    assert_allclose(clf.predict_proba(data.X), logits.softmax(dim=1), rtol=1e-6)


def test_predictions_do_not_depend_on_the_batch(make, data, monkeypatch):
    clf = make().fit(data.X, data.y, groups=data.groups)
    whole = clf.predict_proba(data.X)
    monkeypatch.setattr("robfair.estimators._base.PREDICT_BATCH", 7)
    assert_allclose(clf.predict_proba(data.X), whole, rtol=1e-6)


FRAMES = {
    "list": lambda X: X.tolist(),
    "float32": lambda X: X.astype(np.float32),
    "fortran": np.asfortranarray,
    "pandas": lambda X: pd.DataFrame(X, columns=["a", "b", "c"], index=np.arange(len(X)) + 7),
    "polars": lambda X: pl.DataFrame(X, schema=["a", "b", "c"]),
}


@pytest.mark.parametrize("kind", list(FRAMES))
def test_containers(make, data, kind):
    X = FRAMES[kind](data.X)
    wrap = {"pandas": pd.Series, "polars": pl.Series}.get(kind, list)
    clf = make().fit(X, wrap(data.y.tolist()), groups=wrap(data.groups.tolist()))
    plain = make().fit(data.X, data.y, groups=data.groups)
    assert np.array_equal(clf.predict_proba(X), plain.predict_proba(data.X))
    assert clf.n_features_in_ == 3
    if kind in ("pandas", "polars"):
        assert clf.feature_names_in_.tolist() == ["a", "b", "c"]
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            clf.predict(data.X)
        with pytest.raises(ValueError, match="feature names should match"):
            clf.predict(pd.DataFrame(data.X, columns=["a", "b", "z"]))
    else:
        assert not hasattr(clf, "feature_names_in_")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
def test_columns_in_another_order(make, data, method):
    X = pd.DataFrame(data.X, columns=["a", "b", "c"])
    call = getattr(make().fit(X, data.y, groups=data.groups), method)
    with pytest.raises(ValueError, match="same order"):
        call(*([X[["b", "a", "c"]], data.y] if method == "score" else [X[["b", "a", "c"]]]))


def test_rows_in_another_order(make, data):
    X = pd.DataFrame(data.X)
    y, groups, weight = map(pd.Series, (data.y, data.groups, np.ones(len(X))))
    good = {"y": y, "groups": groups, "sample_weight": weight}
    shuffled = np.random.default_rng(0).permutation(len(X))
    for name, values in good.items():
        with pytest.raises(ValueError, match=f"indexes of X and {name} differ"):
            make().fit(X, **{**good, name: values.iloc[shuffled]})
    clf = make().fit(X.iloc[shuffled], **{k: v.iloc[shuffled] for k, v in good.items()})
    with pytest.raises(ValueError, match="indexes of X and y differ"):
        clf.score(X, y.iloc[shuffled])
    # As sklearn's own: the accuracy.
    assert clf.score(X, y) == clf.score(data.X, data.y) == (clf.predict(data.X) == data.y).mean()


def test_masked_values_are_missing(make, data):
    masked = np.zeros(data.X.shape, dtype=bool)
    masked[3, 1] = True
    X, y = np.ma.masked_array(data.X, masked), np.ma.masked_array(data.y, masked[:, 1])
    with pytest.raises(ValueError, match=f"X is masked in 1 of {masked.size} places"):
        make().fit(X, data.y, groups=data.groups)
    with pytest.raises(ValueError, match="y is masked in 1 of"):
        make().fit(data.X, y, groups=data.groups)
    clf = make().fit(data.X, data.y, groups=data.groups)
    for call in (clf.predict, clf.predict_proba):
        with pytest.raises(ValueError, match="X is masked"):
            call(X)


def test_read_only_float32_arrays(make, data):
    """As joblib hands them to workers, and pandas 3 out of a frame."""
    X = data.X.astype(np.float32)
    X.setflags(write=False)
    # torch says it once in a process; here it must never have a reason to.
    torch.set_warn_always(True)
    try:
        clf = make().fit(X, data.y, groups=data.groups)
        clf.predict(X)
    finally:
        torch.set_warn_always(False)


def test_nothing_given_is_changed(make, data):
    X, y, groups = data.X.astype(np.float32), data.y.copy(), data.groups.copy()
    kept = X.copy(), y.copy(), groups.copy()
    make().fit(X, y, groups=groups).predict(X)
    for array, before in zip((X, y, groups), kept, strict=True):
        assert np.array_equal(array, before)


def test_pickle_round_trip(make, data):
    clf = make().fit(data.X, data.y, groups=data.groups)
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(clf.predict_proba(data.X), again.predict_proba(data.X))
    for name, column in clf.history_.items():
        np.testing.assert_array_equal(again.history_[name], column)
    assert same(clf, again)


def test_a_pickle_holds_no_data(make, data):
    """Neither training nor held-out rows: they can be large, and private."""
    many = [np.tile(a, (30, 1) if a.ndim == 2 else 30) for a in (data.X, data.y, data.groups)]
    few, more = (
        len(pickle.dumps(make(batch_size=2048).fit(X, y, groups=groups)))
        for X, y, groups in ((data.X, data.y, data.groups), many)
    )
    assert more < few + 2000


def test_clone_and_set_params(make, data):
    clf = make(lr=0.02).fit(data.X, data.y, groups=data.groups)
    copy = clone(clf)
    assert not hasattr(copy, "net_")
    assert copy.get_params() == clf.get_params()
    assert same(copy.fit(data.X, data.y, groups=data.groups), clf)
    changed = clone(clf).set_params(hidden_layer_sizes=(3, 2), max_epochs=1)
    changed.fit(data.X, data.y, groups=data.groups)
    assert [w.shape for w in weights(changed)][::2] == [(3, 3), (2, 3), (2, 2)]


def test_fit_does_not_touch_parameters(make, data):
    clf = make(net_params={"optimizer__weight_decay": 0.1}, callbacks=[])
    before = {name: repr(value) for name, value in clf.get_params().items()}
    clf.fit(data.X, data.y, groups=data.groups)
    assert {name: repr(value) for name, value in clf.get_params().items()} == before


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_before_fit(make, data, method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(make(), method)(data.X)
    with pytest.raises(NotFittedError):
        _ = make().module_


def test_warm_start_continues(make, data):
    args = (data.X, data.y)
    clf = make(warm_start=True, lr=1e-9).fit(*args, groups=data.groups)
    trained = [w * 3.0 for w in weights(clf)]
    with torch.no_grad():
        for p in clf.module_.parameters():
            p *= 3.0
    clf.fit(*args, groups=data.groups)
    for after, before in zip(weights(clf), trained, strict=True):
        assert_allclose(after, before, atol=1e-5)
    with pytest.raises(ValueError, match=r"warm_start=True continues with classes \[0 1\]"):
        clf.fit(data.X, data.y + 1, groups=data.groups)
    cold = make(lr=1e-9).fit(*args, groups=data.groups)
    assert abs(weights(cold)[0] - trained[0]).max() > 0.1


class Count(Callback):
    def __init__(self):
        self.epochs = 0
        self.losses = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1
        self.losses.append(net.history[-1]["natural_loss"])


def test_skorch_callbacks_are_called_with_the_losses(make, data):
    count = Count()
    clf = make(callbacks=[("count", count)]).fit(data.X, data.y, groups=data.groups)
    assert count.epochs == len(clf.history_["epoch"])
    assert count.losses == clf.history_["natural_loss"].tolist()


def test_early_stopping_ends_training(data):
    stop = EarlyStopping("natural_loss", patience=1, threshold=100.0, sink=str)
    for cls in (NaturalClassifier, AdversarialClassifier):
        clf = cls(max_epochs=9, callbacks=[stop], hidden_layer_sizes=[3]).fit(data.X, data.y)
        assert len(clf.history_["epoch"]) == 2


def test_early_stopping_before_the_groups_are_evaluated(data):
    """FARMUR has done nothing by then, and says so."""
    stop = EarlyStopping("natural_loss", patience=1, threshold=100.0, sink=str)
    clf = FarmurClassifier(max_epochs=9, callbacks=[stop], hidden_layer_sizes=[3], n_steps=1)
    with pytest.raises((ValueError, RuntimeError), match="evaluated"):
        clf.fit(data.X, data.y, groups=data.groups)


def test_history_has_an_array_per_column(make, data):
    clf = make().fit(data.X, data.y, groups=data.groups)
    columns = ["epoch", "phase", "natural_loss", "robust_loss", "robust_accuracy", "lr", "dur"]
    assert list(clf.history_) == columns
    assert clf.history_["epoch"].tolist() == list(range(1, len(clf.history_["epoch"]) + 1))
    assert (clf.history_["dur"] > 0).all()
