"""Lines around maxima of pieces that are affine in the sample, against points of the ball."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch import nn

from balls import points_of, random_ball
from robfair.certify._affine import Affine, Layer
from robfair.certify._ball import BoxedBall
from robfair.certify._crown import Crown
from robfair.certify._maximum import Windows, normalise
from robfair.certify._trace import trace

CPU = torch.device("cpu")
SEEDS = st.integers(0, 2**32 - 1)


def windows_of(weight, bias, rectified=False):
    """The maxima of pieces with weights (n_pieces, n_windows, n_features)."""
    n_pieces, n_windows, n_features = weight.shape
    size = n_pieces * n_windows
    terms = {0: sparse.csr_array(weight.reshape(size, n_features))}
    return Layer("max", 0.0, Affine(terms, bias.reshape(size), (size,)), n_pieces, rectified)


@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("norm", [2, np.inf])
@given(seed=SEEDS, rectified=st.booleans())
@settings(max_examples=15, deadline=None)
def test_lines_lie_on_both_sides(norm, limits, seed, rectified):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(3, 5, 6)) * (rng.random((3, 5, 6)) < 0.5)
    weight[1, 0] = weight[0, 0]  # two pieces alike
    layer = windows_of(weight, rng.normal(size=(3, 5)), rectified)
    ball = random_ball(rng, 6, 4, norm, limits)
    low, high, lines, free = Windows(layer, CPU).relax(ball)
    points = points_of(ball, rng, 100)  # (features, points, samples)
    z = torch.einsum("kwf,fps->kwps", torch.from_numpy(weight), points)
    z = z + torch.from_numpy(layer.inputs.bias.reshape(3, 5))[:, :, None, None]
    greatest = layer(z.flatten(0, 1))
    below = (lines.low_slope[:, :, None] * z).sum(dim=0)
    above = (lines.high_slope[:, :, None] * z).sum(dim=0) + lines.high_offset[:, None]
    assert (lines.low_offset == 0).all()
    assert (below <= greatest + 1e-12).all()
    assert (greatest <= above + 1e-12).all()
    assert (z.flatten(0, 1) >= low[:, None] - 1e-12).all()
    assert (z.flatten(0, 1) <= high[:, None] + 1e-12).all()
    settled = ~free[:, None].expand_as(greatest)
    torch.testing.assert_close(above[settled], greatest[settled])


def test_a_mean_of_two_pieces_is_the_chord():
    # max(x, -x) = |x| on [-1, 3], below the chord x / 2 + 3 / 2.
    layer = windows_of(np.array([[[1.0]], [[-1.0]]]), np.zeros((2, 1)))
    ball = BoxedBall(torch.ones(1, 1).double(), torch.full((1,), 2.0).double(), np.inf)
    _, _, lines, free = Windows(layer, CPU).relax(ball)
    slope = float(lines.high_slope[0] - lines.high_slope[1])
    offset = float(lines.high_offset)
    assert bool(free)
    assert slope * 1 + offset == pytest.approx(2, abs=0.05)  # in the middle, as low as it can be
    assert min(offset - slope, offset + 3 * slope - 2) >= 1 - 1e-12  # above both ends


@pytest.mark.parametrize("rectified", [False, True])
@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_weights_are_those_of_means(rectified, seed):
    rng = np.random.default_rng(seed)
    weights = torch.from_numpy(rng.normal(size=(3, 4, 2)))
    start = torch.zeros(3, 4, 2).double()
    start[0] = 1
    mean = normalise(weights, start, rectified)
    assert (mean >= 0).all()
    total = mean.sum(dim=0)
    assert (total <= 1 + 1e-12).all()
    assert rectified or torch.allclose(total, torch.ones_like(total))
    torch.testing.assert_close(normalise(mean, start, rectified), mean)


@pytest.mark.slow
@pytest.mark.parametrize("after", [nn.ReLU, nn.Identity, nn.Tanh, lambda: nn.LeakyReLU(0.2)])
@given(seed=SEEDS)
@settings(max_examples=3, deadline=None)
def test_a_layer_of_maxima_is_tighter_than_a_tournament(after, seed):
    rng = np.random.default_rng(seed)
    layers = (nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), after(), nn.Flatten(), nn.Linear(12, 2))
    module = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=parameter.shape)))
    ball = BoxedBall(
        torch.from_numpy(rng.random((36, 6))), torch.from_numpy(rng.random(6)) / 5, np.inf
    )
    rows = torch.tensor([1.0, -1.0]).double()[:, None, None].expand(2, 6, 1)
    least = []
    for maxima in (False, True):
        net = trace(module, (1, 6, 6), maxima)
        assert any(layer.kind == "max" for layer in net.layers) == maxima
        crown = Crown(net, CPU)
        with torch.no_grad():
            least.append(crown.margins(ball, crown.intermediate(ball), rows))
    points = points_of(ball, rng, 300)
    logits = module(points.flatten(1).T.reshape(-1, 1, 6, 6)).reshape(300, 6, 2).detach()
    reached = (logits[..., 0] - logits[..., 1]).amin(dim=0)
    assert (least[1][:, 0] <= reached + 1e-9).all()
    assert least[1].sum() > least[0].sum() - 0.02 * least[0].abs().sum()
