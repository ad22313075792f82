"""The losses of each sample, against computations by hand, and what they cost in passes."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose
from torch import nn

from robfair.threat import ThreatModel
from robfair.training import Attack, NaturalObjective, Noise, PgdObjective, TradesObjective
from robfair.training import _objectives as module_under_test

N, D, C = 12, 4, 3


def network(*extra, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(D, 6), *extra, nn.ReLU(), nn.Linear(6, C))


def batch(seed=1):
    g = torch.Generator().manual_seed(seed)
    X = torch.randn(N, D, generator=g)
    return X, torch.randint(C, (N,), generator=g)


def attack(n_steps=3, relative_step=0.5, norm=torch.inf, seed=0, **threat):
    return Attack(n_steps, relative_step, norm, ThreatModel(**threat), Noise(seed))


def full(value):
    return torch.full((N,), float(value))


class Recorder:
    """An attack that keeps what it was asked and what it found."""

    def __init__(self, inner):
        self.inner = inner
        self.calls = []

    def __call__(self, module, X, eps, loss, *, uniform_start, rows=None):
        self.loss, self.rows = loss, rows
        found = self.inner(module, X, eps, loss, uniform_start=uniform_start, rows=rows)
        self.calls.append((X, eps, found, uniform_start))
        return found


@contextmanager
def rows_seen(module):
    """Number of rows of every forward pass, and the mode each was made in."""
    seen = []
    hook = module.register_forward_hook(
        lambda part, args, out: seen.append((len(args[0]), part.training))
    )
    try:
        yield seen
    finally:
        hook.remove()


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def logits_of(module, X):
    with torch.no_grad():
        return module(X).double().numpy()


def first_logit(out):
    """Weights of the logits: the first one is to grow."""
    return F.one_hot(torch.zeros(len(out), dtype=torch.int64), out.shape[1]).to(out)


def cross_entropy(logits, y):
    return -np.log(softmax(logits)[np.arange(len(y)), y.numpy()])


def test_natural_loss_is_the_cross_entropy():
    module, (X, y) = network(), batch()
    losses = NaturalObjective()(module, X, y, full(0.3), full(6), attack())
    assert_allclose(losses.natural.detach(), cross_entropy(logits_of(module, X), y), rtol=1e-5)
    assert losses.robust.tolist() == [0] * N
    assert losses.has_natural.all()
    assert not losses.attacked.any()


def test_trades_is_cross_entropy_plus_beta_times_kl_from_clean_to_attacked():
    module, (X, y) = network(), batch()
    recorder = Recorder(attack())
    beta = torch.linspace(0.5, 6, N)
    losses = TradesObjective()(module, X, y, full(0.5), beta, recorder)
    ((_, _, adversarial, uniform),) = recorder.calls
    assert not uniform
    clean, bad = softmax(logits_of(module, X)), softmax(logits_of(module, adversarial))
    divergence = (clean * (np.log(clean) - np.log(bad))).sum(axis=1)
    assert_allclose(losses.natural.detach(), cross_entropy(logits_of(module, X), y), rtol=1e-5)
    assert_allclose(losses.robust.detach(), beta.numpy() * divergence, rtol=1e-3, atol=1e-6)
    reverse = (bad * (np.log(bad) - np.log(clean))).sum(axis=1)
    assert np.abs(reverse / divergence - 1).max() > 0.01  # the two directions can be told apart


def test_trades_gradient_flows_through_clean_and_attacked_probabilities():
    module, (X, y) = network(), batch()
    recorder = Recorder(attack())
    losses = TradesObjective()(module, X, y, full(0.5), full(2), recorder)
    parameters = list(module.parameters())
    found = torch.autograd.grad(losses.robust.sum(), parameters)
    clean = module(X).log_softmax(dim=1)
    bad = module(recorder.calls[0][2]).log_softmax(dim=1)
    by_hand = 2 * (clean.exp() * (clean - bad)).sum()
    for one, other in zip(found, torch.autograd.grad(by_hand, parameters), strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_trades_tends_to_the_cross_entropy_as_eps_vanishes():
    module, (X, y) = network(), batch()
    sizes = [
        TradesObjective()(module, X, y, full(eps), full(6), attack()).robust.detach().max().item()
        for eps in (1.0, 1e-1, 1e-3)
    ]
    assert sizes[0] > 10 * sizes[1] > 100 * sizes[2]
    assert sizes[2] < 1e-4
    none = TradesObjective()(module, X, y, full(0), full(6), attack())
    assert none.robust.tolist() == [0] * N
    assert not none.attacked.any()


def test_trades_attacks_along_the_gradient_of_the_divergence():
    module, (X, y) = network(), batch()
    recorder = Recorder(attack())
    TradesObjective()(module, X, y, full(0.5), full(6), recorder)
    clean, out = module(X).detach().softmax(dim=1), torch.randn(N, C).requires_grad_()
    divergence = F.kl_div(out.log_softmax(dim=1), clean, reduction="sum")
    (expected,) = torch.autograd.grad(divergence, out)
    assert_allclose(recorder.loss(out.detach()), expected, rtol=1e-4, atol=1e-6)


def test_the_attack_raises_the_kl_divergence():
    module, (X, y) = network(), batch()
    objective = TradesObjective()
    start, end = (
        objective(module, X, y, full(0.5), full(1), attack(n, 0.3)).robust.sum().item()
        for n in (0, 10)
    )
    assert end > 10 * start


def test_pgd_loss_is_the_cross_entropy_at_the_attacked_point():
    module, (X, y) = network(), batch()
    recorder = Recorder(attack())
    beta = torch.tensor([1.0, 0.0] * (N // 2))
    losses = PgdObjective()(module, X, y, full(0.5), beta, recorder)
    ((_, _, adversarial, uniform),) = recorder.calls
    assert uniform
    hit = beta > 0
    assert losses.attacked.tolist() == hit.tolist()
    assert losses.has_natural.tolist() == (~hit).tolist()
    expected = cross_entropy(logits_of(module, adversarial), y[hit])
    assert_allclose(losses.robust.detach()[hit], expected, rtol=1e-5)
    assert losses.robust[~hit].tolist() == [0] * (N // 2)
    natural = cross_entropy(logits_of(module, X), y)
    assert_allclose(losses.natural.detach()[~hit], natural[~hit.numpy()], rtol=1e-5)
    assert losses.natural[hit].tolist() == [0] * (N // 2)
    assert (expected > natural[hit.numpy()]).mean() > 0.8


def test_pgd_does_not_scale_with_beta_and_leaves_x_alone():
    module, (X, y) = network(), batch()
    kept = X.clone()
    one, six = (
        PgdObjective()(module, X, y, full(0.5), full(beta), attack()).robust for beta in (1, 6)
    )
    assert torch.equal(one, six)
    assert torch.equal(X, kept)


@pytest.mark.parametrize("n_steps", [1, 4])
def test_passes_of_a_trades_batch(n_steps):
    module, (X, y) = network(), batch()
    with rows_seen(module) as seen:
        TradesObjective()(module, X, y, full(0.5), full(6), attack(n_steps))
    assert seen == [(N, True), *[(N, False)] * n_steps, (N, True)]


@pytest.mark.parametrize("extra", [nn.BatchNorm1d(6), nn.Dropout(0.5)])
def test_a_module_with_two_modes_needs_one_pass_more(extra):
    module, (X, y) = network(extra), batch()
    with rows_seen(module) as seen:
        TradesObjective()(module, X, y, full(0.5), full(6), attack(3))
    assert seen == [(N, True), *[(N, False)] * 4, (N, True)]


def test_a_module_of_the_users_own_may_have_two_modes():
    class Own(nn.Linear):
        def forward(self, X):
            return super().forward(X) * (3 if self.training else 1)

    module, (X, y) = nn.Sequential(Own(D, C)), batch()
    with rows_seen(module) as seen:
        TradesObjective()(module, X, y, full(0.5), full(6), attack(2))
    assert len(seen) == 2 + 2 + 1


def test_passes_of_a_pgd_batch():
    module, (X, y) = network(), batch()
    with rows_seen(module) as seen:
        PgdObjective()(module, X, y, full(0.5), full(6), attack(4))
    assert seen == [*[(N, False)] * 4, (N, True)]


@pytest.mark.parametrize("objective", [TradesObjective(), PgdObjective()])
@pytest.mark.parametrize("zero", ["beta", "eps"])
def test_samples_with_zero_beta_or_eps_are_never_attacked(objective, zero):
    module, (X, y) = network(), batch()
    some = torch.tensor([1.0, 0.0, 2.0] * (N // 3))
    settings = {"eps": full(0.5), "beta": full(6), zero: some}
    recorder = Recorder(attack(3))
    with rows_seen(module) as seen:
        losses = objective(module, X, y, settings["eps"], settings["beta"], recorder)
    hit = some > 0
    rows = int(hit.sum())
    ((centres, eps, _, _),) = recorder.calls
    assert torch.equal(centres, X[hit])
    assert torch.equal(eps, settings["eps"][hit])
    assert [n for n, training in seen if not training] == [rows] * 3
    trades = isinstance(objective, TradesObjective)
    assert [n for n, training in seen if training] == ([N, rows] if trades else [N])
    assert losses.attacked.tolist() == hit.tolist()
    assert losses.robust[~hit].tolist() == [0] * (N - rows)
    assert (losses.robust[hit] > 0).all()


@pytest.mark.parametrize("objective", [TradesObjective(), PgdObjective()])
def test_nobody_attacked_costs_one_pass(objective):
    module, (X, y) = network(), batch()
    with rows_seen(module) as seen:
        losses = objective(module, X, y, full(0.5), full(0), attack(3))
    assert seen == [(N, True)]
    expected = NaturalObjective()(module, X, y, full(0.5), full(0), attack()).natural
    assert torch.equal(losses.natural, expected)
    assert losses.has_natural.all()


@pytest.mark.parametrize("objective", [TradesObjective(), PgdObjective()])
def test_attacking_some_gives_them_the_loss_they_have_among_all(objective):
    """The random start of a sample does not depend on who else is attacked."""
    module, (X, y) = network(), batch()
    beta = torch.tensor([0.0, 6.0] * (N // 2))
    some = objective(module, X, y, full(0.5), beta, attack()).robust.detach()
    every = objective(module, X, y, full(0.5), full(6), attack()).robust.detach()
    assert_allclose(some[beta > 0], every[beta > 0], rtol=1e-5)


@pytest.mark.parametrize("objective", [TradesObjective(), PgdObjective()])
def test_the_attack_leaves_statistics_modes_and_gradients_alone(objective):
    norm, frozen = nn.BatchNorm1d(6), nn.Dropout(0.5)
    module, (X, y) = network(norm, frozen), batch()
    frozen.eval()
    objective(module, X, y, full(0.5), full(6), attack(5))
    # Once for the clean batch and once for the attacked one in TRADES; never for a step.
    assert norm.num_batches_tracked == (2 if isinstance(objective, TradesObjective) else 1)
    assert [part.training for part in module] == [True, True, False, True, True]
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize("norm", [2, np.inf])
def test_attacked_points_stay_in_ball_box_and_mask(norm, uniform):
    module, (X, y) = network(), batch()
    eps = torch.linspace(0.05, 1.0, N)
    low, high = X.min(dim=0).values.numpy(), X.max(dim=0).values.numpy()
    mutable = np.array([True, False, True, True])
    found = attack(8, 0.6, norm, bounds=(low, high), mutable=mutable)(
        module,
        X,
        eps,
        lambda out: F.softmax(out, dim=1) - F.one_hot(y, out.shape[1]),
        uniform_start=uniform,
    )
    delta = (found - X).double()
    assert (torch.linalg.vector_norm(delta, norm, dim=1) <= eps.double() * (1 + 1e-5)).all()
    assert (delta[:, 1] == 0).all()
    assert (found >= torch.from_numpy(low)).all()
    assert (found <= torch.from_numpy(high)).all()
    assert (delta != 0).any(dim=1).all()
    assert not found.requires_grad


def test_the_start_is_relative_to_eps():
    module, (X, _) = network(), batch()
    for uniform, expected in ((True, 1 / np.sqrt(3)), (False, module_under_test.TRADES_START)):
        wide = X.repeat(200, 1)
        found = attack(0)(
            module,
            wide,
            torch.full((len(wide),), 2.0),
            torch.ones_like,
            uniform_start=uniform,
        )
        assert_allclose((found - wide).std() / 2, expected, rtol=0.03)


def test_n_fgsm_starts_within_two_eps_and_makes_one_step_from_there():
    """N-FGSM (de Jorge et al. 2022): x + U(-2 eps, 2 eps), a step of eps, and no way back."""
    module, (X, _) = nn.Linear(D, C), batch()
    wide, eps = X.repeat(300, 1), torch.linspace(0.1, 1.0, N).repeat(300)
    fast = Attack(1, 1.0, torch.inf, ThreatModel(), Noise(0), spread=2.0, radius=3.0)
    found = fast(module, wide, eps, first_logit, uniform_start=True)
    start = (found - wide) / eps[:, None] - module.weight.detach()[0].sign()
    assert 1.99 < start.abs().max() < 2 + 1e-4
    assert_allclose(start.mean(dim=0), 0, atol=0.1)
    assert_allclose(start.std(dim=0), 2 / np.sqrt(3), rtol=0.03)


@pytest.mark.parametrize("objective", [TradesObjective(), PgdObjective()])
def test_a_batch_that_is_attacked_as_a_whole_is_not_copied(objective):
    module, (X, y) = network(), batch()
    recorder, eps = Recorder(attack()), full(0.5)
    objective(module, X, y, eps, full(6), recorder)
    (centres, radius, _, _), rows = recorder.calls[0], recorder.rows
    assert centres is X
    assert radius is eps
    assert rows is None


def test_the_attack_works_on_images_in_double_precision():
    images = torch.rand(5, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    module = nn.Sequential(nn.Flatten(), nn.Linear(9, 2)).double()
    found = attack(4, norm=2, bounds=(0, 1))(
        module, images, torch.full((5,), 0.2, dtype=torch.float64), first_logit,
        uniform_start=True,
    )  # fmt: skip
    assert found.shape == images.shape
    assert found.dtype == torch.float64
    assert ((found - images).flatten(1).norm(dim=1) <= 0.2 + 1e-12).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_a_step_is_a_part_of_the_eps_of_each_sample():
    module, (X, _) = nn.Linear(D, C), batch()
    eps = torch.linspace(0.1, 1.0, N)
    at_once = Attack(1, 0.25, torch.inf, ThreatModel(), Noise(0), spread=0.0)
    found = at_once(module, X, eps, first_logit, uniform_start=True)
    step = 0.25 * eps[:, None] * module.weight.detach()[0].sign()
    assert_allclose(found - X, step, rtol=1e-4, atol=1e-6)


def test_step_and_start_follow_the_eps_of_each_sample():
    """On a linear module the attack ends at the far corner of every sample's own ball."""
    module, (X, _) = nn.Linear(D, C), batch()
    eps = torch.linspace(0.1, 1.0, N)
    found = attack(4, 0.7)(module, X, eps, first_logit, uniform_start=True)
    corner = eps[:, None] * module.weight.detach()[0].sign()
    assert_allclose(found - X, corner, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("beta", [[1.0] * N, [1.0, 0.0] * (N // 2), [0.0] * N])
@pytest.mark.parametrize("objective", [NaturalObjective, TradesObjective, PgdObjective])
def test_the_logits_are_those_of_the_samples_and_of_the_attacked_points(objective, beta):
    module, (X, y) = network(), batch()
    points, beta = Recorder(attack()), torch.tensor(beta)
    losses = objective()(module, X, y, full(0.3), beta, points)
    attacked = (beta > 0) & torch.tensor(objective is not NaturalObjective)
    assert torch.equal(losses.attacked, attacked)
    there = X.clone()
    if attacked.any():
        there[attacked] = points.calls[-1][2]
        assert_allclose(losses.adversarial_logits.detach(), logits_of(module, there), rtol=1e-5)
    else:
        assert losses.adversarial_logits is None
        assert losses.robust.tolist() == [0] * N
    if objective is PgdObjective and attacked.any():  # it makes no clean pass
        assert losses.logits is None
    else:
        assert_allclose(losses.logits.detach(), logits_of(module, X), rtol=1e-5)
    kept = losses.detach()
    for name in ("natural", "robust", "logits", "adversarial_logits"):
        value, with_graph = getattr(kept, name), getattr(losses, name)
        assert (value is None) == (with_graph is None)
        assert value is None or (torch.equal(value, with_graph) and not value.requires_grad)
