"""The cheap distance: affine networks in closed form, ReLU networks by "exact", its gradient."""

import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair import ThreatModel, boundary_distance
from robfair.distance import nearest_boundary

BOX = ([-1.0] * 4, [1.0] * 4)
THREATS = {
    "open": ThreatModel(),
    "box": ThreatModel(bounds=BOX),
    "immutable": ThreatModel(mutable=[True, False, True, True]),
    "both": ThreatModel(bounds=BOX, mutable=[True, True, False, True]),
}


def points(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n, 4)), rng.integers(0, 2, n)


def network(*widths, seed=0):
    """Draw a network, with each class where its logit is above its mean."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        layers = [[nn.Linear(a, b), nn.ReLU()] for a, b in pairwise(widths)]
        net = nn.Sequential(*[part for pair in layers for part in pair][:-1]).double()
        net[-1].bias -= net(torch.from_numpy(points(1_000)[0])).mean(dim=0)
        return net


def search(net, X, y, **options):
    found = nearest_boundary(net, torch.from_numpy(X), torch.from_numpy(y), **options)
    return found, found.distance.numpy(), found.arrived.numpy()


def oracle(net, X, y, threat, method):
    found = boundary_distance(net, X, y=y, method=method, threat_model=threat)
    backwards = boundary_distance(net, X, method=method, threat_model=threat)
    distance = np.where(found.status == "skipped", -backwards.distance, found.distance)
    return distance, np.isfinite(backwards.distance)


@pytest.mark.parametrize("norm", [2, np.inf])
@pytest.mark.parametrize("threat", THREATS)
@pytest.mark.parametrize("classes", [2, 3])
def test_affine_networks_have_a_closed_form(norm, threat, classes):
    """One step is enough, from the sample or from anywhere; wrong samples have a sign."""
    net, (X, y) = network(4, classes), points()
    threat = replace(THREATS[threat], norm=norm)
    expected, reachable = oracle(net, X, y, threat, "linear")
    assert (expected < 0).any()
    assert (expected > 0).any()
    found, distance, arrived = search(net, X, y, threat_model=threat, n_rivals=classes - 1)
    # A wrong sample is searched towards its predicted class: with three, that is one of two ways.
    rows = reachable & ((expected > 0) | (classes == 2))
    assert_allclose(distance[rows], expected[rows], rtol=1e-9)
    assert np.array_equal(np.sign(distance), np.sign(expected))
    assert arrived[rows].all()
    low, high = threat.bind(X).box((4,)) if threat.bounds is not None else (-np.inf, np.inf)
    assert bool(((found.points.numpy() >= low) & (found.points.numpy() <= high)).all())
    kept = [] if threat.mutable is None else ~np.asarray(threat.mutable)
    assert np.array_equal(found.points.numpy()[:, kept], X[:, kept])
    noise = torch.randn(2, *X.shape, generator=torch.Generator().manual_seed(0)).double()
    _, around, _ = search(net, X, y, threat_model=threat, noise=noise, n_rivals=classes - 1)
    assert_allclose(around[rows], expected[rows], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("norm", [2, np.inf])
def test_more_starts_come_near_to_exact(norm):
    net, (X, _) = network(4, 10, 3), points(40)
    y = net(torch.from_numpy(X)).argmax(1).numpy()
    threat = ThreatModel(norm=norm)
    exact = boundary_distance(net, X, y=y, method="exact", threat_model=threat).distance
    noise = torch.randn(4, *X.shape, generator=torch.Generator().manual_seed(0)).double()
    _, few, _ = search(net, X, y, threat_model=threat)
    options = {"noise": noise, "n_rivals": 2, "scale": exact.mean()}
    _, many, arrived = search(net, X, y, threat_model=threat, **options)
    ratio = many / exact
    assert arrived.mean() > 0.9
    assert (ratio[arrived] > 0.97).mean() > 0.9  # an upper bound, but for what is extrapolated
    assert (ratio < 1.03).mean() > max(0.7, (few / exact < 1.03).mean() + 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("norm", [2, np.inf])
@pytest.mark.parametrize("threat", ["open", "both"])
def test_the_gradient_is_that_of_the_distance(norm, threat):
    """By finite differences of "exact", in the direction of the gradient, sample by sample."""
    net, (X, y) = network(4, 6, 2), points(20, seed=3)
    threat = replace(THREATS[threat], norm=norm)
    y = net(torch.from_numpy(X)).argmax(1).numpy()
    before = boundary_distance(net, X, y=y, method="exact", threat_model=threat).distance
    found, distance, _ = search(net, X, y, threat_model=threat, n_steps=30)
    whole = (found.slope > 0.2 * found.slope.median()).numpy()
    rows = np.flatnonzero((np.abs(distance - before) < 1e-7) & whole)
    assert len(rows) > 4
    terms, weights = found.trainable(net, torch.from_numpy(y)), list(net.parameters())
    gradients = [torch.autograd.grad(terms[row], weights, retain_graph=True) for row in rows]
    for row, gradient in zip(rows, gradients, strict=True):
        size = float(sum((g**2).sum() for g in gradient))
        ends = []
        for step in (1e-5 / size**0.5, -1e-5 / size**0.5):
            moved = copy.deepcopy(net)
            with torch.no_grad():
                for p, g in zip(moved.parameters(), gradient, strict=True):
                    p += step * g
            one = {"X": X[[row]], "y": y[[row]], "method": "exact", "threat_model": threat}
            ends.append(boundary_distance(moved, **one).distance[0])
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(size**0.5, rel=1e-3)


def test_images_chunks_and_modules_of_ones_own(monkeypatch):
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.drop = network(4, 8, 12), nn.Dropout(0.5)

        def forward(self, x):
            return self.net(self.drop(x).flatten(1)) * 2

    module = Doubled()
    X, _ = points()
    y = np.arange(40) % 12
    images, distance, _ = search(module, X.reshape(-1, 1, 2, 2), y, n_rivals=3)
    flat, expected, _ = search(module.net, X, y, n_rivals=3)
    assert images.points.shape == (40, 1, 2, 2)
    assert_allclose(distance, expected)
    assert_allclose(images.slope.numpy(), 2 * flat.slope.numpy())
    assert module.training
    module_name = "robfair.distance.gradient._nearest_boundary"
    monkeypatch.setattr(f"{module_name}.default_batch_size", lambda shape: 20)
    assert_allclose(search(module.net, X, y, n_rivals=3)[1], expected)
