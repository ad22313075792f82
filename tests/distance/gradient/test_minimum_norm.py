"""The tight search, "auto" and "strong": against exact distances, and what must always hold."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris, load_wine, make_moons
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn

from oracles import Rows, check_adversarials, linear_layer, network, predict_with
from robfair import ThreatModel, boundary_distance
from robfair.adapters import as_logits

NORMS = [2, np.inf]
BOTH = ["auto", "strong"]


def tight(model, X, norm=2, bounds=None, mutable=None, method="auto", **options):
    threat_model = ThreatModel(norm, bounds, mutable)
    return boundary_distance(model, X, method=method, threat_model=threat_model, **options)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def spent(result, batch_size=512):
    """Passes of each sample, without those of the diagnostics."""
    again = np.where(np.arange(len(result)) < min(256, batch_size), 2, 0)
    return result.n_forward + result.n_backward - again


DATA = {
    "moons": (make_moons(200, noise=0.2, random_state=0), (8,)),
    "iris": (load_iris(return_X_y=True), (6, 6)),
    "wine": (load_wine(return_X_y=True), (6, 6)),
}


@pytest.fixture(scope="module")
def trained():
    """ReLU networks that have learned something, and samples."""

    def fit(name):
        (X, y), hidden = DATA[name]
        X = StandardScaler().fit_transform(X)[:, :5]
        options = {"max_iter": 150, "learning_rate_init": 0.03, "tol": 0.01}
        return MLPClassifier(hidden, random_state=0, **options).fit(X, y), X[:150:8]

    return {name: fit(name) for name in DATA}


# --- Against exact distances


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize("name", ["moons", "iris"])
def test_tight_on_trained_networks(trained, name, boxed, norm):
    model, X = trained[name]
    mutable = [True] * (X.shape[1] - 1) + [not boxed]
    options = {"norm": norm, "bounds": (-2.5, 3.5) if boxed else None, "mutable": mutable}
    exact = tight(model, X, method="exact", **options)
    finite = np.isfinite(exact.distance)
    assert finite.sum() >= 5
    assert set(exact.status[finite]) == {"exact"}
    for method, ratio in (("auto", 1.005), ("strong", 1.001)):
        found = tight(model, X, method=method, **options)
        assert_array_equal(np.isfinite(found.distance), finite)
        assert found.distance[finite].mean() <= ratio * exact.distance[finite].mean()
        assert (found.distance >= exact.lower)[finite].all()


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_on_a_network_that_is_harder(trained, norm):
    # Many small regions of its own: auto ends in another than the nearest now and then.
    model, X = trained["wine"]
    options = {"norm": norm, "bounds": (X.min(axis=0), X.max(axis=0))}
    means = {m: tight(model, X, method=m, **options).distance.mean() for m in (*BOTH, "deepfool")}
    exact = tight(model, X, method="exact", **options).distance.mean()
    assert exact <= means["strong"] <= 1.05 * exact
    assert exact <= means["auto"] <= 1.1 * exact
    assert means["auto"] < means["deepfool"]


@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=st.integers(1, 3),
    hidden=st.lists(st.integers(2, 4), min_size=1, max_size=2),
    k=st.integers(1, 3),
    norm=st.sampled_from(NORMS),
    boxed=st.booleans(),
    masked=st.booleans(),
    method=st.sampled_from([*BOTH, "deepfool"]),
)
@settings(max_examples=15, deadline=None)  # exact distances and "strong" take a second each
# One output, far away: the nearest point of a region was once what rounding had left.
@pytest.mark.slow
@example(
    seed=98761, n_features=2, hidden=[4, 4], k=1, norm=2, boxed=False, masked=False, method="auto"
)
def test_never_below_the_exact_distance(seed, n_features, hidden, k, norm, boxed, masked, method):
    rng = np.random.default_rng(seed)
    module = network([n_features, *hidden, k], nn.ReLU, seed=seed % 2**31)
    X = rng.normal(size=(5, n_features))
    low, high = X.min(axis=0) - rng.exponential(0.5), X.max(axis=0)  # some at a wall
    mutable = rng.random(n_features) < 0.7
    mutable[rng.integers(n_features)] = True
    options = {"bounds": (low, high) if boxed else None, "mutable": mutable if masked else None}
    exact = tight(module, X, norm, method="exact", time_limit=10, **options)
    assert (exact.lower <= exact.distance).all()
    budget = 150 if method == "strong" else None
    found = tight(module, X, norm, method=method, budget=budget, **options)
    assert (found.distance >= exact.lower).all()
    assert (found.distance > 0).all()
    assert_array_equal(found.status, np.where(np.isinf(found.distance), "censored", "found"))
    check_one_output(found, X, module)


def check_one_output(result, X, module):
    """check_adversarials, for modules with one output too."""
    predict = predict_with(module)
    if module[-1].out_features == 1:
        with torch.no_grad():
            check_adversarials(result, X, lambda x: (module(torch.from_numpy(x))[:, 0] > 0).numpy())
    else:
        check_adversarials(result, X, predict)


# --- What must hold on any network


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_strong_is_seldom_longer_and_the_points_are_flipped(dtype, activation, norm):
    module, X = network([5, 12, 8, 4], activation, dtype), normal(40, 5)
    options = {"norm": norm, "bounds": (X.min(axis=0), X.max(axis=0) + 1)}
    options["mutable"] = [True, True, False, True, True]
    auto, strong = (tight(module, X, method=method, **options) for method in BOTH)
    for result in (auto, strong):
        check_adversarials(result, X, predict_with(module))
        # Whoever predicts them, and one by one, too: the flip is beyond rounding.
        points = result.adversarial[result.status == "found"]
        one_by_one = np.concatenate([predict_with(module)(point[None]) for point in points])
        assert_array_equal(one_by_one, predict_with(module)(points))
        wide = predict_with(copy.deepcopy(module).double())(points)
        assert_array_equal(wide, predict_with(module)(points))
    both = np.isfinite(auto.distance) & np.isfinite(strong.distance)
    assert both.sum() > 25
    longer = strong.distance[both] > auto.distance[both] * (1 + 1e-3)
    assert longer.mean() <= 0.05
    assert np.isfinite(strong.distance).sum() >= np.isfinite(auto.distance).sum()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", BOTH)
def test_distances_scale_with_the_features(method, norm):
    module, X = network([4, 8, 3]), normal(8, 4)
    bounds = np.array([X.min(axis=0) - 1, X.max(axis=0)])
    plain = tight(module, X, norm, tuple(bounds), method=method)
    for scale, exactly in ((128, True), (100, False)):
        scaled = copy.deepcopy(module)
        with torch.no_grad():
            scaled[0].weight /= scale
        result = tight(scaled, X * scale, norm, tuple(bounds * scale), method=method)
        assert_array_equal(result.status, plain.status)
        if exactly:  # a power of two changes no digit
            assert_array_equal(result.distance / scale, plain.distance)
            assert_array_equal(result.adversarial / scale, plain.adversarial)
        hit = plain.status == "found"
        mean = plain.distance[hit].mean()
        assert (result.distance[hit] / scale).mean() == pytest.approx(mean, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", BOTH)
def test_batch_size_order_and_company_do_not_matter(method, norm):
    module, X = network([4, 8, 3], nn.ReLU), normal(24, 4)
    whole = tight(module, X, norm, method=method)
    assert set(whole.status) == {"found"}
    for batch_size in (23,) if method == "strong" else (5, 23):
        other = tight(module, X, norm, method=method, batch_size=batch_size)
        assert_array_equal(other.predicted, whole.predicted)
        assert other.distance.mean() == pytest.approx(whole.distance.mean(), rel=1e-3)
    # The rows that others look at are those of X, and only a background keeps them in a part of it.
    first = tight(module, X[:7], norm, method=method, background=X)
    assert_allclose(first.distance, whole.distance[:7], rtol=2e-3)
    order = np.random.default_rng(0).permutation(len(X))
    turned = tight(module, X[order], norm, method=method)
    assert_allclose(turned.distance, whole.distance[order], rtol=2e-3)
    twice = tight(module, np.concatenate([X, X]), norm, method=method)
    assert_array_equal(twice.distance[:24], twice.distance[24:])
    y = whole.predicted.copy()
    y[::3] = (y[::3] + 1) % 3
    skipped = tight(module, X, norm, method=method, y=y)
    assert_array_equal(skipped.status == "skipped", np.arange(24) % 3 == 0)
    kept = np.arange(24) % 3 > 0
    assert_allclose(skipped.distance[kept], whole.distance[kept], rtol=2e-3)


@pytest.mark.slow
def test_random_states():
    module, X = network([4, 16, 16, 3], nn.ReLU, gain=3), normal(25, 4)
    one, again, other = (tight(module, X, method="strong", random_state=seed) for seed in (1, 1, 2))
    assert_array_equal(one.distance, again.distance)
    assert_array_equal(one.adversarial, again.adversarial)
    assert (one.distance != other.distance).any()
    assert other.distance.mean() == pytest.approx(one.distance.mean(), rel=0.1)
    for make in (np.random.RandomState, np.random.default_rng):
        one, again = (tight(module, X, method="strong", random_state=make(0)) for _ in range(2))
        assert_array_equal(one.distance, again.distance)


def test_random_numbers_belong_to_a_row():
    # A network on which restarts do not all end in the same place.
    module, X = network([4, 16, 16, 3], nn.ReLU, gain=3), normal(30, 4)
    whole = tight(module, X, method="strong")
    y = np.where(np.arange(30) < 5, (whole.predicted + 1) % 3, whole.predicted)
    kept = np.arange(30) >= 5
    same, other = (tight(module, X, method="strong", y=y, random_state=seed) for seed in (0, 1))
    moved, drawn = (
        (np.abs(result.distance / whole.distance - 1)[kept] > 1e-3).sum()
        for result in (same, other)
    )
    assert moved <= 1 < 3 <= drawn


@pytest.mark.parametrize("random_state", [0, None])
def test_nothing_is_left_behind(random_state):
    module = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4), network([4, 8, 3])).double()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    tight(module, normal(10, 4), method="strong", random_state=random_state)
    assert_array_equal(torch.get_rng_state(), torch_state)
    np.testing.assert_equal(np.random.get_state(), numpy_state)  # noqa: NPY002
    assert [part.training for part in module] == [True, False, True]
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    for name, value in module.state_dict().items():
        assert_array_equal(value, before[name])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("budget", [20, 47, 130, 333])
def test_budgets(trained, budget, norm):
    model, X = trained["iris"]
    module = as_logits(model).module
    for method in BOTH:
        result = tight(model, X, norm, method=method, budget=budget)
        assert set(result.status) == {"found"}
        assert spent(result).max() <= budget
        assert spent(result).mean() > 0.5 * budget  # and it is made use of
    # Nothing flips the samples of this one at first.
    flat = nn.Sequential(linear_layer(np.eye(4) * 1e-3, np.zeros(4)), nn.Tanh(), module)
    result = tight(flat, X, norm, method="auto", budget=budget)
    assert spent(result).max() <= budget + 96 + 50 * 2 + 200  # of DeepFool, and other samples


@pytest.mark.slow
@pytest.mark.parametrize(("k", "batch_size"), [(1, 512), (2, 8), (4, 8), (4, 512)])
@pytest.mark.parametrize("method", BOTH)
def test_passes_are_counted(k, batch_size, method):
    module, X = network([4, 10, k], gain=3), normal(20, 4)
    rows = Rows(module)
    result = tight(module, X, method=method, batch_size=batch_size)
    # All, to see what the outputs are, and one, forwards and backwards, to check them.
    assert sum(rows.forward) == result.n_forward.sum() + 20 + 1
    assert sum(rows.backward) == result.n_backward.sum() + 1


# --- Samples that give trouble


class Function(nn.Module):
    """A margin as a function of the features, as the first of two logits."""

    def __init__(self, margin):
        super().__init__()
        self.margin = margin

    def forward(self, x):
        margin = self.margin(x)
        return torch.stack([margin, torch.zeros_like(margin)], dim=1)


def dead_network():
    module = network([3, 4, 4], nn.ReLU)
    with torch.no_grad():
        module[0].bias.fill_(-1e9)
    return module


@pytest.mark.parametrize(
    "module",
    [
        Function(lambda x: (x**2).sum(dim=1) + 1),
        Function(lambda x: 1 - torch.relu(x[:, 0] - 1e6)),
        dead_network(),
        network([3, 4, 3], gain=0),
    ],
    ids=["valley", "plateau", "dead", "zero weights"],
)
@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("bounds", [None, (-10, 10)])
def test_what_cannot_be_flipped_is_censored(module, method, norm, bounds):
    result = tight(module, normal(5, 3), norm, bounds, method=method, batch_size=3)
    assert result.counts() == {"censored": 5}
    assert np.isinf(result.distance).all()
    assert np.isnan(result.adversarial).all()
    assert any("5 of 5 samples are censored" in warning for warning in result.warnings_)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", BOTH)
def test_samples_at_the_walls(method, norm):
    module, X = network([4, 8, 3]), np.random.default_rng(0).choice([-1.0, 1.0], (20, 4))
    result = tight(module, X, norm, (-1, 1), method=method)
    check_adversarials(result, X, predict_with(module))
    assert (result.status == "found").mean() > 0.5
    # Everything held but one feature, which has only one way to go.
    result = tight(module, X, norm, (-1, 1), [True, False, False, False], method=method)
    check_adversarials(result, X, predict_with(module))
    grid = np.linspace(-1, 1, 2001)
    for x, distance, label in zip(X, result.distance, result.predicted, strict=True):
        line = np.tile(x, (len(grid), 1))
        line[:, 0] = grid
        flipped = predict_with(module)(line) != label
        nearest = np.abs(grid - x[0])[flipped].min(initial=np.inf)
        assert distance == nearest or abs(distance - nearest) <= 2e-3


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("norm", NORMS)
def test_a_saturated_network(method, norm):
    # tanh(1e3 * x) is 1 to the last digit: there is no gradient at any of these samples.
    step = Function(lambda x: torch.tanh(1e3 * x[:, 0]))
    X = np.column_stack([np.linspace(1, 3, 10), normal(10)])
    result = tight(step, X, norm, method=method)
    assert result.counts() == {"censored": 10}
    assert any("the gradient is zero at 10 of 10" in warning for warning in result.warnings_)
    # With samples on the other side there is somewhere to begin.
    both = np.concatenate([X, -X])
    result = tight(step, both, norm, method=method)
    assert set(result.status) == {"found"}
    assert any("the gradient is zero at 20 of 20" in warning for warning in result.warnings_)
    check_adversarials(result, both, predict_with(step), rtol=1e-6)
    gaps = np.linalg.norm(both[:, None] - both[None], norm, axis=2)
    gaps[both[:, :1] * both[:, 0] > 0] = np.inf
    assert (result.distance >= np.abs(both[:, 0]) * (1 - 1e-3)).all()
    assert (result.distance <= gaps.min(axis=1) * 1.001).all()


def test_a_boundary_behind_a_flat_part_is_left_to_deepfool():
    # From 0 the margin falls until 1, is flat and positive until 3, and is 0 at 3.5.
    module = Function(lambda x: 0.5 + torch.relu(1 - x[:, 0]) - torch.relu(x[:, 0] - 3))
    for method in BOTH:
        assert_allclose(tight(module, np.zeros((1, 1)), method=method).distance, 3.5, rtol=2e-3)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", BOTH)
def test_one_feature_and_one_output(method, norm):
    # The logit of class 1 is positive between the roots.
    class Parabola(nn.Module):
        def forward(self, x):
            return -(x - 1) * (x - 4)

    X = np.array([[-3.0], [0.5], [1.2], [2.4], [2.6], [3.9], [7.0]])
    result = tight(Parabola(), X, norm, method=method)
    assert_array_equal(result.predicted, [0, 0, 1, 1, 1, 1, 0])
    right = np.minimum(np.abs(X[:, 0] - 1), np.abs(X[:, 0] - 4))
    assert_allclose(result.distance, right, rtol=3e-3)
    assert (result.distance >= right * (1 - 1e-6)).all()


@pytest.mark.parametrize("bounds", [None, (-1, 1)])
@pytest.mark.parametrize("norm", NORMS)
def test_samples_on_the_boundary(bounds, norm):
    layers = nn.Linear(3, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)
    module = nn.Sequential(*layers).double()
    for weight in module.parameters():
        nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    X = np.vstack([np.zeros(3), 0.5 * normal(1, 3)])  # at 0 all logits are 0: a tie
    result = tight(module, X, norm, bounds)
    assert set(result.status) == {"found"}
    assert 0 < result.distance[0] < 1e-6 < result.distance[1]
