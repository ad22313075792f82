import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F

from oracles import network
from robfair import ThreatModel
from robfair.adapters import autograd_vjp, forward_vjp
from robfair.attacks import Ball, projected_gradient

NORMS = [2, torch.inf]
SHAPES = [(5,), (2, 3, 4)]


def tensor(rng, *shape):
    return torch.from_numpy(rng.normal(size=shape))


def random_ball(rng, norm, shape=(5,), n=12):
    """A ball with radii of its own per sample, some of them 0, in a box with fixed features."""
    X = tensor(rng, n, *shape)
    eps = torch.from_numpy(rng.exponential(0.5, n) * (rng.random(n) < 0.8))
    low, high = X.amin(dim=0) - rng.exponential(0.1), X.amax(dim=0) + rng.exponential(0.1)
    mutable = rng.random(shape) < 0.7
    mutable.flat[0] = True
    return Ball(X, eps, norm, ThreatModel(2, (low, high), mutable))


def check_inside(points, ball):
    delta = (points - ball.X).flatten(1)
    assert (torch.linalg.vector_norm(delta, ball.norm, dim=1) <= ball.eps + 1e-14).all()
    low, high = ball.threat_model.bounds
    assert (points >= low).all()
    assert (points <= high).all()
    fixed = torch.from_numpy(~np.asarray(ball.threat_model.mutable))
    assert_array_equal(points[:, fixed], ball.X[:, fixed])
    assert_array_equal(points[ball.eps == 0], ball.X[ball.eps == 0])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 2**32 - 1))
def test_projection(shape, norm, seed):
    rng = np.random.default_rng(seed)
    ball = random_ball(rng, norm, shape)
    points = ball.X + 2 * tensor(rng, *ball.X.shape)
    projected = ball.project(points)
    check_inside(projected, ball)
    assert_allclose(ball.project(projected), projected, rtol=1e-12, atol=1e-15)
    assert_array_equal(ball.project(ball.X), ball.X)


@pytest.mark.parametrize("norm", NORMS)
def test_projection_without_a_box_is_the_nearest_point(norm):
    X = torch.zeros(2, 2, dtype=torch.float64)
    ball = Ball(X, torch.tensor([1.0, 10.0], dtype=torch.float64), norm, ThreatModel())
    points = torch.tensor([[3.0, 4.0], [3.0, 4.0]], dtype=torch.float64)
    nearest = [[0.6, 0.8], [3, 4]] if norm == 2 else [[1, 1], [3, 4]]
    assert_allclose(ball.project(points), nearest)


def test_direction_has_unit_norm():
    X = torch.zeros(3, 2, 2)
    gradient = torch.stack([torch.full((2, 2), 3.0), torch.eye(2) * -1e-25, torch.zeros(2, 2)])
    l2, linf = (Ball(X, torch.ones(3), norm, ThreatModel()).direction(gradient) for norm in NORMS)
    assert_allclose(l2.flatten(1).norm(dim=1), [1, 1, 0], rtol=1e-6)
    assert_allclose(l2[0], np.full((2, 2), 0.5))
    assert_array_equal(linf, gradient.sign())


