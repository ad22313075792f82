"""Balls that are cut by boxes, and points of them."""

import numpy as np
import torch

from robfair.certify._ball import BoxedBall


def random_ball(rng, n_features, n, norm, limits):
    x = torch.from_numpy(rng.normal(size=(n_features, n)))
    radius = torch.from_numpy(rng.exponential(0.3, n))
    if not limits:
        return BoxedBall(x, radius, norm)
    room = rng.exponential(0.3, (2, n_features, n))
    room[rng.random(room.shape) < 0.3] = 0
    room[rng.random(room.shape) < 0.2] = np.inf
    return BoxedBall(x, radius, norm, *torch.from_numpy(room))


def points_of(ball, rng, n):
    """Points of each ball, (n_features, n * n_samples), many of them far out."""
    shape = (n, *ball.x.shape)
    step = torch.from_numpy(rng.normal(size=shape) * rng.exponential(2, size=shape))
    size = torch.linalg.vector_norm(step, ball.norm, dim=1, keepdim=True)
    step = step / size * ball.radius * torch.from_numpy(rng.random((n, 1, ball.x.shape[1])) ** 0.1)
    if ball.down is not None:
        step = torch.minimum(torch.maximum(step, -ball.down), ball.up)
    return (ball.x + step).permute(1, 0, 2)
