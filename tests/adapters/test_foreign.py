"""Modules as other parts of torch make them: each is measured as the same module without them."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from skorch import NeuralNetClassifier
from torch import nn
from torch.nn.utils import prune

from oracles import network
from robfair import FarmurClassifier, boundary_distance
from robfair.attacks import attack, least_eps, robust_accuracy

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)


def smooth(*, dtype=torch.float32):
    return network([4, 8, 3], nn.GELU, dtype).eval()


class Calls(nn.Module):
    """A function of submodules."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x, *self.parts)


def in_place(x, part):
    x += 1
    return part(x.mul_(2))


class ForwardOnce(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return gradient * 2


def part_compiled(net):
    return nn.Sequential(torch.compile(net[0], backend="aot_eager"), *net[1:])


def hooked(net):
    compiled = torch.compile(net, backend="aot_eager")
    compiled.register_forward_hook(lambda module, inputs, out: out * 2)
    return compiled


def compiled_within(net):
    gelu = torch.compile(F.gelu, backend="aot_eager")
    return Calls(lambda x, first, last: last(gelu(first(x))), net[0], net[2])


def compiled_in_place(net):
    net.compile(backend="aot_eager")
    return net


def exported(net):
    shapes = ({0: torch.export.Dim("n")},)
    return torch.export.export(net, (torch.from_numpy(X),), dynamic_shapes=shapes).module()


def pruned(net):
    prune.custom_from_mask(net[0], "weight", torch.ones(8, 4))
    return net


def twice(net):
    wrapped = copy.deepcopy(net)
    return Calls(lambda x, part: part(ForwardOnce.apply(x) / 2), wrapped)


SAME = {
    "compiled": lambda net: torch.compile(net, backend="aot_eager"),
    "compiled in parts": part_compiled,
    "compiled with a hook": hooked,
    "compiled function": compiled_within,
    "compiled in place": compiled_in_place,
    "exported": lambda net: exported(net.train()),
    "scripted": torch.jit.script,
    "traced": lambda net: torch.jit.trace(net, torch.from_numpy(X)),
    "fx": torch.fx.symbolic_trace,
    "DataParallel": nn.DataParallel,
    "pruned": pruned,
    "frozen": lambda net: net.requires_grad_(False),
    "float64 logits": lambda net: Calls(lambda x, part: part(x).double(), net),
    "no double backward": twice,
    "vmap": lambda net: Calls(lambda x, part: torch.vmap(part)(x), net),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("case", SAME)
def test_is_measured_as_the_plain_module(case):
    expected = boundary_distance(smooth(), X)
    module = SAME[case](smooth())
    flags = [part.training for part in module.modules()]
    result = boundary_distance(module, X)
    assert_array_equal(result.predicted, expected.predicted)
    assert_allclose(result.distance, expected.distance, rtol=1e-3)
    assert [part.training for part in module.modules()] == flags
    assert (boundary_distance(module, X[:2], method="deepfool").status == "found").all()
    assert attack(module, X, eps=10.0).success.all()


@pytest.mark.slow  # it calls a compiler of C++
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_by_inductor():
    expected = boundary_distance(smooth(), X).distance
    assert_allclose(boundary_distance(torch.compile(smooth()), X).distance, expected, rtol=1e-3)


@pytest.mark.parametrize("case", ["DataParallel", "compiled"])
def test_wrapped_linear_layers_are_still_exact(case):
    wrap = SAME[case]
    layer = network([4, 3], nn.ReLU, torch.float32)
    result = boundary_distance(wrap(layer), X)
    assert result.method == "linear"
    assert_array_equal(result.distance, boundary_distance(layer, X).distance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "plain"),
    [
        (
            nn.Sequential(nn.ReLU(inplace=True), *smooth()),
            nn.Sequential(nn.ReLU(), *smooth()),
        ),
        (Calls(in_place, smooth()), Calls(lambda x, part: part(2 * (x + 1)), smooth())),
    ],
    ids=["first layer", "operations"],
)
def test_operations_in_place_do_not_reach_the_samples(module, plain):
    samples = X.copy()
    for method in ("auto", "deepfool", "decision"):
        result = boundary_distance(module, samples, method=method)
        assert_array_equal(samples, X)
        assert_allclose(result.distance, boundary_distance(plain, X, method=method).distance)
    success = attack(module, samples, eps=0.5).success
    assert_array_equal(success, attack(plain, samples, eps=0.5).success)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    module = smooth().to(dtype)
    exact = copy.deepcopy(module).double()
    for method in ("auto", "strong", "deepfool", "decision"):
        result = boundary_distance(module, X, method=method)
        expected = boundary_distance(exact, X, method=method).distance
        assert result.adversarial.dtype == np.float32
        found = result.status == "found"
        assert found.mean() > 0.9
        assert_allclose(result.distance[found], expected[found], rtol=0.1, atol=0.05)
        with torch.no_grad():
            flipped = module(torch.from_numpy(result.adversarial[found]).to(dtype)).argmax(dim=1)
        assert (flipped.numpy() != result.predicted[found]).all()
    assert attack(module, X, eps=10.0).success.all()
    assert np.isfinite(least_eps(module, X, eps_max=10.0).eps).all()


@pytest.mark.parametrize("layers", [[4, 3], [4, 6, 3]], ids=["affine", "ReLU"])
def test_nothing_is_proved_in_half_precision(layers):
    module = network(layers, nn.ReLU, torch.bfloat16)
    assert boundary_distance(module, X).method == "auto"
    with pytest.raises(ValueError, match="half precision"):
        boundary_distance(module, X, method="exact")
    result = boundary_distance(module, X, certify=True)
    assert np.isnan(result.lower).all()
    assert any("half precision" in text for text in result.warnings_)


MODES = {
    "inference mode": torch.inference_mode,
    "no_grad": torch.no_grad,
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_modes_of_the_caller_change_nothing(mode):
    y = np.arange(12) % 3
    relu, net = network([4, 6, 3], nn.ReLU, torch.float32), smooth()

    def results():
        classifier = FarmurClassifier(
            eps=0.1, hidden_layer_sizes=[4], max_epochs=1, retrain_epochs=1, random_state=0
        )
        yield classifier.fit(X, y, groups=y % 2).predict_proba(X)
        for method in ("auto", "strong", "deepfool", "decision"):
            yield boundary_distance(net, X, method=method).distance
        yield boundary_distance(relu, X, certify=True).lower
        yield boundary_distance(relu, X[:2], method="exact").distance
        yield attack(net, X, y, eps=0.3).adversarial
        yield least_eps(net, X, y, eps_max=3.0).eps
        yield robust_accuracy(net, X, y, [0.1, 0.3])

    expected = list(results())
    with MODES[mode]():
        for result, plain in zip(results(), expected, strict=True):
            assert_array_equal(result, plain)


@pytest.mark.slow
@pytest.mark.parametrize("activation", [nn.GELU, nn.ReLU])  # by autograd, and by hand
def test_autocast_of_the_caller_is_what_predicts(activation):
    module = network([4, 8, 3], activation, torch.float32)
    expected = boundary_distance(module, X).distance
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for method in ("auto", "strong", "deepfool", "decision"):
            result = boundary_distance(module, X, method=method)
            found = result.status == "found"
            assert found.mean() > 0.9
            with torch.no_grad():
                flipped = module(torch.from_numpy(result.adversarial[found])).argmax(dim=1)
            assert (flipped.numpy() != result.predicted[found]).all()
        assert attack(module, X, eps=10.0).success.all()
        assert_allclose(boundary_distance(module, X).distance, expected, rtol=0.1, atol=0.05)


def net():
    return NeuralNetClassifier(
        nn.Linear(4, 2), criterion=nn.CrossEntropyLoss, max_epochs=3, verbose=0, train_split=None
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrap",
    [
        FrozenEstimator,
        lambda net: FixedThresholdClassifier(FrozenEstimator(net), threshold=0.3),
        lambda net: CalibratedClassifierCV(FrozenEstimator(net)),
        lambda net: VotingClassifier([("a", net), ("b", LogisticRegression())], voting="soft"),
        lambda net: BaggingClassifier(net, n_estimators=2, random_state=0),
    ],
    ids=["frozen", "threshold", "calibrated", "voting", "bagging"],
)
def test_a_network_in_a_wrapper_gets_float32(wrap):
    y = np.arange(12) % 2
    model = wrap(net().fit(X, y)).fit(X, y)
    result = boundary_distance(model, X)
    assert result.adversarial.dtype == np.float32
    found = result.status == "found"
    assert found.any()
    assert (model.predict(result.adversarial[found]) != result.predicted[found]).all()
