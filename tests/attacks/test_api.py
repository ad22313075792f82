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
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from oracles import Rows, linear_distances, linear_layer, network, predict_with, random_linear
from robfair import ThreatModel
from robfair.attacks import attack
from robfair.attacks._starts import in_ball, near_centre

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


@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_is_one_step_of_length_eps(norm):
    rng = np.random.default_rng(1)
    weight, bias, samples = random_linear(rng, 2)
    free = np.arange(6) > 1
    threat_model = ThreatModel(norm, mutable=free)
    result = attack(
        linear_layer(weight, bias), samples, eps=0.1, method="fgsm", threat_model=threat_model
    )
    # All of eps is spent on features that may change.
    way = free * (weight[1 - result.predicted] - weight[result.predicted])
    way = np.sign(way) if norm == np.inf else way / np.linalg.norm(way, axis=1, keepdims=True)
    assert_allclose(result.adversarial, samples + 0.1 * way, rtol=1e-9, atol=1e-12)
    assert_array_equal(result.n_backward, 1)


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


@pytest.mark.parametrize("factor", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("method", ["pgd", "kl", "fgsm"])
def test_confidence_does_not_mask_gradients(method, factor):
    module = network([4, 8, 3], dtype=torch.float32)
    with torch.no_grad():
        module[-1].weight.mul_(factor)
        module[-1].bias.mul_(factor)
    result = attack(module, X, eps=0.4, method=method)
    expected = attack(network([4, 8, 3], dtype=torch.float32), X, eps=0.4, method=method)
    # Another loss, so other points, but not a failure.
    assert result.success_rate > expected.success_rate - 0.1
    assert expected.success_rate > 0.2


def test_more_restarts_and_no_random_start():
    success = [
        attack(NET, X, eps=0.3, n_steps=2, n_restarts=n, random_start=False).success
        for n in (1, 2, 5)
    ]
    assert (success[0] <= success[1]).all()
    assert (success[1] <= success[2]).all()
    # The first run starts at the sample, whatever the seed.
    runs = [
        attack(NET, X, eps=0.3, random_start=False, random_state=seed).adversarial
        for seed in (0, 1)
    ]
    assert_array_equal(*runs)
    random = [attack(NET, X, eps=0.3, random_state=seed).adversarial for seed in (0, 0, 1)]
    assert_array_equal(random[0], random[1])
    assert (random[0] != random[2]).any()


def test_target():
    for target in (1, np.arange(40) % 3):
        result = attack(NET, X, eps=0.6, target=target)
        assert_array_equal(result.success, result.predicted_adversarial == target)
        assert_array_equal(predict_with(NET)(result.adversarial), result.predicted_adversarial)
        already = result.predicted == target
        assert (result.size[already] == 0).all()
        assert already.mean() + 0.2 < result.success_rate < 1
        assert (result.size <= 0.6).all()


def test_without_y_it_leaves_the_prediction():
    result = attack(NET, X, eps=0.3)
    assert_array_equal(result.success, attack(NET, X, CLEAN, eps=0.3).success)
    assert_array_equal(result.success, result.predicted_adversarial != CLEAN)
    assert not (result.size == 0).any()


def test_an_eps_for_each_sample():
    eps = np.where(np.arange(40) < 20, 0.0, 0.5)
    result = attack(NET, X, eps=eps)
    assert_array_equal(result.adversarial[:20], X[:20])
    assert not result.success[:20].any()
    assert_array_equal(result.n_forward[:20], 1)
    assert result.success[20:].any()
    assert repr(result).endswith("eps=0 to 0.5, method='pgd', ThreatModel(norm=inf))")


# --- Transfer


def test_transfer():
    other = network([4, 8, 3], seed=1)
    result = attack(NET, X, Y, eps=0.3, transfer_from=("the other", other))
    assert result.transfer_from == "the other"
    assert "examples made for the other" in repr(result)
    assert_array_equal(result.predicted, CLEAN)
    assert_array_equal(result.predicted_adversarial, predict_with(NET)(result.adversarial))
    assert_array_equal(result.success, result.predicted_adversarial != Y)
    # All samples are attacked with all steps, also those that are wrong.
    assert (result.size > 0).all()
    assert_array_equal(result.n_backward, 20)
    made = attack(other, X, Y, eps=0.3)
    assert (predict_with(other)(result.adversarial) != Y)[made.success].mean() > 0.9


def test_transfer_to_a_model_without_gradients():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    result = attack(forest, X, Y, eps=0.5, transfer_from=NET)
    assert result.transfer_from == "Sequential"
    assert_array_equal(result.predicted_adversarial, forest.predict(result.adversarial))
    unlabelled = attack(forest, X, eps=0.5, transfer_from=NET)
    assert_array_equal(unlabelled.success, unlabelled.predicted_adversarial != forest.predict(X))


def test_transfer_needs_the_same_inputs():
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X * 3, CLEAN)
    with pytest.raises(ValueError, match="transform X differently"):
        attack(scaled, X, CLEAN, eps=0.1, transfer_from=NET)
    twin = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(X * 3, CLEAN)
    assert attack(scaled, X, CLEAN, eps=0.1, transfer_from=twin).transfer_from == "Pipeline"


