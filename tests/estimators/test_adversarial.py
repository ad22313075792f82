"""AdversarialClassifier: passes through the network, the attack's settings, and what it buys."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair import AdversarialClassifier, NaturalClassifier, ThreatModel, boundary_distance
from robfair.datasets import make_group_margins
from robfair.training import Attack, Strategy
from robfair.training import _objectives as objectives

TINY = {"hidden_layer_sizes": [6], "batch_size": 50, "max_epochs": 2, "random_state": 0}


def count_training_passes(monkeypatch, clf, data, n_batches):
    """Passes of a fit but for those of a single row, which check the module."""
    rows = []

    class Counting(nn.Sequential):
        def forward(self, X):
            rows.append(len(X))
            return super().forward(X)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = clf.module() if clf.module else [nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2)]
    monkeypatch.setattr(
        objectives, "_SAME_IN_BOTH_MODES", (*objectives._SAME_IN_BOTH_MODES, Counting)
    )
    clf.set_params(module=Counting(*layers)).fit(data.X, data.y)
    rows = [n for n in rows if n > 1]
    assert len(rows) % n_batches == 0
    return len(rows) // n_batches


def with_norm():
    return [nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)]


@pytest.mark.parametrize("n_steps", [1, 5])
def test_passes_per_batch(monkeypatch, data, n_steps):
    settings = {**TINY, "n_steps": n_steps}
    n_batches = 2 * 3  # 120 samples in batches of 50, twice
    trades = AdversarialClassifier(**settings)
    assert count_training_passes(monkeypatch, trades, data, n_batches) == n_steps + 2
    normed = AdversarialClassifier(module=with_norm, **settings)
    assert count_training_passes(monkeypatch, normed, data, n_batches) == n_steps + 3
    pgd = AdversarialClassifier(objective="pgd", **settings)
    assert count_training_passes(monkeypatch, pgd, data, n_batches) == n_steps + 1
    unattacked = AdversarialClassifier(beta=0, **settings)
    assert count_training_passes(monkeypatch, unattacked, data, n_batches) == 1


def test_the_default_network_is_known_to_have_one_mode(data):
    clf = AdversarialClassifier(**TINY, n_steps=1).fit(data.X, data.y)
    assert {type(part) for part in clf.module_.modules()} <= set(objectives._SAME_IN_BOTH_MODES)


def test_batch_norm_sees_clean_and_attacked_batches_only(data):
    clf = AdversarialClassifier(module=lambda: nn.Sequential(*with_norm()), **TINY, n_steps=4)
    clf.fit(data.X, data.y)
    assert clf.module_[1].num_batches_tracked == 2 * (2 * 3)


@pytest.fixture
def attacks(monkeypatch):
    """Every attack of a fit: X, the eps of each sample, the attack's settings, what it found."""
    seen = []
    call = Attack.__call__

    def spy(self, module, X, eps, loss, **options):
        found = call(self, module, X, eps, loss, **options)
        seen.append((self, X.clone(), eps.clone(), found))
        return found

    monkeypatch.setattr(Attack, "__call__", spy)
    return seen


@pytest.mark.parametrize("norm", [2, np.inf])
@pytest.mark.parametrize("objective", ["trades", "pgd"])
def test_attacks_of_a_fit_stay_where_they_may(attacks, data, norm, objective):
    """The observed box of the float64 data: X in float32 may lie an ulp outside of it."""
    low, high = data.X.min(axis=0), data.X.max(axis=0)
    threat_model = ThreatModel(bounds=(low, high), mutable=np.array([True, False, True]))
    clf = AdversarialClassifier(
        eps=0.3, norm=norm, objective=objective, threat_model=threat_model, **TINY
    )
    clf.fit(data.X, data.y)
    assert sum(len(X) for _, X, _, _ in attacks) == 2 * len(data.X)
    for settings, X, eps, found in attacks:
        assert settings.norm == norm
        delta = (found - X).double()
        assert_allclose(eps, 0.3)
        assert torch.linalg.vector_norm(delta, norm, dim=1).max() <= 0.3 * (1 + 1e-5)
        assert (delta[:, 1] == 0).all()
        assert (found.numpy() >= low - 1e-6).all()
        assert (found.numpy() <= high + 1e-6).all()