def attack(module, ball, y, n_steps=10, start=None):
    def weights(logits):
        return F.softmax(logits, dim=1) - F.one_hot(y, logits.shape[1])

    start = ball.X if start is None else start
    found = forward_vjp(module) if isinstance(module, torch.nn.Module) else autograd_vjp(module)
    return projected_gradient(
        found, weights, ball, start=start, step=2.5 * ball.eps / n_steps, n_steps=n_steps
    )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_stays_in_the_ball_and_raises_the_loss(shape, norm):
    rng = np.random.default_rng(1)
    ball = random_ball(rng, norm, shape, n=40)
    module = torch.nn.Sequential(torch.nn.Flatten(), network([int(np.prod(shape)), 8, 3]))
    y = module(ball.X).argmax(dim=1)
    points = attack(module, ball, y)
    check_inside(points, ball)
    assert not points.requires_grad
    clean, attacked = (F.cross_entropy(module(p), y, reduction="none") for p in (ball.X, points))
    moving = ball.eps > 0
    assert (attacked[moving] > clean[moving]).double().mean() > 0.95
    assert_array_equal(attacked[~moving].detach(), clean[~moving].detach())
    assert attacked.sum() > 1.2 * clean.sum()
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize(("norm", "boxed"), [(2, False), (torch.inf, False), (torch.inf, True)])
def test_reaches_the_maximum_of_a_linear_loss(norm, boxed):
    rng = np.random.default_rng(2)
    ball = random_ball(rng, norm)
    if not boxed:
        ball = Ball(ball.X, ball.eps, norm, ThreatModel())
    w = tensor(rng, 5)
    points = projected_gradient(
        autograd_vjp(lambda p: p @ w), torch.ones_like, ball, start=ball.X, step=ball.eps, n_steps=3
    )
    ascent = w.sign() if norm == torch.inf else w / w.norm()
    assert_allclose(points, ball.project(ball.X + ball.eps[:, None] * ascent), rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_samples_do_not_depend_on_their_batch(norm):
    ball = random_ball(np.random.default_rng(3), norm)
    module = network([5, 8, 3])
    y = torch.arange(12) % 3
    together = attack(module, ball, y)
    for i in range(12):
        alone = Ball(ball.X[i : i + 1], ball.eps[i : i + 1], norm, ball.threat_model)
        assert_allclose(attack(module, alone, y[i : i + 1])[0], together[i], rtol=1e-9, atol=1e-12)


def test_the_start_is_projected_and_left_alone():
    ball = random_ball(np.random.default_rng(4), torch.inf)
    start = ball.X + 3
    before = start.clone(), ball.X.clone()
    points = attack(network([5, 3]), ball, torch.zeros(12, dtype=torch.int64), 1, start)
    check_inside(points, ball)
    assert_array_equal(start, before[0])
    assert_array_equal(ball.X, before[1])
    assert not start.requires_grad
    assert not ball.X.requires_grad


def test_no_steps_give_the_projected_start():
    ball = random_ball(np.random.default_rng(5), 2)
    start = ball.X + 1
    points = projected_gradient(None, None, ball, start=start, step=ball.eps, n_steps=0)
    assert_array_equal(points, ball.project(start))


def test_one_forward_and_one_backward_pass_a_step():
    ball = random_ball(np.random.default_rng(6), 2)
    module = network([5, 8, 3])
    passes = {"forward": 0, "backward": 0}
    module.register_forward_hook(lambda *_: passes.update(forward=passes["forward"] + 1))
    module.register_full_backward_hook(lambda *_: passes.update(backward=passes["backward"] + 1))
    with torch.no_grad():  # the attack turns gradients on for itself
        attack(module, ball, torch.zeros(12, dtype=torch.int64), n_steps=7)
    assert passes == {"forward": 7, "backward": 7}


@pytest.mark.parametrize("norm", NORMS)
def test_a_flat_loss_moves_nothing(norm):
    ball = random_ball(np.random.default_rng(7), norm)
    points = projected_gradient(
        autograd_vjp(lambda p: p * 0), torch.ones_like, ball, start=ball.X, step=ball.eps, n_steps=3
    )
    assert_array_equal(points, ball.X)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_scales_with_the_features(norm, scale):
    rng = np.random.default_rng(8)
    ball = random_ball(rng, norm)
    low, high = ball.threat_model.bounds
    scaled_model = ThreatModel(2, (low * scale, high * scale), ball.threat_model.mutable)
    scaled = Ball(ball.X * scale, ball.eps * scale, norm, scaled_model)
    module, y = network([5, 8, 3]), torch.arange(12) % 3
    plain = attack(module, ball, y)
    assert_allclose(attack(lambda p: module(p / scale), scaled, y), plain * scale, rtol=1e-6)
