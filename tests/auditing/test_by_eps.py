"""The share that withstands a change of each size: the distances, counted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression

from robfair import ThreatModel, audit, boundary_distance
from robfair.attacks import robust_accuracy
from robfair.datasets import make_group_margins

DATA = make_group_margins(240, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
CLF = LogisticRegression(C=1e6).fit(DATA.X, DATA.y)


def run(**options):
    return audit(CLF, DATA.X, DATA.y, sensitive_features=DATA.groups, **options)


@pytest.mark.parametrize("eps", [0.3, (1.5, 0.3), [0.7]])
def test_shares_are_those_of_an_attack_of_this_size(eps):
    by_eps = run(eps=eps).by_eps
    sizes = sorted(np.atleast_1d(eps))
    assert by_eps.index.unique("eps").tolist() == sizes
    for size in sizes:
        for group, row in by_eps.loc[size].iterrows():
            rows = DATA.groups == group
            X, y = DATA.X[rows], DATA.y[rows]
            attacked = robust_accuracy(CLF, X, y, eps=size, threat_model=ThreatModel())
            assert row["robust_accuracy"] == pytest.approx(attacked)
            assert row["attack_success"] == pytest.approx(1 - attacked / CLF.score(X, y))
            assert 0 <= row["lower"] <= row["robust_accuracy"] <= row["upper"] <= 1


def test_bounds_that_are_proven_hold_the_shares():
    found = boundary_distance(CLF, DATA.X, certify=True)
    by_eps = run(certify=True, eps=1.0).by_eps
    right = CLF.predict(DATA.X) == DATA.y
    expected = [np.mean((right & (found.lower > 1))[DATA.groups == g]) for g in range(3)]
    assert_allclose(by_eps["low"], expected)
    assert_allclose(by_eps["high"], by_eps["robust_accuracy"])


def test_no_success_is_known_where_no_row_is_right():
    wrong = np.where(DATA.groups == 0, 1 - CLF.predict(DATA.X), DATA.y)
    by_eps = audit(CLF, DATA.X, wrong, sensitive_features=DATA.groups, eps=0.1).by_eps
    assert by_eps["robust_accuracy"].iloc[0] == 0
    assert np.isnan(by_eps["attack_success"].iloc[0])


def test_none_may_be_asked_for_and_levels_may_be_left_out():
    assert len(run(eps=()).by_eps) == 0
    assert run(confidence=None).by_eps[["lower", "upper"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("eps", "error", "message"),
    [
        (0, ValueError, "eps must be distances above 0; got 0"),
        ([0.1, -1], ValueError, "above 0"),
        (float("nan"), ValueError, "above 0"),
        ("much", TypeError, "eps must be one or several distances; got 'much'"),
        ([[1, 2]], TypeError, "one or several distances"),
        (None, TypeError, "one or several distances"),
    ],
)
def test_what_is_no_distance_is_refused(eps, error, message):
    with pytest.raises(error, match=message):
        run(eps=eps)
