"""Budgets of the search of tables: they ask for no more target classes than a network has."""

import pytest

from robfair.distance.tabular._budget import TABLE_AUTO, TABLE_STRONG


@pytest.mark.parametrize("n_targets", [1, 2, 20])
def test_target_classes_are_limited_to_those_of_the_network(n_targets):
    for budget in (TABLE_AUTO, TABLE_STRONG):
        fitted = budget.within(n_targets)
        assert fitted.n_targets == min(n_targets, budget.n_targets)
        assert fitted.first.n_candidates == min(n_targets, budget.first.n_candidates)
        assert fitted.others.n_candidates == min(n_targets, budget.others.n_candidates)
        assert fitted.n_edits == budget.n_edits
        # One target class leaves no choice: another start, at the far end of the box.
        assert len(fitted.first.far) == len(budget.first.far) + (n_targets == 1)


def test_strong_spends_more_of_everything():
    for name in ("n_targets", "width", "n_tried", "n_listed", "n_rounds", "n_edits"):
        assert getattr(TABLE_STRONG, name) > getattr(TABLE_AUTO, name)
