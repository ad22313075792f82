"""Plans and strategies: reductions by hand, FARMUR, and strategies of one's own."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone

from robfair import AdversarialClassifier, boundary_distance
from robfair.datasets import make_group_margins
from robfair.metrics import group_robustness
from robfair.training import EpochEnd, Farmur, GroupPlan, Strategy
from robfair.training._objectives import Losses

UNIFORM = GroupPlan.uniform(3, eps=0.2, beta=6.0)
TINY = {"hidden_layer_sizes": [6], "n_steps": 2, "batch_size": 32, "random_state": 0}


class FixedEvaluator:
    def __init__(self, *values):
        self.values = values
        self.asked = 0

    def robustness(self):
        self.asked += 1
        return np.array(self.values)


def losses(attacked):
    natural = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    attacked = torch.tensor(attacked)
    robust = torch.tensor([10.0, 20.0, 30.0, 40.0, 50.0]) * attacked
    return Losses(natural, robust, torch.ones(5, dtype=torch.bool), attacked)


GROUPS = torch.tensor([0, 1, 2, 0, 1])


def test_plain_strategy_never_changes_its_plan():
    strategy = Strategy()
    plan = strategy.start(UNIFORM)
    assert strategy.on_epoch(3, plan, None) is plan
    assert strategy.on_batch(plan, losses([True] * 5), GROUPS) is plan
    assert not strategy.needs_held_out


@pytest.mark.parametrize("reduction", ["subset", "batch"])
def test_farmur_judges_once_and_attacks_the_vulnerable_only(reduction):
    strategy, evaluator = Farmur(2, reduction), FixedEvaluator(1.0, 4.0, 2.5)
    plan = strategy.start(UNIFORM)
    phases, betas = [], []
    for epoch in range(5):
        plan = strategy.on_epoch(epoch, plan, evaluator)
        phases.append(plan.phase)
        betas.append(plan.beta.tolist())
    assert phases == ["adversarial"] * 2 + ["retraining"] * 3
    # 2.5 equals the mean: a tie, robust by Def. 5.
    assert betas == [[6, 6, 6]] * 2 + [[6, 0, 0]] * 3
    assert evaluator.asked == 1
    assert strategy.vulnerable_.tolist() == [True, False, False]
    assert strategy.robustness_.tolist() == [1.0, 4.0, 2.5]
    assert plan.reduction == reduction
    assert_allclose(plan.eps, [0.2] * 3)


def test_equally_robust_groups_are_not_attacked():
    strategy = Farmur(0)
    plan = strategy.on_epoch(0, strategy.start(UNIFORM), FixedEvaluator(0.5, 0.5, 0.5))
    assert plan.beta.tolist() == [0, 0, 0]
    assert plan.reduction == "subset"
    assert not strategy.vulnerable_.any()
    strategy.on_epoch(0, strategy.start(UNIFORM), FixedEvaluator(0.1, 0.1, 0.1))
    assert not strategy.vulnerable_.any()  # although their mean is 0.10000000000000002


class TrainingEvaluator(FixedEvaluator):
    """Held-out rows say one thing, training rows another, in each epoch anew."""

    def __init__(self, *epochs):
        super().__init__(1.0, 4.0, 2.5)
        self.epochs = iter(epochs)

    def training(self, quota):
        assert quota == 200
        return FixedEvaluator(*next(self.epochs))


def test_soft_betas_follow_the_gaps_of_training_rows_in_every_epoch():
    strategy = Farmur(1, soft_beta=True)
    evaluator = TrainingEvaluator([1.8, 2.4, 1.8], [0.8, 2.0, 4.0])
    plan, betas = strategy.start(UNIFORM), []
    for epoch in range(3):
        plan = strategy.on_epoch(epoch, plan, evaluator)
        betas.append(plan.beta.tolist())
    # Rob(f) stays what it was when retraining began, 2; beta * (1 + 3 * gap), from 0 to 2 beta.
    assert_allclose(betas, [[6, 6, 6], [7.8, 2.4, 7.8], [12, 6, 0]], rtol=1e-6)
    assert plan.beta.dtype == torch.float32
    assert plan.reduction == "batch"
    assert strategy.vulnerable_.tolist() == [True, False, False]


def test_soft_betas_of_a_constant_classifier_are_plain():
    strategy = Farmur(0, soft_beta=True)
    plan = strategy.on_epoch(0, strategy.start(UNIFORM), TrainingEvaluator([0.0, 0.0, 0.0]))
    assert plan.beta.tolist() == [6, 6, 6]
    assert plan.reduction == "batch"


@pytest.mark.parametrize("n_epochs", [6, 7])
def test_farmur_may_average_the_second_half_of_retraining(n_epochs):
    """Of epochs 2 to 5 the last two, of epochs 2 to 6 the last three."""
    strategy, plain, module = Farmur(2, average=True), Farmur(2), torch.nn.BatchNorm1d(1)
    for each in (strategy, plain):
        each.start(UNIFORM)
    for epoch in range(n_epochs):
        assert strategy.final_weights() is None or epoch > 4
        with torch.no_grad():
            module.weight.fill_(2**epoch)
            module.running_mean.fill_(3 * 2**epoch)
        module.num_batches_tracked.fill_(epoch)
        end = EpochEnd(epoch, n_epochs, module, None, lambda: None, None)
        for each in (strategy, plain):
            each.after_epoch(end)
    mean = np.mean([2**epoch for epoch in range(4, n_epochs)])
    found = strategy.final_weights()
    assert_allclose(found["weight"], [mean], rtol=1e-6)
    assert_allclose(found["running_mean"], [3 * mean], rtol=1e-6)
    assert found["num_batches_tracked"] == n_epochs - 1
    assert module.weight.item() == 2 ** (n_epochs - 1)  # training goes on from the last epoch
    assert plain.final_weights() is None
    strategy.after_run(end)
    assert strategy.final_weights() is None


def test_farmur_may_stop_once_its_groups_are_judged():
    """They are judged before the epoch of that number, which counts from 0."""
    assert [Farmur(2).may_stop(epoch) for epoch in range(4)] == [False, False, True, True]
    assert Strategy().may_stop(0)


def test_a_state_is_what_was_learnt_from_the_data():
    strategy, resumed = Farmur(0), Farmur(0)
    strategy.on_epoch(0, strategy.start(UNIFORM), FixedEvaluator(1.0, 4.0, 2.5))
    learnt = ["averaged_", "n_averaged_", "robustness_", "vulnerable_"]
    assert sorted(strategy.state()) == learnt
    assert resumed.state() == {}
    resumed.start(UNIFORM)
    resumed.load_state(strategy.state())
    assert resumed.vulnerable_.tolist() == [True, False, False]
    assert resumed.uniform_ is UNIFORM


def test_strategies_clone_and_pickle():
    strategy = Farmur(7, "batch")
    for copy in (clone(strategy), pickle.loads(pickle.dumps(strategy))):
        assert copy.get_params() == strategy.get_params()


class GroupDro(Strategy):
    """Sagawa et al. 2020: weights of the groups grow with their loss, batch by batch."""

    def __init__(self, rate=0.5):
        self.rate = rate

    def start(self, plan):
        self.weights_ = torch.ones(plan.n_groups) / plan.n_groups
        return super().start(plan)

    def on_batch(self, plan, losses, groups):
        total = losses.natural + losses.robust
        size = torch.bincount(groups, minlength=len(self.weights_))
        mean = torch.zeros(len(size)).index_add(0, groups, total) / size.clamp_min(1)
        weights = self.weights_ * torch.exp(self.rate * mean)
        self.weights_ = weights / weights.sum()
        scale = self.weights_ * len(groups) / size.clamp_min(1)
        return replace(plan, natural_weight=scale, robust_weight=scale)


class FairRadius(Strategy):
    """As in CFA (Wei et al. 2023): the less robust a group on held-out data, the smaller eps."""

    needs_held_out = True

    def on_epoch(self, epoch, plan, evaluator):
        self.robustness_ = evaluator.robustness()
        share = self.robustness_ / self.robustness_.max()
        eps = self.uniform_.eps * (0.5 + 0.5 * torch.from_numpy(share)).float()
        self.plans_ = [*getattr(self, "plans_", []), eps]
        return replace(plan, eps=eps, phase=f"radius {epoch}")


@pytest.fixture(scope="module")
def data():
    return make_group_margins(120, n_features=3, flip=(0.4, 0.0, 0.0), random_state=0)


@pytest.mark.parametrize("objective", ["trades", "pgd"])
def test_group_dro_through_the_estimator(data, objective):
    strategy = GroupDro(0.1)
    settings = {**TINY, "objective": objective, "max_epochs": 8, "lr": 0.02}
    clf = AdversarialClassifier(strategy=strategy, **settings)
    clf.fit(data.X, data.y, groups=data.groups)
    weights = clf.strategy_.weights_
    assert weights.sum().item() == pytest.approx(1)
    assert weights.argmax() == 0  # the group with wrong labels and the smallest margin
    assert not hasattr(strategy, "weights_")
    plain = AdversarialClassifier(**settings)
    plain.fit(data.X, data.y, groups=data.groups)
    assert not np.array_equal(clf.predict_proba(data.X), plain.predict_proba(data.X))


def test_an_eps_per_group_and_epoch_through_the_estimator(data):
    clf = AdversarialClassifier(strategy=FairRadius(), max_epochs=3, **TINY)
    clf.fit(data.X, data.y, groups=data.groups)
    assert clf.history_["phase"].tolist() == ["radius 0", "radius 1", "radius 2"]
    assert len(clf.strategy_.plans_) == 3
    assert all(float(eps.max()) == pytest.approx(0.1) for eps in clf.strategy_.plans_)
    assert clf.strategy_.robustness_.shape == (3,)


def test_farmur_as_a_strategy_is_farmur(data):
    """The estimator adds nothing to the strategy but its names."""
    from robfair import FarmurClassifier

    settings = {**TINY, "validation_fraction": 0.3}
    one = FarmurClassifier(max_epochs=2, retrain_epochs=1, **settings)
    other = AdversarialClassifier(strategy=Farmur(2), max_epochs=3, **settings)
    probabilities = [
        clf.fit(data.X, data.y, groups=data.groups).predict_proba(data.X) for clf in (one, other)
    ]
    assert np.array_equal(*probabilities)


def test_judged_values_are_the_measure_on_held_out_rows(data):
    seen = []

    class Look(FairRadius):
        def on_epoch(self, epoch, plan, evaluator):
            seen.append(evaluator)
            plan = super().on_epoch(epoch, plan, evaluator)
            found = boundary_distance(evaluator.module, evaluator.X, y=evaluator.y)
            by_hand = group_robustness(
                evaluator.y,
                found.predicted,
                distance=found.distance,
                sensitive_features=evaluator.groups,
                tau_max=np.max(found.distance, where=np.isfinite(found.distance), initial=0),
            )
            assert_allclose(self.robustness_, by_hand)
            return plan

    clf = AdversarialClassifier(strategy=Look(), max_epochs=2, validation_fraction=0.25, **TINY)
    clf.fit(data.X, data.y, groups=data.groups)
    assert len(seen[0].X) == 30
    assert np.bincount(seen[0].groups).tolist() == [10, 10, 10]
    assert isinstance(seen[0].n_groups, int)
