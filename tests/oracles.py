"""Distances worked out another way, and what every result must fulfil; shared by tests."""

from itertools import pairwise

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from torch import nn

from robfair.distance.exact import Reading


def smallest_step(w, gap, norm, down, up):
    """Size of the smallest r with w . r >= gap and -down <= r <= up; inf if there is none.

    By a bisection on the multiplier, which shares no line with robfair's Newton method.
    `test_geometry.py` compares it with scipy's linear and quadratic programming.
    """
    a, wall = np.abs(w), np.where(w > 0, up, down)
    wall = np.where(a > 0, wall, 0)
    speed = a if norm == 2 else np.ones_like(a)

    def moved(multiplier):
        return np.minimum(multiplier * speed, wall)

    if gap <= 0:
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        if a @ np.where(np.isinf(wall), 0, wall) < gap and not np.isinf(wall).any():
            return np.inf
        ends = [1.01 * gap / (a * speed)[wall == np.inf].sum(), np.nanmax(wall / speed)]
    end = min(e for e in ends if np.isfinite(e))
    if a @ moved(end) <= gap:  # the corner itself
        return np.linalg.norm(moved(end), norm)
    root = brentq(lambda m: a @ moved(m) - gap, 0, end, xtol=1e-300, rtol=1e-15, maxiter=2000)
    return np.linalg.norm(moved(root), norm)


def linear_distances(weight, bias, X, norm, low=-np.inf, high=np.inf, mutable=True):
    """Distance of each row of X to the boundary of argmax(weight @ x + bias), in a box."""
    out = np.full(len(X), np.inf)
    for i, x in enumerate(X):
        logits = weight @ x + bias
        k = logits.argmax()
        for rival in set(range(len(bias))) - {k}:
            w = np.where(mutable, weight[rival] - weight[k], 0)
            if w.any():
                size = smallest_step(w, logits[k] - logits[rival], norm, x - low, high - x)
                out[i] = min(out[i], size)
    return out


def closed_form(weight, bias, X, norm):
    """Eq. 7 with the norm unsquared: no box, everything mutable."""
    logits = X @ weight.T + bias
    k = logits.argmax(axis=1)
    rows = np.arange(len(X))
    gaps = logits[rows, k][:, None] - logits
    dual = np.linalg.norm(weight[None] - weight[k][:, None], 1 if norm == np.inf else 2, axis=2)
    gaps[rows, k], dual[rows, k] = np.inf, 1
    return (gaps / dual).min(axis=1)


def linear_layer(weight, bias, dtype=torch.float64):
    layer = nn.Linear(*np.shape(weight)[::-1]).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
        layer.bias.copy_(torch.as_tensor(bias))
    return layer


class Shifted(nn.Module):
    """A module that is not affine, and whose boundary is that of an affine layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        # Every logit by the same.
        return self.layer(x) + nn.functional.softplus(x.sum(dim=1, keepdim=True))


def random_linear(rng, n_classes, n_features=6, n=25):
    """Weight, bias and samples of a random problem."""
    weight = rng.normal(size=(n_classes, n_features))
    return weight, rng.normal(size=n_classes), rng.normal(size=(n, n_features))


def network(sizes, activation=nn.Tanh, dtype=torch.float64, seed=0, gain=2.0):
    """A dense network whose weights depend on `seed` only."""
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for n_in, n_out in pairwise(sizes):
        layer = nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=dtype)
        with torch.no_grad():
            layer.weight.normal_(0, gain / n_in**0.5, generator=generator)
            layer.bias.normal_(0, 0.5, generator=generator)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def relu_layers(module):
    """The weights and biases that robfair reads of a ReLU network."""
    return [(weight.numpy(), bias.numpy()) for weight, bias in Reading.relu(module).maps()]


def predict_with(module):
    """Return the labels that a module predicts, outside of robfair."""

    def predict(X):
        dtype = next((p.dtype for p in module.parameters()), torch.float32)
        with torch.no_grad():
            return module(torch.as_tensor(np.array(X)).to(dtype)).argmax(dim=1).numpy()

    return predict


def check_adversarials(result, X, predict, rtol=1e-9):
    """Each point is predicted differently, in the box, unmoved where fixed, and at the distance."""
    adversarial, threat_model = result.adversarial, result.threat_model
    X = np.asarray(X, dtype=adversarial.dtype)
    assert adversarial.shape == X.shape
    hit = np.isin(result.status, ["found", "exact"])
    assert_array_equal(hit, np.isfinite(result.distance))
    assert np.isnan(adversarial[~hit]).all()
    assert_array_equal(predict(X), result.predicted)
    if not hit.any():
        return
    points, start = adversarial[hit], X[hit]
    assert (np.asarray(predict(points)) != result.predicted[hit]).all()
    if threat_model.bounds is not None:
        low, high = (np.asarray(side, dtype=points.dtype) for side in threat_model.bounds)
        assert (points >= low).all()
        assert (points <= high).all()
    if threat_model.mutable is not None:
        fixed = ~np.broadcast_to(threat_model.mutable, X.shape[1:])
        assert_array_equal(points[:, fixed], start[:, fixed])
    delta = points.astype(np.float64) - start.astype(np.float64)
    sizes = np.linalg.norm(delta.reshape(len(delta), -1), threat_model.norm, axis=1)
    assert_allclose(sizes, result.distance[hit], rtol=rtol)


class Rows:
    """Counts the rows that go through a module, pass by pass."""

    def __init__(self, module):
        self.forward, self.backward = [], []
        module.register_forward_hook(lambda m, args, out: self.forward.append(len(args[0])))
        module.register_full_backward_hook(lambda m, gin, gout: self.backward.append(len(gout[0])))
