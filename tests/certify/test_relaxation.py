"""Lines around activations, on grids of bounds."""

import pytest
import torch

from robfair.certify._affine import Affine, Layer
from robfair.certify._relaxation import relax

LAYERS = [("relu", 0.0), ("relu", 0.2), ("relu", 1.0), ("tanh", 0.0)]


def grid():
    ends = torch.cat([torch.logspace(-9, 2.5, 60, dtype=torch.float64), torch.zeros(1).double()])
    ends = torch.cat([-ends, ends]).sort().values
    low, high = torch.meshgrid(ends, ends, indexing="ij")
    keep = low <= high
    return low[keep][:, None], high[keep][:, None]


@pytest.mark.parametrize(("kind", "slope"), LAYERS)
def test_lines_hold(kind, slope):
    low, high = grid()
    lines = relax(kind, slope, low, high)
    share = torch.linspace(0, 1, 201, dtype=torch.float64)[None]
    z = low + (high - low) * share
    value = Layer(kind, slope, Affine({}, None, ()))(z)
    rounding = 0 if kind == "tanh" else 1e-15 * torch.maximum(high, -low)
    assert (lines.low_slope * z + lines.low_offset <= value + rounding).all()
    assert (lines.high_slope * z + lines.high_offset >= value - rounding).all()


@pytest.mark.parametrize(("kind", "slope"), LAYERS)
def test_lines_are_close(kind, slope):
    low, high = grid()
    lines = relax(kind, slope, low, high)
    activation = Layer(kind, slope, Affine({}, None, ()))
    # Over the interval no line is further away than the activation moves, or twice that at an end.
    spread = activation(high) - activation(low)
    for z in (low, high):
        below = lines.low_slope * z + lines.low_offset
        above = lines.high_slope * z + lines.high_offset
        most = torch.where((low < 0) & (high > 0) & (kind == "relu"), high - low, 2 * spread)
        assert (above - below <= most + 1e-11 * (1 + high - low)).all()


def test_straight_pieces_are_exact():
    low = torch.tensor([[0.5], [-3.0], [0.0], [-1.0]], dtype=torch.float64)
    high = torch.tensor([[2.0], [-0.1], [1.0], [0.0]], dtype=torch.float64)
    lines = relax("relu", 0.1, low, high)
    expected = torch.tensor([[1.0], [0.1], [1.0], [0.1]], dtype=torch.float64)
    for slope in (lines.low_slope, lines.high_slope):
        assert torch.equal(slope, expected)
    assert not lines.low_offset.any()
    assert not lines.high_offset.any()


def test_chord_and_adaptive_slope():
    low, high = torch.tensor([[-1.0, -3.0]]).double(), torch.tensor([[3.0, 1.0]]).double()
    lines = relax("relu", 0.0, low, high)
    torch.testing.assert_close(lines.high_slope, torch.tensor([[0.75, 0.25]]).double())
    torch.testing.assert_close(lines.high_offset, torch.tensor([[0.75, 0.75]]).double())
    assert torch.equal(lines.low_slope, torch.tensor([[1.0, 0.0]]).double())
