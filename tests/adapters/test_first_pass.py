"""Modules that cannot be measured are refused before any work, in one sentence with the cause."""

import numpy as np
import pytest
import torch
from torch import nn

from robfair import NaturalClassifier, audit, boundary_distance
from robfair.attacks import attack, least_eps, robust_accuracy

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
LINEAR = nn.Linear(4, 3)


class Calls(nn.Module):
    """A function of submodules."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x, *self.parts)


class Raises(nn.Module):
    def forward(self, x):
        raise KeyError("a word of the user's")


class TwoInputs(nn.Module):
    def forward(self, x, mask):
        return x * mask


class NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2


def without_statistics():
    norm = nn.BatchNorm1d(8, track_running_stats=False)
    return nn.Sequential(nn.Linear(4, 8), norm, nn.ReLU(), nn.Linear(8, 3))


def exported():  # for batches of twelve
    return torch.export.export(nn.Linear(4, 3), (torch.from_numpy(X),)).module()


def quantised():
    layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return torch.ao.quantization.quantize_dynamic(layers, {nn.Linear}, dtype=torch.qint8)


REFUSED = {
    "raises": (Raises, ValueError, "shape .4,. in float32: Raises raised KeyError: .*of the user"),
    "two inputs": (TwoInputs, TypeError, "TwoInputs raised TypeError: .*missing .* 'mask'"),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(9, 3), nn.Flatten()),
        ValueError,
        "Sequential raised RuntimeError: .*indices",
    ),
    "complex weights": (
        lambda: nn.Linear(4, 3, dtype=torch.complex64),
        ValueError,
        "Linear raised RuntimeError: .*Complex",
    ),
    "complex logits": (
        lambda: Calls(lambda x, part: torch.fft.fft(part(x)), LINEAR),
        ValueError,
        "complex64",
    ),
    "fixed batch": (exported, ValueError, "GraphModule raised"),
    "batch norm": (without_statistics, ValueError, "Expected more than 1 .*running statistics"),
    "lazy": (lambda: nn.LazyLinear(3), ValueError, "not initialised: 'weight' is lazy"),
    "meta": (lambda: nn.Linear(4, 3, device="meta"), ValueError, "'weight' is on the meta device"),
    "no backward": (
        lambda: Calls(lambda x, part: part(NoBackward.apply(x)), LINEAR),
        ValueError,
        "Calls raised NotImplementedError: .*backward",
    ),
    "detached": (
        lambda: Calls(lambda x, part: part(x.detach()), LINEAR),
        ValueError,
        'Calls have no gradient .* Use method="decision"',
    ),
    "quantised": (quantised, ValueError, 'Sequential have no gradient .* Use method="decision"'),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_with_the_cause(case):
    make, kind, message = REFUSED[case]
    module, y = make(), np.arange(12) % 3
    for call in (
        lambda: boundary_distance(module, X),
        lambda: boundary_distance(module, X, method="deepfool"),
        lambda: attack(module, X, eps=0.1),
        lambda: least_eps(module, X, eps_max=1.0),
        lambda: robust_accuracy(module, X, y, 0.1),
        lambda: audit(module, X, y, sensitive_features=y % 2),
    ):
        with pytest.raises(kind, match=message):
            call()


def test_what_the_module_raised_is_chained():
    with pytest.raises(ValueError, match="Raises") as caught:
        boundary_distance(Raises(), X)
    assert isinstance(caught.value.__cause__, KeyError)


def test_without_a_gradient_the_labels_suffice():
    detached = Calls(lambda x, part: part(x.detach()), LINEAR)
    expected = boundary_distance(LINEAR, X, method="decision").distance
    np.testing.assert_array_equal(
        boundary_distance(detached, X, method="decision").distance, expected
    )


def test_one_sample_must_do_for_labels_too():
    with pytest.raises(ValueError, match="running statistics"):
        boundary_distance(without_statistics(), X, method="decision")
    squeezed = Calls(lambda x, part: part(x).squeeze(), LINEAR)
    with pytest.raises(ValueError, match="for one sample it returned shape"):
        boundary_distance(squeezed, X, method="decision")


def test_a_lazy_module_is_left_as_found():
    module = nn.LazyLinear(3)
    with pytest.raises(ValueError, match="lazy"):
        boundary_distance(module, X)
    assert nn.parameter.is_lazy(module.weight)


def test_fit_names_what_its_module_raises():
    with pytest.raises(ValueError, match="Raises raised KeyError"):
        NaturalClassifier(module=Raises(), random_state=0).fit(X, np.arange(12) % 3)
