"""attack(): what it finds, where its examples lie, and what it leaves alone."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from oracles import linear_distances, linear_layer, network, predict_with, random_linear
from robfair import ThreatModel
from robfair.attacks import attack

NORMS = [2, np.inf]
NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
CLEAN = predict_with(NET)(X)
Y = np.where(np.arange(40) % 7 == 0, (CLEAN + 1) % 3, CLEAN)  # some are wrong


def check(result, X, y, predict):
    """All that must hold of a result, whatever the attack has found."""
    points, threat_model = result.adversarial, result.threat_model
    X = np.asarray(X, dtype=points.dtype)
    assert points.shape == X.shape
    assert_array_equal(predict(X), result.predicted)
    assert_array_equal(predict(points), result.predicted_adversarial)
    assert_array_equal(result.predicted_adversarial != y, result.success)
    wrong = result.predicted != y
    assert result.success[wrong].all()
    assert_array_equal(points[wrong], X[wrong])
    delta = (points.astype(np.float64) - X.astype(np.float64)).reshape(len(X), -1)
    size = np.linalg.norm(delta, threat_model.norm, axis=1)
    assert_allclose(size, result.size, rtol=1e-14)
    assert (size <= result.eps).all()  # exactly
    if threat_model.bounds is not None:
        low, high = (np.asarray(side, dtype=points.dtype) for side in threat_model.bounds)
        assert (points >= low).all()
        assert (points <= high).all()
    if threat_model.mutable is not None:
        fixed = ~np.broadcast_to(threat_model.mutable, X.shape[1:])
        assert_array_equal(points[:, fixed], X[:, fixed])


# --- What must always hold


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pgd", "fgsm", "kl"])
@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    offset=st.sampled_from([0.0, 1000.0]),
)
def test_examples_are_in_ball_box_and_mask(method, norm, seed, dtype, offset):
    rng = np.random.default_rng(seed)
    module = network([5, 8, 3], dtype=dtype, seed=seed)
    samples = rng.normal(size=(30, 5)) + offset  # far from 0 an eps is but a few units of rounding
    low, high = samples.min(axis=0) - 0.1, samples.max(axis=0) + 0.1
    threat_model = ThreatModel(norm, (low, high), np.arange(5) != rng.integers(5))
    y = rng.integers(0, 3, 30)
    eps = rng.exponential(0.3, 30) * (rng.random(30) < 0.8)
    result = attack(
        module, samples, y, eps=eps, method=method, threat_model=threat_model, n_steps=5
    )
    check(result, samples, y, predict_with(module))
    assert result.adversarial.dtype == (np.float32 if dtype is torch.float32 else np.float64)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(NORMS))
def test_images(seed, norm):
    module = nn.Sequential(nn.Flatten(), network([24, 6, 3], seed=seed))
    rng = np.random.default_rng(seed)
    images, y = rng.random((12, 2, 3, 4)), rng.integers(0, 3, 12)
    low = np.array([0.0, -1.0]).reshape(2, 1, 1)
    mutable = np.arange(4) > 0
    result = attack(module, images, y, eps=0.3, threat_model=ThreatModel(norm, (low, 1), mutable))
    check(result, images, y, predict_with(module))


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), boxed=st.booleans(), n_classes=st.integers(2, 4))
def test_linear_models(norm, seed, boxed, n_classes):
    rng = np.random.default_rng(seed)
    weight, bias, samples = random_linear(rng, n_classes)
    threat_model, box = ThreatModel(norm), {}
    if boxed:
        box = {"low": samples.min(axis=0) - 0.3, "high": samples.max(axis=0) + 0.3}
        box["mutable"] = np.arange(6) > 0
        threat_model = ThreatModel(norm, (box["low"], box["high"]), box["mutable"])
    distance = linear_distances(weight, bias, samples, norm, **box)
    finite = distance[np.isfinite(distance)]
    eps = float(np.median(finite)) if len(finite) else 1.0
    result = attack(linear_layer(weight, bias), samples, eps=eps, threat_model=threat_model)
    assert not result.success[distance > eps * (1 + 1e-9)].any()
    # The steepest ascent of the loss may end at the second nearest class, and the 20 steps of
    # the L2 ball close in on its pole, but do not reach it.
    sure = distance < eps * (1 - (1e-6 if norm == np.inf else 0.05))
    missed = sure & ~result.success
    assert not missed.any() if n_classes == 2 else missed.mean() <= 0.1


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), norm=st.sampled_from(NORMS))
def test_symmetry_of_two_classes(seed, norm):
    rng = np.random.default_rng(seed)
    weight, bias, samples = random_linear(rng, 2)
    y = rng.integers(0, 2, len(samples))
    one = attack(linear_layer(weight, bias), samples, y, eps=0.2, threat_model=ThreatModel(norm))
    swapped = linear_layer(weight[::-1].copy(), bias[::-1].copy())
    two = attack(swapped, samples, 1 - y, eps=0.2, threat_model=ThreatModel(norm))
    assert_array_equal(one.success, two.success)
    assert_allclose(one.adversarial, two.adversarial, rtol=1e-12)


@pytest.mark.parametrize("method", ["pgd", "fgsm", "kl"])
@pytest.mark.parametrize("norm", NORMS)
def test_scale(method, norm):
    class Divide(nn.Module):
        def forward(self, x):
            return NET(x / 128)  # a power of two: the same numbers to the last bit

    box = X.min(axis=0), X.max(axis=0)
    plain = attack(
        NET, X, Y, eps=0.3, step_size=None, method=method, threat_model=ThreatModel(norm, box)
    )
    wide = ThreatModel(norm, (box[0] * 128, box[1] * 128))
    module = Divide().double()
    module.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))  # gives it a dtype
    scaled = attack(module, X * 128, Y, eps=0.3 * 128, method=method, threat_model=wide)
    assert_array_equal(scaled.success, plain.success)
    assert_allclose(scaled.adversarial, plain.adversarial * 128, rtol=1e-9)


# --- What it finds


# --- What it does not depend on, and leaves alone


def test_model_data_and_random_state_are_left_as_found():
    module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), NET_TAIL)
    module.train()
    module[3].eval()
    before = copy.deepcopy(module.state_dict())
    data, y = X.copy(), Y.copy()
    states = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    attack(module, data, y, eps=0.3)
    assert [part.training for part in module] == [True, True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert_array_equal(data, X)
    assert_array_equal(y, Y)
    assert_array_equal(np.random.get_state()[1], states[0])  # noqa: NPY002
    assert_array_equal(torch.get_rng_state(), states[1])


NET_TAIL = nn.utils.skip_init(nn.Linear, 8, 3)
nn.init.eye_(NET_TAIL.weight)
nn.init.zeros_(NET_TAIL.bias)


def test_models_and_containers():
    names = np.array(["no", "perhaps", "yes"])
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier((8,), max_iter=500, tol=1e-2, random_state=0)
    )
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipeline.fit(frame, names[CLEAN])
    result = attack(pipeline, frame, names[Y].tolist(), eps=0.5)
    inner = pipeline[-1]
    assert_array_equal(result.predicted_adversarial, inner.predict(result.adversarial))
    assert_array_equal(result.success, result.predicted_adversarial != names[Y])
    assert_allclose(result.adversarial, pipeline[:-1].transform(frame), atol=0.5 + 1e-6)
    assert set(attack(pipeline, frame, eps=0.5, target="yes").predicted_adversarial) >= {"yes"}
    copied = pickle.loads(pickle.dumps(result))
    assert repr(copied) == repr(result)
    assert len(copied) == 40


# --- Bad input


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"eps": -1}, ValueError, "finite and not negative"),
        ({"eps": np.inf}, ValueError, "finite and not negative"),
        ({"eps": "large"}, TypeError, "number or an array of numbers"),
        ({"eps": [0.1, 0.2]}, ValueError, "For a grid of eps use robust_accuracy"),
        ({"method": "apgd"}, ValueError, "method must be one of pgd, fgsm, kl; got 'apgd'"),
        ({"n_steps": 0}, ValueError, "n_steps and n_restarts must be at least 1"),
        ({"n_restarts": 0}, ValueError, "n_steps and n_restarts must be at least 1"),
        ({"step_size": 0}, ValueError, "step_size must be a positive number"),
        ({"method": "fgsm", "n_restarts": 2}, ValueError, "one step of length eps"),
        ({"method": "fgsm", "step_size": 0.1}, ValueError, "one step of length eps"),
        ({"method": "kl", "random_start": False}, ValueError, "no gradient at the sample"),
        ({"method": "kl", "y": None, "target": 1}, ValueError, "has no target: use"),
        ({"target": 1}, ValueError, "give y, .* or target"),
        ({"y": None, "target": 7}, ValueError, "target holds labels .* not know: \\[7\\]"),
        ({"y": None, "target": [0, 1]}, ValueError, "one for each of the 40 samples"),
        ({"y": np.full(40, 5)}, ValueError, "y holds labels that the model does not know"),
        ({"y": Y[:7]}, ValueError, "inconsistent numbers of samples"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"threat_model": "linf"}, TypeError, "threat_model must be a ThreatModel"),
        ({"threat_model": ThreatModel(bounds=(0, 1))}, ValueError, "X leaves the bounds"),
        ({"X": np.full((40, 4), np.nan)}, ValueError, "NaN"),
        ({"X": np.ones((40, 5))}, ValueError, "does not take samples of shape"),
        ({"model": RandomForestClassifier}, TypeError, "not a fitted instance"),
        ({"model": RandomForestClassifier(5).fit(X, Y)}, TypeError, "cannot differentiate"),
        ({"transfer_from": RandomForestClassifier(5).fit(X, Y)}, TypeError, "cannot different"),
    ],
)
def test_errors(options, error, match):
    arguments = {"model": NET, "X": X, "y": Y, "eps": 0.1, **options}
    with pytest.raises(error, match=match):
        attack(arguments.pop("model"), arguments.pop("X"), arguments.pop("y"), **arguments)


def test_nan_on_the_way_is_an_error():
    class Hole(nn.Module):
        def forward(self, x):
            hole = torch.where(x.abs().amax(dim=1, keepdim=True) > 3.5, torch.nan, 0.0)
            return torch.cat([x[:, :1] + 100, x[:, 1:2]], dim=1) + hole

    with pytest.raises(ValueError, match="NaN or infinity"):
        attack(Hole(), X, eps=2.0)
