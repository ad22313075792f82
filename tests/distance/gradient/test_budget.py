"""What a search spends: never more passes than it is given, and all that it can use."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import network
from robfair import boundary_distance
from robfair.distance.gradient import AUTO, STRONG
from robfair.distance.gradient._budget import AMPLE


@given(budget=st.integers(40, 3000), n_targets=st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_a_search_fits_its_passes(budget, n_targets):
    for search in (AUTO, STRONG):
        try:
            fitted = search.within(budget, n_targets)
        except ValueError:
            assert search is STRONG
            assert budget < 113
            continue
        own = fitted.own
        assert 1 <= own.n_candidates <= n_targets
        # Prediction, gradients, starts and race; last descents; other rows; confirmation.
        most = 1 + own.n_candidates * (1 + len(own.far) * (2 + 2 * own.race.n_steps + 1))
        most += max(2 * each.n_steps + 1 for each in (own.finish, fitted.polish))
        most += own.n_again * (2 * own.again.n_steps + 1)
        probes = fitted.n_rivals * fitted.probes * (fitted.n_others > 0)
        most += probes + fitted.n_others * (2 * fitted.others.n_steps + 1)
        share = fitted.n_kept * (2 * fitted.share.n_steps + 1)
        most += fitted.n_rounds * (fitted.n_donors + share) + 4
        most += fitted.n_around * (2 * fitted.share.n_steps + 1)
        assert most <= budget
        # What other rows show is used whatever it has brought others: the passes are to be spent.
        assert (fitted.pays, fitted.flat) == (0, 1)
        if budget > 600:
            assert most > 0.7 * budget
            assert fitted.n_others > 1
            assert fitted.n_rounds > 1


def test_one_target_class_gets_a_far_start_where_passes_are_ample():
    far = AUTO.own.far
    assert len(AUTO.within(None, 1).own.far) == len(AUTO.within(AMPLE, 1).own.far) == len(far) + 1
    assert AUTO.within(AMPLE - 1, 1).own.far == AUTO.within(None, 2).own.far == far


@pytest.mark.parametrize("method", ["auto", "strong"])
def test_a_budget_too_small_says_what_is_needed(method):
    module, X = network([4, 8, 3]), np.random.default_rng(0).normal(size=(5, 4))
    with pytest.raises(ValueError, match=r"budget must be at least .* got 7") as error:
        boundary_distance(module, X, method=method, budget=7)
    least = int(str(error.value).split("at least ")[1].split()[0])
    boundary_distance(module, X, method=method, budget=least)
    with pytest.raises(ValueError, match=f"at least {least} "):
        boundary_distance(module, X, method=method, budget=least - 1)
