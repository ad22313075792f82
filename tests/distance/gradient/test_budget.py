"""What a search spends: never more passes than it is given, and all that it can use."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import network
from robfair import boundary_distance
from robfair.distance.gradient import AUTO, STRONG


def most(search):
    """The passes of a row, added up anew."""
    own = search.own
    # Prediction, gradients, starts and race; last descent; other rows; confirmation.
    passes = 1 + own.n_candidates * (1 + len(own.far) * (2 + 2 * own.race.n_steps + 1))
    last = search.polish if search.n_others + search.n_rounds else own.finish
    passes += (1 + own.n_again) * (2 * last.n_steps + 1)
    passes += search.n_rivals * search.probes * (search.n_others > 0)
    passes += search.n_others * (2 * search.others.n_steps + 1)
    share = 2 * search.share.n_steps + 1
    passes += search.n_rounds * (search.n_donors + search.n_kept * share) + 4
    return passes + search.n_around * share


@given(budget=st.integers(14, 3000), n_targets=st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_a_search_spends_its_passes(budget, n_targets):
    fitted = AUTO.within(budget, n_targets)
    assert fitted == STRONG.within(budget, n_targets)
    assert 1 <= fitted.own.n_candidates <= n_targets
    assert 0.8 * budget < most(fitted) <= budget
    assert fitted.n_rivals >= fitted.n_others
    # What other rows show is used whatever it has brought others: the passes are to be spent.
    assert (fitted.pays, fitted.flat) == (0, 1)


@pytest.mark.parametrize("n_targets", [1, 9])
def test_more_passes_never_mean_fewer_starts_from_other_rows(n_targets):
    fitted = [AUTO.within(budget, n_targets) for budget in range(200, 3000, 50)]
    for name in ("n_rounds", "n_others", "n_around"):
        numbers = [getattr(each, name) for each in fitted]
        assert numbers == sorted(numbers)
        assert numbers[-1] > 20


@pytest.mark.slow
def test_more_passes_give_shorter_distances():
    # Wide rows of many basins; the minimum of a longer search may be another one by chance.
    module, rng = network([30, 40, 40, 4]), np.random.default_rng(0)
    X = rng.normal(size=(80, 30))
    means = [
        boundary_distance(module, X, method="auto", budget=budget).distance.mean()
        for budget in (14, 20, 40, 60, 90, 150, 300, 600)
    ]
    for fewer, more in pairwise(means):
        assert more <= fewer * 1.001
    assert means[0] > 1.01 * means[-1]


@pytest.mark.parametrize("method", ["auto", "strong"])
def test_a_budget_too_small_says_what_is_needed(method):
    module, X = network([4, 8, 3]), np.random.default_rng(0).normal(size=(5, 4))
    with pytest.raises(ValueError, match=r"budget must be at least .* got 7") as error:
        boundary_distance(module, X, method=method, budget=7)
    least = int(str(error.value).split("at least ")[1].split()[0])
    boundary_distance(module, X, method=method, budget=least)
    with pytest.raises(ValueError, match=f"at least {least} "):
        boundary_distance(module, X, method=method, budget=least - 1)