def test_steps_and_step_size(attacks, data):
    AdversarialClassifier(eps=0.4, n_steps=5, **TINY).fit(data.X, data.y)
    assert attacks[0][0].n_steps == 5
    assert attacks[0][0].relative_step * 0.4 == pytest.approx(2.5 * 0.4 / 5)
    AdversarialClassifier(eps=0.4, n_steps=5, step_size=0.07, **TINY).fit(data.X, data.y)
    assert attacks[-1][0].relative_step * 0.4 == pytest.approx(0.07)


@pytest.mark.parametrize("objective", ["trades", "pgd"])
def test_tiny_eps_or_no_beta_is_natural_training(data, objective):
    natural = NaturalClassifier(**TINY).fit(data.X, data.y).predict_proba(data.X)
    settings = {**TINY, "objective": objective, "n_steps": 2}
    without = AdversarialClassifier(beta=0, **settings).fit(data.X, data.y)
    assert np.array_equal(without.predict_proba(data.X), natural)
    # The same order, although random starts have drawn numbers.
    tiny = AdversarialClassifier(eps=1e-9, **settings).fit(data.X, data.y)
    assert_allclose(tiny.predict_proba(data.X), natural, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["trades", "pgd"])
def test_it_buys_distance(objective):
    """One feature tells the class with a wide margin, another better but with a narrow one."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    sign = 2.0 * y - 1
    wide = sign * rng.choice([1.0, -1.0], size=400, p=[0.9, 0.1])
    X = np.column_stack([wide + 0.1 * rng.standard_normal(400), 0.1 * sign])
    settings = {"hidden_layer_sizes": [8], "max_epochs": 25, "lr": 0.02, "random_state": 0}
    natural = NaturalClassifier(**settings).fit(X, y)
    robust = AdversarialClassifier(
        eps=0.3, n_steps=3, objective=objective, **settings
    ).fit(X, y)  # fmt: skip
    threat_model = ThreatModel(norm=np.inf)
    distances = [
        np.median(boundary_distance(clf, X, threat_model=threat_model).distance)
        for clf in (natural, robust)
    ]
    assert distances[1] > 1.5 * distances[0]


def test_history_of_both_objectives(data):
    trades = AdversarialClassifier(**TINY, n_steps=1).fit(data.X, data.y).history_
    assert np.isfinite([trades["natural_loss"], trades["robust_loss"]]).all()
    pgd = AdversarialClassifier(objective="pgd", **TINY, n_steps=1).fit(data.X, data.y).history_
    assert np.isnan(pgd["natural_loss"]).all()
    assert np.isfinite(pgd["robust_loss"]).all()


def test_the_strategy_is_a_parameter_like_any_other(data):
    class Half(Strategy):
        def __init__(self, share=0.5):
            self.share = share

        def start(self, plan):
            self.n_groups_ = plan.n_groups
            return replace(plan, eps=self.share * plan.eps)

    clf = AdversarialClassifier(strategy=Half(), **TINY, n_steps=2)
    assert clf.get_params()["strategy__share"] == 0.5
    clf.set_params(strategy__share=1.0).fit(data.X, data.y)
    plain = AdversarialClassifier(**TINY, n_steps=2).fit(data.X, data.y)
    assert np.array_equal(clf.predict_proba(data.X), plain.predict_proba(data.X))
    assert not hasattr(clf.strategy, "n_groups_")
    assert clf.strategy_.n_groups_ == 2


def test_harder_data_are_less_robust():
    """Rob(P) of an adversarially trained network keeps the order of the margins."""
    problem = make_group_margins(300, n_features=3, random_state=1)
    clf = AdversarialClassifier(**{**TINY, "max_epochs": 15, "lr": 0.02, "n_steps": 3})
    clf.fit(problem.X, problem.y)
    distance = boundary_distance(clf, problem.X).distance
    means = [distance[problem.groups == g].mean() for g in range(3)]
    assert means == sorted(means)
