"""Distances in tables against the enumeration of every row that an attacker may make."""

from itertools import product

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from robfair import ThreatModel, boundary_distance

# Columns: two integers, one continuous feature (or none), two blocks of three and four categories.
BLOCKS = ((3, 4, 5), (6, 7, 8, 9))
WHOLE = np.arange(-3, 4)


def table(n, seed):
    rng = np.random.default_rng(seed)
    X = np.zeros((n, 10))
    X[:, :2] = rng.integers(-3, 4, (n, 2))
    X[:, 2] = rng.uniform(-1, 1, n)
    for block in BLOCKS:
        X[np.arange(n), np.array(block)[rng.integers(0, len(block), n)]] = 1
    return X


def threat(norm, *, continuous, scale=1.0, **more):
    low = np.r_[-3.0, -3, -1, np.zeros(7)] * scale
    high = np.r_[3.0, 3, 1, np.ones(7)] * scale
    mutable = np.ones(10, dtype=bool)
    mutable[2] = continuous
    unit = np.r_[2.0, 0.5, 1, np.ones(7)] * scale
    spacing = np.r_[1.0, 1, 0, np.zeros(7)] * scale
    return ThreatModel(
        norm=norm, bounds=(low, high), mutable=mutable, categories=BLOCKS, unit=unit,
        integer=spacing if scale != 1 else spacing.astype(bool), category_cost=0.8, **more
    )  # fmt: skip


def assignments(x):
    """Every combination of integers and categories, with the continuous feature of x."""
    rows = []
    for a, b, i, j in product(WHOLE, WHOLE, range(3), range(4)):
        row = np.zeros(10)
        row[:3] = a, b, x[2]
        row[BLOCKS[0][i]] = row[BLOCKS[1][j]] = 1
        rows.append(row)
    return np.array(rows)


def enumerated(predict, x, threat_model):
    """The least cost of a row that is predicted differently, all features but one discrete."""
    rows = assignments(x)
    flipped = predict(rows) != predict(x[None])
    if not flipped.any():
        return np.inf
    return threat_model.cost(np.repeat(x[None], len(rows), axis=0), rows)[flipped].min()


def network(seed, linear=False):
    torch.manual_seed(seed)
    layers = [nn.Linear(10, 3)] if linear else [nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 3)]
    module = nn.Sequential(*layers).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter *= 2
    return module


def labels(module):
    def predict(rows):
        with torch.no_grad():
            return module(torch.from_numpy(rows)).argmax(dim=1).numpy()

    return predict


def check(found, exact):
    """Never below the optimum; return the share of samples where it is met."""
    known = np.isfinite(exact)
    assert (found.distance[~known] == np.inf).all()
    assert (found.distance >= exact - 1e-9).all()
    return (found.distance[known] <= exact[known] * (1 + 1e-9)).mean()


@pytest.mark.parametrize("norm", [2, np.inf])
@pytest.mark.parametrize("linear", [True, False], ids=["linear", "network"])
def test_discrete_tables_against_enumeration(norm, linear):
    threat_model = threat(norm, continuous=False)
    shares = {"auto": [], "strong": []}
    for seed in range(4):
        module, X = network(seed, linear), table(15, seed)
        exact = np.array([enumerated(labels(module), x, threat_model) for x in X])
        for method, share in shares.items():
            found = boundary_distance(module, X, method=method, threat_model=threat_model)
            share.append(check(found, exact))
            flipped = np.isfinite(found.distance)
            assert threat_model.valid(X[flipped], found.adversarial[flipped]).all()
            assert (labels(module)(found.adversarial[flipped]) != found.predicted[flipped]).all()
    assert np.mean(shares["strong"]) >= 0.95
    assert np.mean(shares["auto"]) >= 0.85


@pytest.mark.parametrize("norm", [2, np.inf])
def test_forests_against_enumeration(norm):
    threat_model = threat(norm, continuous=False)
    train = table(300, 9)
    y = (train[:, 0] + 2 * train[:, 3] - train[:, 7] + 0.5 * train[:, 1] > 0).astype(int)
    forest = RandomForestClassifier(20, random_state=0).fit(train, y)
    X = table(25, 1)
    exact = np.array([enumerated(forest.predict, x, threat_model) for x in X])
    found = boundary_distance(forest, X, threat_model=threat_model, background=train)
    assert found.method == "decision"
    assert check(found, exact) >= 0.7


