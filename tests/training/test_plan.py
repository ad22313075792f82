"""Plans: reductions by hand, plans of samples, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from robfair.training import GroupPlan, Losses

UNIFORM = GroupPlan.uniform(3, eps=0.2, beta=6.0)


def losses(attacked):
    natural = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    attacked = torch.tensor(attacked)
    robust = torch.tensor([10.0, 20.0, 30.0, 40.0, 50.0]) * attacked
    return Losses(natural, robust, torch.ones(5, dtype=torch.bool), attacked)


GROUPS = torch.tensor([0, 1, 2, 0, 1])


def test_uniform_plan():
    plan = UNIFORM
    assert_allclose(plan.eps, [0.2] * 3)
    assert_allclose(plan.beta, [6] * 3)
    assert plan.natural_weight.tolist() == plan.robust_weight.tolist() == [1, 1, 1]
    assert plan.reduction == "batch"


def test_equation_11_by_hand():
    found = losses([True, False, False, True, True])
    subset = replace(UNIFORM, reduction="subset")
    vulnerable = (1 + 10 + 4 + 40 + 5 + 50) / 3  # Eq. 9, over the vulnerable samples
    robust = (2 + 3) / 2  # Eq. 10, over the robust ones
    assert subset.reduce(found, GROUPS).item() == pytest.approx(vulnerable + robust)
    batch = UNIFORM.reduce(found, GROUPS).item()
    assert batch == pytest.approx((3 * vulnerable + 2 * robust) / 5)


@pytest.mark.parametrize("attacked", [True, False])
def test_subset_with_an_empty_subset_is_the_mean(attacked):
    found = losses([attacked] * 5)
    one, other = (replace(UNIFORM, reduction=r).reduce(found, GROUPS) for r in ("subset", "batch"))
    assert one.item() == pytest.approx(other.item())


def test_weights_of_the_groups():
    plan = replace(
        UNIFORM,
        natural_weight=torch.tensor([1.0, 0.0, 2.0]),
        robust_weight=torch.tensor([0.5, 3.0, 0.0]),
    )
    found = losses([True] * 5)
    expected = [1 + 5, 0 + 60, 6 + 0, 4 + 20, 0 + 150]
    assert plan.reduce(found, GROUPS).item() == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("attacked", [[True, False, False, True, True], [True] * 5])
def test_weighted_means_by_hand(attacked):
    weight = np.array([1.0, 0.5, 0.25, 2.0, 0.125])
    found = replace(losses(attacked), weight=torch.from_numpy(weight))
    total = found.natural.numpy() + found.robust.numpy()
    hit = np.array(attacked)
    expected = np.average(total, weights=weight)
    assert UNIFORM.reduce(found, GROUPS).item() == pytest.approx(expected)
    subset = replace(UNIFORM, reduction="subset")
    expected = sum(
        np.average(total[part], weights=weight[part]) for part in (hit, ~hit) if part.any()
    )
    assert subset.reduce(found, GROUPS).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["eps", "beta", "natural_weight", "robust_weight"])
@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_plan_is_finite_and_not_negative(name, bad):
    with pytest.raises(ValueError, match=f"a plan's {name} must be finite and not negative"):
        replace(UNIFORM, **{name: torch.tensor([1.0, bad, 1.0])})


@pytest.mark.parametrize(
    ("sampling", "message"),
    [([1.0, -1, 1], "sampling must be finite and not negative"), ([0.0, 0, 0], "0 for all groups")],
)
def test_shares_that_cannot_be_drawn(sampling, message):
    with pytest.raises(ValueError, match=message):
        replace(UNIFORM, sampling=torch.tensor(sampling))


def test_the_plan_of_samples_has_the_same_loss():
    plan = replace(UNIFORM, natural_weight=torch.tensor([1.0, 0.0, 2.0]), reduction="subset")
    found = losses([True, False, False, True, True])
    assert plan.of(GROUPS).natural_weight.tolist() == [1, 0, 2, 1, 0]
    drawn = replace(plan, sampling=torch.tensor([0.0, 1.0, 3.0]))
    assert drawn.of(GROUPS).sampling is None
    assert plan.of(GROUPS).reduce(found) == plan.reduce(found, GROUPS)


def test_plan_is_frozen():
    plan = UNIFORM
    with pytest.raises(AttributeError):
        plan.phase = "other"
    assert isinstance(plan, GroupPlan)
