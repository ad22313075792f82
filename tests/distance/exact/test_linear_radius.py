"""The radius within which an affine module keeps its label although it rounds."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles import smallest_step
from robfair.distance.exact._linear import EXACT_ARITHMETIC, _Linear, _radius
from robfair.distance.exact._reading import Rounding

NORMS = [2, np.inf]
SIDE = np.linspace(0, 1, 201)


def radius(normal, margin, growth, norm, slack=None):
    """`_radius` of one sample, in a box of (down, up)."""
    row = torch.tensor(np.array([normal]), dtype=torch.float64)
    room = None if slack is None else tuple(torch.tensor(np.array([s])) for s in slack)
    far = np.inf if slack is None else np.linalg.norm(np.maximum(*slack), norm)
    margin, growth, far = (torch.tensor([n], dtype=torch.float64) for n in (margin, growth, far))
    return _radius(row, margin, growth, norm, room, far).item()


def nearest_on_a_grid(normal, margin, growth, norm, slack):
    """Size of the least step in the box that the margin, less the error, does not outlast."""
    points = np.stack(
        np.meshgrid(*(-d + (d + u) * SIDE for d, u in zip(*slack, strict=True))), axis=-1
    ).reshape(-1, 2)
    size = np.linalg.norm(points, norm, axis=1)
    return np.min(size, where=points @ normal + growth * size >= margin, initial=np.inf)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("growth", [0.0, 0.05, 0.3, 2.0])
def test_nothing_within_the_radius_outweighs_the_margin(norm, growth):
    rng = np.random.default_rng(0)
    for _ in range(60):
        slack = rng.exponential(1.0, (2, 2)) * (rng.random((2, 2)) < 0.8)
        normal, margin = rng.normal(size=2), rng.exponential(1.5)
        found = radius(normal, margin, growth, norm, slack)
        nearest = nearest_on_a_grid(normal, margin, growth, norm, slack)
        assert found <= nearest + 1e-9
        first = smallest_step(normal, margin, norm, *slack)
        if np.isfinite(first):  # at which the error is at most growth * first
            rest = margin - growth * first
            assert_allclose(found, smallest_step(normal, rest, norm, *slack), rtol=1e-6)
        elif growth == 0:
            assert found == np.inf


@pytest.mark.parametrize("norm", NORMS)
def test_without_a_box_the_radius_is_the_margin_over_all_that_grows(norm):
    dual = 5 if norm == 2 else 7
    assert_allclose(radius([3.0, -4.0], 2.0, 0.5, norm), 2 / (dual + 0.5))
    assert radius([0.0, 0.0], 2.0, 0.0, norm) == np.inf
    assert radius([0.0, 0.0], 2.0, 0.5, norm) == 4
    assert radius([0.0, 0.0], 0.0, 0.0, norm) == 0  # a tie, whatever is done
    assert radius([3.0, -4.0], -1.0, 0.5, norm) == 0
    assert radius([3.0, -4.0], -1.0, 0.5, norm, np.ones((2, 2))) == 0


@pytest.mark.parametrize("norm", NORMS)
def test_a_boundary_beyond_the_box_is_not_reached_unless_the_error_grows_to_it(norm):
    slack = np.full((2, 2), 0.5)  # the normal grows by 1 at most
    far = np.linalg.norm(slack[0], norm)
    assert radius([1.0, 1.0], 2.0, 0.0, norm, slack) == np.inf
    assert radius([1.0, 1.0], 2.0, 0.9 / far, norm, slack) == np.inf
    # Else half of the margin is for the error, and half for the normal.
    assert_allclose(radius([1.0, 1.0], 2.0, 4.0, norm, slack), 1 / 4)
    assert_allclose(radius([1.0, 1.0], 2.0, 1.5 / far, norm, slack), far / 1.5)
    assert_allclose(radius([1.0, 1.0], 1.2, 0.5 / far, norm, slack), 0.6 * far)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("box", [False, True])
def test_what_the_logits_may_be_off_by_is_taken_off_the_margins(norm, box):
    weight = torch.tensor([[1.0, 2.0, 0.5], [-1.0, 0.0, 5.0], [0.5, -1.0, 1.0]]).double()
    x = torch.tensor([[0.3, 0.2, 0.1], [0.1, -0.2, 0.4]]).double()
    still = torch.tensor([[0.01, 0.02, 0.03], [0.03, 0.02, 0.05]]).double()
    growth, asked = torch.tensor([0.1, 0.3, 0.2]).double(), []

    def rounding(*arguments):
        asked.append(arguments)
        return Rounding(still, growth)

    ones, mutable = torch.ones(3), np.array([True, True, False])

    problem = SimpleNamespace(
        X=x.numpy(), norm=norm, model=SimpleNamespace(device="cpu", dtype=torch.float32),
        box=lambda dtype: (-ones.to(dtype), ones.to(dtype)) if box else None,
        mask=lambda: torch.from_numpy(mutable),
    )  # fmt: skip
    reading = SimpleNamespace(
        maps=lambda: [(weight, torch.zeros(3).double())], logits=lambda x: x @ weight.T,
        rounding=rounding,
    )  # fmt: skip
    label = (x @ weight.T).argmax(dim=1)
    found = _Linear(problem, reading).kept(np.arange(2), label)
    ((points, asked_norm, mask, dtype),) = asked
    assert torch.equal(points, x)
    assert (asked_norm, dtype, mask.tolist()) == (norm, torch.float32, mutable.tolist())
    for i, own in enumerate(label.tolist()):
        logits, radii = (weight @ x[i]).numpy(), []
        for other in {0, 1, 2} - {own}:
            margin = logits[own] - logits[other] - float(still[i, own] + still[i, other])
            normal = ((weight[other] - weight[own]).numpy() * mutable)[:2]
            slack = (x[i].numpy()[:2] + 1, 1 - x[i].numpy()[:2]) if box else None
            error = float(growth[own] + growth[other])
            radii.append(radius(normal, margin, error, norm, slack))
        assert_allclose(found[i], min(radii) * EXACT_ARITHMETIC)