@pytest.mark.parametrize("norm", [2, np.inf])
def test_a_continuous_feature_against_the_closed_form(norm):
    """For a linear model and fixed integers and categories, one feature moves to a known place."""
    threat_model = threat(norm, continuous=True)
    module, X = network(3, linear=True), table(20, 3)
    weight, bias = (p.detach().numpy() for p in module[0].parameters())
    exact = []
    for x in X:
        rows, label = assignments(x), int(labels(module)(x[None])[0])
        logits = rows @ weight.T + bias
        best = np.inf
        for rival in set(range(3)) - {label}:
            gap, slope = logits[:, label] - logits[:, rival], weight[label, 2] - weight[rival, 2]
            move = np.where(gap > 0, -gap / slope, 0)
            inside = np.abs(x[2] + move) <= 1
            moved = rows.copy()
            moved[:, 2] += move
            cost = threat_model.cost(np.repeat(x[None], len(rows), axis=0), moved)
            best = min(best, cost[inside].min(initial=np.inf))
        exact.append(best)
    exact = np.array(exact)
    for method, least in (("auto", 0.8), ("strong", 0.95)):
        found = boundary_distance(module, X, method=method, threat_model=threat_model)
        assert (found.distance >= exact * (1 - 1e-9)).all()
        assert (found.distance <= exact * (1 + 1e-4)).mean() >= least


def test_scale_of_the_features_does_not_matter():
    module, X = network(5), table(20, 5)
    codes = [np.eye(len(block)) * 100 for block in BLOCKS]
    scaled = nn.Sequential(nn.Linear(10, 10, bias=False), *module).double()
    with torch.no_grad():
        scaled[0].weight.copy_(torch.eye(10, dtype=torch.float64) / 100)
    from robfair.threat import Block

    one = threat(2, continuous=True)
    hundred = threat(2, continuous=True, scale=100.0)
    blocks = tuple(Block(b, c) for b, c in zip(BLOCKS, codes, strict=True))
    hundred = ThreatModel(
        norm=2, bounds=hundred.bounds, mutable=hundred.mutable, categories=blocks,
        unit=hundred.unit, integer=hundred.integer, category_cost=0.8,
    )  # fmt: skip
    small = boundary_distance(module, X, threat_model=one)
    large = boundary_distance(scaled, X * 100, threat_model=hundred)
    np.testing.assert_allclose(large.distance, small.distance, rtol=1e-6)


def test_neither_batches_nor_order_matter():
    module, X = network(6), table(30, 6)
    threat_model = threat(2, continuous=True)
    whole = boundary_distance(module, X, threat_model=threat_model)
    small = boundary_distance(module, X, threat_model=threat_model, batch_size=7)
    turned = boundary_distance(module, X[::-1].copy(), threat_model=threat_model)
    np.testing.assert_allclose(small.distance, whole.distance, rtol=1e-9)
    np.testing.assert_allclose(turned.distance[::-1], whole.distance, rtol=1e-9)


@pytest.mark.parametrize("method", ["linear", "exact", "deepfool", "paper"])
def test_methods_that_know_no_categories_are_refused(method):
    module = network(0, linear=True)
    with pytest.raises(ValueError, match=method):
        boundary_distance(
            module, table(3, 0), method=method, threat_model=threat(2, continuous=True)
        )


def test_certify_is_refused():
    with pytest.raises(ValueError, match="certify"):
        boundary_distance(
            network(0), table(3, 0), threat_model=threat(2, continuous=True), certify=True
        )


def test_a_row_without_a_category_is_named():
    X = table(3, 0)
    X[1, 3:6] = 0
    with pytest.raises(ValueError, match="row 1 holds no category"):
        boundary_distance(network(0), X, threat_model=threat(2, continuous=True))
