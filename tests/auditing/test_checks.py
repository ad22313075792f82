"""What an audit says of its own distances: another search, small groups, its warnings."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from robfair import ThreatModel, audit, boundary_distance
from robfair.auditing import _checks
from robfair.auditing._checks import warn_of_gaps, warn_of_small_groups
from robfair.datasets import make_group_margins
from robfair.distance import measure_distance

DATA = make_group_margins(240, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
RACE = np.array(["a", "b", "c"])[DATA.groups]


class Bent(nn.Module):
    """A boundary that is curved, and no affine map."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2)).double()

    def forward(self, x):
        return self.layers(2 * x)


class Masked(nn.Module):
    """The rule of `DATA` as a step, with no slope, beside a slope to a boundary far away."""

    def __init__(self):
        super().__init__()
        self.register_parameter("w", nn.Parameter(torch.from_numpy(DATA.coef.copy())))

    def forward(self, x):
        step = 2 * torch.sign(x @ self.w + DATA.intercept).detach()
        logit = step + 0.1 * x[:, 2]
        return torch.stack([-logit, logit], dim=1)


def run(model, **options):
    return audit(model, DATA.X, DATA.y, sensitive_features=RACE, **{**options})


@pytest.mark.slow
def test_some_rows_of_each_group_are_searched_again():
    result = run(Bent(), n_check=30)
    check = result.check
    assert check.index.tolist() == ["a", "b", "c"]
    assert check.columns.tolist() == ["n", "auto", "strong", "decision"]
    assert (check["n"] == 10).all()
    assert (check["strong"] <= check["auto"] * (1 + 1e-4)).all()
    assert_allclose(check["decision"], check["strong"], rtol=0.05)
    assert "30 rows searched again" in str(result)


def test_the_second_search_has_the_box_of_all_rows(monkeypatch):
    boxes = []

    def counted(*args, threat_model, **options):
        boxes.append(threat_model.bounds)
        return measure_distance(*args, threat_model=threat_model, **options)

    monkeypatch.setattr(_checks, "measure_distance", counted)
    run(Bent(), n_check=30, threat_model=ThreatModel(bounds="data"), tau_max=9.0)
    assert len(boxes) == 2
    for low, high in boxes:
        assert_allclose([low, high], [DATA.X.min(axis=0), DATA.X.max(axis=0)])


@pytest.mark.slow
def test_the_means_are_of_the_rows_that_were_measured():
    result = run(Bent(), n_check=10**6)
    distance = result.distances.distance
    for group in "abc":
        rows = np.isfinite(distance) & (group == RACE)
        assert result.check.loc[group, "n"] == rows.sum()
        assert_allclose(result.check.loc[group, "auto"], distance[rows].mean())


@pytest.mark.parametrize("n_check", [0, 2])
def test_no_check(n_check):
    result = run(Bent(), n_check=n_check)
    assert result.check is None
    assert "searched again" not in str(result)


@pytest.mark.slow
def test_strong_needs_only_the_search_by_labels():
    result = run(Bent(), n_check=15, method="strong")
    assert result.check.columns.tolist() == ["n", "strong", "decision"]


def test_masked_gradients_are_noticed():
    result = run(Masked(), tau_max=100.0, n_check=30)
    assert "gradients are masked" in " ".join(result.warnings)
    assert "warning: a search that sees labels only" in str(result)


def table(**columns):
    return pd.DataFrame({"n": [20, 20, 2], **columns}, index=["a", "b", "c"])


def test_gaps_above_three_per_cent_are_named_by_group():
    check = table(auto=[1.02, 1.5, 9.0], strong=[1.0, 1.0, 1.0], decision=[1.0, 1.0, 1.0])
    (warning,) = warn_of_gaps(check)
    assert "(b: 50%)" in warning
    assert 'method="strong"' in warning


def test_masked_gradients_are_named_by_group():
    check = table(auto=[1.0, 1.0, 1.0], strong=[1.0, 1.0, 1.0], decision=[0.99, 0.8, 0.1])
    (warning,) = warn_of_gaps(check)
    assert "(b: 20%)" in warning
    assert "masked" in warning


def test_nothing_to_warn_of():
    ones = [1.0, 1.0, 1.0]
    assert warn_of_gaps(table(auto=ones, strong=ones, decision=ones)) == []
    assert warn_of_gaps(table(strong=ones, decision=[1.01, 0.98, 1.3])) == []
    assert warn_of_gaps(None) == []
    assert warn_of_small_groups(pd.Series([30, 0], index=["a", "b"]), 0.95) == []


def test_small_groups_are_named_where_there_are_intervals():
    (warning,) = warn_of_small_groups(pd.Series([29, 300, 3], index=["a", "b", "c"]), 0.9)
    assert "a (29), c (3)" in warning
    assert "90 % intervals" in warning
    few = DATA.X[:40], DATA.y[:40]
    result = audit(Bent(), *few, sensitive_features=RACE[:40], n_check=0)
    assert any("fewer than 30" in text for text in result.warnings)
    result = audit(Bent(), *few, sensitive_features=RACE[:40], confidence=None, n_check=0)
    assert result.warnings == ()


def test_the_warnings_of_the_distances_are_passed_on():
    class OfTheBatch(Bent):
        def forward(self, x):
            out = super().forward(x)
            return out - out.mean(dim=0)

    module = OfTheBatch()
    expected = boundary_distance(module, DATA.X, y=DATA.y).warnings_
    assert "the other rows of its batch" in " ".join(expected)
    assert run(module, n_check=0, tau_max=3.0).warnings == expected


def test_second_searches_get_the_options_that_they_share(monkeypatch):
    calls = []

    def measured(*args, method, options, **keywords):
        calls.append((method, options))
        return measure_distance(*args, method=method, options=options, **keywords)

    monkeypatch.setattr(_checks, "measure_distance", measured)
    options = {"batch_size": 16, "n_jobs": 1, "random_state": 5, "budget": 70}
    run(Bent(), n_check=6, **options, background=DATA.X[:50])
    assert [method for method, _ in calls] == ["strong", "decision"]
    for _, shared in calls:
        assert (shared.batch_size, shared.n_jobs, shared.random_state) == (16, 1, 5)
        assert len(shared.background) == 50
        assert shared.budget is None