# --- What it does not depend on, and leaves alone


@pytest.mark.parametrize("options", [{"norm": 2}, {"norm": np.inf}, {"norm": 2, "method": "kl"}])
def test_batches_do_not_matter(options):
    threat_model = ThreatModel(options["norm"])
    results = [
        attack(
            NET, X, Y, eps=0.3, n_restarts=3, batch_size=size, threat_model=threat_model,
            method=options.get("method", "pgd"),
        )
        for size in (13, None)
    ]  # fmt: skip
    for other in results[1:]:
        assert_array_equal(other.success, results[0].success)
        # Rows that are fooled wait in a batch for others to leave, which counts as passes.
        assert_allclose(other.adversarial, results[0].adversarial, rtol=1e-6, atol=1e-9)


def test_random_starts_depend_on_seed_and_position_alone():
    x, eps = torch.zeros(60, 5, dtype=torch.float64), torch.full((60,), 2.0, dtype=torch.float64)
    every = np.arange(60)
    some = np.array([0, 1, 5, 6, 7, 30, 59])
    for norm in NORMS:
        together = in_ball(x, eps, norm, every, (0, 1))
        assert_array_equal(in_ball(x[some], eps[some], norm, some, (0, 1)), together[some])
        assert (together != in_ball(x, eps, norm, every, (0, 2))).all()
        assert (together != in_ball(x, eps, norm, every, (1, 1))).all()
    together = near_centre(x, eps, every, (0, 1))
    assert_array_equal(near_centre(x[some], eps[some], some, (0, 1)), together[some])


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_are_uniform_in_the_ball(norm):
    x, eps = torch.zeros(4000, 3, dtype=torch.float64), torch.full((4000,), 2.0).double()
    points = in_ball(x, eps, norm, np.arange(4000), (0, 0))
    share = (torch.linalg.vector_norm(points, norm, dim=1) / 2) ** 3  # of the volume: uniform
    assert_allclose(np.quantile(share, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.03)
    assert share.max() <= 1 + 1e-9
    assert_allclose(points.mean(dim=0), np.zeros(3), atol=0.1)


def test_every_pass_is_counted():
    module = copy.deepcopy(NET)
    rows = Rows(module)
    result = attack(module, X, Y, eps=0.3, n_restarts=2, batch_size=16)
    assert sum(rows.forward) - 1 == result.n_forward.sum()  # one to see what the model returns
    assert sum(rows.backward) == result.n_backward.sum()
    # Few steps where that is enough.
    fooled = result.success & (result.size > 0)
    assert np.median(result.n_backward[fooled]) < 10
    assert (result.n_backward[~result.success] == 40).all()
    assert (result.n_backward[result.size == 0] == 0).all()


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


def test_flat_logits_are_reported():
    class Flat(nn.Module):
        def forward(self, x):
            return 0 * x[:, :1] + torch.tensor([1.0, 0.0])

    result = attack(Flat(), X, eps=0.3)
    assert not result.success.any()
    assert "no step moved 40 of 40 samples" in result.warnings_[0]
    assert attack(NET, X, eps=0.3).warnings_ == ()


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
