"""The numbers of an audit by themselves: the certified order of the groups."""

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal
from sklearn.linear_model import LogisticRegression
from torch import nn

from robfair import audit
from robfair.auditing import Comparison
from robfair.datasets import make_group_margins
from robfair.metrics import AUDIT_MEASURES, certified_ordering

DATA = make_group_margins(60, n_features=3, random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)


def run(**options):
    return audit(CLF, DATA.X, DATA.y, sensitive_features=DATA.groups, confidence=None, **options)


@pytest.mark.parametrize("tau_max", [None, 1.2])
def test_the_order_is_that_of_the_bounds_up_to_the_cap(tau_max):
    result = run(certify=True, tau_max=tau_max)
    expected = certified_ordering(
        DATA.y,
        result.distances.predicted,
        distance=result.distances.distance,
        lower=result.distances.lower,
        sensitive_features=DATA.groups,
        tau_max=tau_max,
    )
    assert_frame_equal(result.ordering(), expected)
    assert result.ordering().to_numpy().any()


def test_without_lower_bounds_nothing_is_ordered():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    result = audit(net, DATA.X, DATA.y, sensitive_features=DATA.groups, confidence=None, n_check=0)
    with pytest.raises(ValueError, match="no lower bounds: audit with certify=True"):
        result.ordering()


def test_tables_of_several_models():
    both = Comparison({"one": run(), "two": run(tau_max=1.2)})
    assert both.overall.shape == (2, len(AUDIT_MEASURES))
    assert np.isfinite(both.overall.to_numpy(dtype=float)).all()
    assert both.by_group.index.get_level_values("model").tolist() == ["one"] * 3 + ["two"] * 3
