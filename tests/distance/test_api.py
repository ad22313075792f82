"""boundary_distance as a whole: inputs, statuses, errors, and the user's model left as found."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from oracles import check_adversarials, linear_layer, network, predict_with
from robfair import ThreatModel, boundary_distance

METHODS = ["auto", "strong", "linear", "exact", "decision", "deepfool", "paper"]
X = np.random.default_rng(0).normal(size=(20, 4))
LINEAR = network([4, 3])
NET = network([4, 8, 3])
FITTING = {"linear": LINEAR, "exact": network([4, 6, 3], nn.ReLU)}  # for the others NET
# Rounding decides over a step of a search; "decision" draws other numbers when samples are skipped.
RTOL = {"auto": 1e-3, "strong": 1e-3, "exact": 1e-6, "decision": 0.02}
Y = predict_with(NET)(X)


def convolution(dtype):
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    torch.set_rng_state(torch_state)
    return module.to(dtype)


# --- What goes in and what comes out


@pytest.mark.parametrize(("module", "method"), [(LINEAR, "linear"), (NET, "auto")])
def test_auto_takes_the_exact_method_where_it_can(module, method):
    result = boundary_distance(module, X)
    assert result.method == method
    assert_array_equal(result.distance, boundary_distance(module, X, method=method).distance)


@pytest.mark.slow
@pytest.mark.parametrize("norm", [2, np.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images(dtype, norm):
    module = convolution(dtype)
    images = np.random.default_rng(1).random((12, 3, 5, 5))
    mutable = np.ones((5, 5), dtype=bool)
    mutable[0] = False  # a row of pixels, in every channel
    low = np.array([0.0, -1, 0]).reshape(3, 1, 1)
    for threat_model in (ThreatModel(norm), ThreatModel(norm, (low, 1.5), mutable)):
        result = boundary_distance(module, images, threat_model=threat_model, batch_size=5)
        assert (result.status == "found").mean() > 0.8
        assert str(result.adversarial.dtype) == str(dtype).removeprefix("torch.")
        check_adversarials(result, images, predict_with(module))


@pytest.mark.parametrize("method", ["linear", "deepfool"])
def test_containers(method):
    module = FITTING.get(method, NET)
    expected = boundary_distance(module, X, method=method).distance
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(20)[::-1])
    for data in (X.tolist(), frame, torch.from_numpy(X), np.asfortranarray(X), frame[list("abcd")]):
        assert_allclose(boundary_distance(module, data, method=method).distance, expected)
    for y in (Y.tolist(), pd.Series(Y, index=frame.index), Y.astype(float), torch.from_numpy(Y)):
        boundary_distance(module, X, y=y)
    whole = np.arange(12).reshape(3, 4)
    assert_allclose(
        boundary_distance(module, whole).distance,
        boundary_distance(module, whole.astype(float)).distance,
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_samples_that_the_model_gets_wrong_are_skipped(method):
    module = FITTING.get(method, NET)
    full = boundary_distance(module, X, method=method)
    y = full.predicted.copy()
    y[[3, 7, 19]] = (y[[3, 7, 19]] + 1) % 3
    for batch_size in (4, 512) if method == "strong" else (1, 4, 512):
        result = boundary_distance(module, X, y=y, method=method, batch_size=batch_size)
        wrong = np.isin(np.arange(20), [3, 7, 19])
        seen = 20 if method == "decision" else batch_size
        assert_array_equal(result.status == "skipped", wrong)
        assert_array_equal(np.isnan(result.distance), wrong)
        assert_array_equal(np.isnan(result.adversarial).all(axis=1), wrong)
        assert_array_equal(result.predicted, full.predicted)
        rtol = RTOL.get(method, 1e-9)
        assert_allclose(result.distance[~wrong], full.distance[~wrong], rtol=rtol)
        if method in ("auto", "strong", "exact"):
            # All 20 rows are in the pool, searched whatever their labels, since it helps others.
            assert_array_equal(result.n_backward[wrong], full.n_backward[wrong])
            continue
        # To hold what is read of the model against it, or by the diagnostics.
        again = {"linear": 1, "exact": 1, "decision": 1}.get(method, 2)
        assert_array_equal(result.n_forward[wrong], 1 + again * (np.array([3, 7, 19]) < seen))
    every = boundary_distance(module, X, y=(full.predicted + 1) % 3, method=method)
    assert every.counts() == {"skipped": 20}


def test_the_distance_is_from_the_predicted_label_right_or_wrong():
    y = (Y + 1) % 3
    assert_array_equal(np.isfinite(boundary_distance(NET, X).distance), True)
    assert np.isnan(boundary_distance(NET, X, y=y).distance).all()


def test_labels_of_a_fitted_classifier():
    names = np.array(["maybe", "no", "yes"])
    model = LogisticRegression().fit(X, names[Y])
    result = boundary_distance(model, X, y=names[Y])
    assert_array_equal(result.predicted, model.predict(X))
    assert_array_equal(result.status == "skipped", model.predict(X) != names[Y])


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_adversarials_can_be_left_out(method):
    module = FITTING.get(method, NET)
    result = boundary_distance(module, X, method=method, return_adversarial=False)
    assert result.adversarial is None
    assert_array_equal(result.distance, boundary_distance(module, X, method=method).distance)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_progress_bar(method, capsys):
    module = FITTING.get(method, NET)
    y = np.where(np.arange(20) % 5, boundary_distance(module, X).predicted, 2)
    threat_model = ThreatModel(bounds=(X.min(axis=0), X.max(axis=0)), mutable=[True] + [False] * 3)
    options = {"method": method, "y": y, "threat_model": threat_model, "batch_size": 7}
    result = boundary_distance(module, X, verbose=1, **options)
    assert "censored" in result.counts()  # given up samples count, too
    error = capsys.readouterr().err
    assert "20/20" in error
    assert f"distance ({result.method})" in error
    boundary_distance(module, X, **options)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_one_sample(method):
    module = FITTING.get(method, NET)
    full = boundary_distance(module, X, method=method)
    result = boundary_distance(module, X[:1], method=method)
    assert_allclose(result.distance, full.distance[:1], rtol=RTOL.get(method, 1e-9))


@pytest.mark.slow
def test_a_module_that_squeezes_its_one_output():
    class Squeeze(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network([4, 8, 1])

        def forward(self, data):
            return self.net(data).squeeze()  # of shape () for a single sample

    squeezed, plain = Squeeze(), network([4, 8, 1])
    for batch_size in (1, 3, 512):
        found = boundary_distance(squeezed, X[:8], batch_size=batch_size)
        expected = boundary_distance(plain, X[:8], batch_size=batch_size)
        assert_array_equal(found.distance, expected.distance)


# --- The model is left as found


def state_of(module):
    """Everything about a module that a computation might change."""
    return copy.deepcopy(
        {
            "training": [part.training for part in module.modules()],
            "requires_grad": [p.requires_grad for p in module.parameters()],
            "grad": [None if p.grad is None else p.grad.numpy() for p in module.parameters()],
            "state": {name: value.numpy() for name, value in module.state_dict().items()},
        }
    )


def delicate(fail_after=None):
    """A module in training mode, partly frozen, with dropout and batch norm; maybe it fails."""

    class Fuse(nn.Module):
        left = fail_after

        def forward(self, data):
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise RuntimeError("fuse blown")
            return data

    layers = [nn.BatchNorm1d(4), nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(8)]
    module = nn.Sequential(*layers, Fuse(), network([8, 3], dtype=torch.float32))
    module[0].eval()
    module[1].requires_grad_(False)
    module[6][0].weight.grad = torch.ones(3, 8)
    return module


@pytest.mark.parametrize("method", ["auto", "deepfool", "paper", "linear"])
@pytest.mark.parametrize("fail_after", [None, 2])
def test_nothing_is_left_behind(method, fail_after):
    module = delicate(fail_after)
    if method == "linear":
        module = nn.Sequential(*module[:2], *module[3:5], *module[6:])
        fail_after = None
    before, data = state_of(module), X.copy()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    if fail_after is None:
        boundary_distance(module, data, method=method)
    else:
        with pytest.raises(RuntimeError, match="fuse blown"):
            boundary_distance(module, data, method=method, batch_size=4)
    np.testing.assert_equal(state_of(module), before)
    assert_array_equal(data, X)
    assert_array_equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002
    assert torch.is_grad_enabled()


def test_float32_arrays_are_not_written_to():
    module, data = network([4, 8, 3], dtype=torch.float32), X.astype(np.float32)
    before = data.copy()
    boundary_distance(module, data)
    assert_array_equal(data, before)
    tensor = torch.from_numpy(data).requires_grad_()
    boundary_distance(module, tensor)
    assert_array_equal(data, before)
    assert tensor.grad is None


def test_read_only_arrays_such_as_those_of_pandas():
    data = X.copy()
    data.flags.writeable = False
    torch.set_warn_always(True)  # by default torch warns once, whoever is first
    try:
        for module in (LINEAR, NET):
            boundary_distance(module, data)
    finally:
        torch.set_warn_always(False)


def test_scikit_learn_models_draw_no_random_numbers():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    before = torch.get_rng_state()
    boundary_distance(model, X)
    assert_array_equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("module", [LINEAR, NET])
def test_runs_where_gradients_are_off(module):
    expected = boundary_distance(module, X).distance
    with torch.no_grad():
        assert_array_equal(boundary_distance(module, X).distance, expected)
        assert not torch.is_grad_enabled()


# --- Bad input

BOUNDS = ThreatModel(bounds=(X.min(axis=0), X.max(axis=0)))


def changed(value, at=(2, 1)):
    data = X.copy()
    data[at] = value
    return data


BAD = {
    "NaN": ({"X": changed(np.nan)}, ValueError, "X contains NaN"),
    "inf": ({"X": changed(np.inf)}, ValueError, "X contains infinity"),
    "NaN image": ({"X": np.full((2, 1, 2, 2), np.nan)}, ValueError, "X contains NaN"),
    "1-D": ({"X": X[0]}, ValueError, "2D array"),
    "scalar": ({"X": 3.0}, ValueError, "array"),
    "empty": ({"X": X[:0]}, ValueError, r"0 sample\(s\)"),
    "text": ({"X": [["a", "b", "c", "d"]]}, ValueError, "could not convert"),
    "sparse": ({"X": sparse.csr_matrix(X)}, ValueError, r"X is sparse.*toarray"),
    "too few features": ({"X": X[:, :3]}, ValueError, r"does not take samples of shape \(3,\)"),
    "images": ({"X": X.reshape(20, 2, 2)}, ValueError, r"samples of shape \(2, 2\)"),
    "y too short": ({"y": Y[:-1]}, ValueError, "inconsistent numbers of samples"),
    "y 2-D": ({"y": Y[:, None]}, ValueError, "y must be one-dimensional"),
    "y unknown": ({"y": np.where(Y, Y, 7)}, ValueError, r"does not know: \[7\].*0 1 2"),
    "y text": ({"y": Y.astype(str)}, ValueError, "does not know"),
    "y NaN": ({"y": np.where(Y, Y, np.nan)}, ValueError, "does not know"),
    "out of bounds": (
        {"X": changed(9.0), "threat_model": BOUNDS},
        ValueError,
        r"X leaves the bounds in 1 feature\(s\); the first is feature 1",
    ),
    "bounds shape": (
        {"threat_model": ThreatModel(bounds=(np.zeros(3), 1))},
        ValueError,
        "bounds of shape",
    ),
    "mutable shape": (
        {"threat_model": ThreatModel(mutable=[True, False, True])},
        ValueError,
        "mutable of shape",
    ),
    "norm for threat_model": ({"threat_model": 2}, TypeError, "must be a ThreatModel"),
    "unknown method": ({"method": "cw"}, ValueError, "must be one of auto, strong, linear, .*'cw'"),
    "linear on a network": ({"method": "linear"}, ValueError, "needs an affine model"),
    "no batch": ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
    "half a batch": ({"batch_size": 2.5}, TypeError, "integer"),
    "no steps": ({"max_iter": 0}, ValueError, "max_iter"),
    "no candidates": ({"n_candidates": 0}, ValueError, "n_candidates"),
    "half a candidate": ({"n_candidates": 1.5}, TypeError, "integer"),
    "no overshoot": ({"overshoot": 0.0}, ValueError, "overshoot must be a positive"),
    "NaN overshoot": ({"overshoot": np.nan}, ValueError, "overshoot must be a positive"),
    "infinite overshoot": ({"overshoot": np.inf}, ValueError, "overshoot must be a positive"),
}
NEEDS_A_PASS = {"too few features", "images", "y unknown", "y text", "y NaN", "linear on a network"}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    arguments, error, match = BAD[case]
    module, rows = network([4, 8, 3]), []
    module.register_forward_hook(lambda module, args, out: rows.append(len(out)))
    arguments = {"X": X, **arguments}
    with pytest.raises(error, match=match):
        boundary_distance(module, arguments.pop("X"), **arguments)
    # Before any work; where it must be known what the outputs are, after one pass of some rows.
    assert rows == [] or (case in NEEDS_A_PASS and rows in ([20], [20, 1]))


class Returns(nn.Module):
    """A module that returns what a function of its input says."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, data):
        return self.function(data)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x: x[:, :2] * torch.nan, "NaN or infinity for the first sample"),
        (lambda x: x[:, :2] / 0, "NaN or infinity for the first sample"),
        (lambda x: torch.where(x > 2.5, torch.nan, x)[:, :2], "NaN or infinity for some samples"),
        (lambda x: x.reshape(-1, 2, 2), r"logits of shape.*\(1, 2, 2\)"),
        (lambda x: x[:, :2].repeat(2, 1), r"logits of shape.*\(2, 2\)"),
        (lambda x: (x, x), "must return logits"),
        (lambda x: {"scores": x}, "must return logits"),
        (lambda x: None, "must return logits"),
    ],
    ids=["NaN", "inf", "NaN later", "3-D", "twice as many", "tuple", "dict", "None"],
)
def test_bad_modules(function, match):
    data = np.array([[0.1, 0.2, 0.3, 0.4], [0, 1, 0, 0], [3, 0, 0, 0]])
    with pytest.raises(ValueError, match=match):
        boundary_distance(Returns(function), data)


def test_a_module_and_classes_that_do_not_match():
    model = LogisticRegression().fit(X, Y)
    model.classes_ = np.arange(4)
    with pytest.raises(ValueError, match="3 logits, but the model has 4 classes"):
        boundary_distance(model, X)


def test_threat_model_of_a_pipeline_is_in_its_inner_space():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X * 100, Y)
    inner = pipeline[0].transform(X * 100)
    box = ThreatModel(bounds=(inner.min(axis=0), inner.max(axis=0)))
    result = boundary_distance(pipeline, X * 100, threat_model=box)
    check_adversarials(result, inner, pipeline[-1].predict, rtol=2e-6)
    with pytest.raises(ValueError, match="X leaves the bounds"):
        boundary_distance(pipeline[-1], X * 100, threat_model=box)


def test_a_module_without_parameters():
    identity = boundary_distance(nn.Identity(), X, method="deepfool", n_candidates=3)
    exact = boundary_distance(linear_layer(np.eye(4), np.zeros(4)), X)
    assert_allclose(identity.distance, exact.distance, rtol=2e-3)
