"""What a search spends: never more passes than it is given, and all that it can use."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import network
from robfair import boundary_distance
from robfair.distance.gradient import AUTO, STRONG
from robfair.distance.gradient._budget import AMPLE, DEEPFOOL, DEEPFOOL_TARGET


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
        assert 1 <= fitted.n_candidates <= n_targets
        race, finish, again, restart = (
            2 * schedule.n_steps + 1
            for schedule in (fitted.race, fitted.finish, fitted.again, fitted.restart)
        )
        # Prediction, gradients, starts and race; descents; restarts; confirmation.
        most = 1 + fitted.n_candidates * (1 + len(fitted.far) * (2 + race))
        most += finish + fitted.n_again * again + fitted.n_restarts * restart + 4
        if fitted.n_restarts and fitted.deepfool:
            most += DEEPFOOL + DEEPFOOL_TARGET * min(3, n_targets)
        assert most <= budget
        assert search.within(None, n_targets).n_restarts == search.n_restarts


def test_one_target_class_gets_a_far_start_where_passes_are_ample():
    assert len(AUTO.within(None, 1).far) == len(AUTO.within(AMPLE, 1).far) == len(AUTO.far) + 1
    assert AUTO.within(AMPLE - 1, 1).far == AUTO.within(None, 2).far == AUTO.far


@pytest.mark.parametrize("method", ["auto", "strong"])
def test_a_budget_too_small_says_what_is_needed(method):
    module, X = network([4, 8, 3]), np.random.default_rng(0).normal(size=(5, 4))
    with pytest.raises(ValueError, match=r"budget must be at least .* got 7") as error:
        boundary_distance(module, X, method=method, budget=7)
    least = int(str(error.value).split("at least ")[1].split()[0])
    boundary_distance(module, X, method=method, budget=least)
    with pytest.raises(ValueError, match=f"at least {least} "):
        boundary_distance(module, X, method=method, budget=least - 1)
