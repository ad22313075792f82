"""The computation behind `audit`: its options are checked, and one search serves all."""

import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from robfair import audit, boundary_distance
from robfair.datasets import make_group_margins
from robfair.metrics import AUDIT_MEASURES

DATA = make_group_margins(40, n_features=3, random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)


def run(model=CLF, **options):
    return audit(model, DATA.X, DATA.y, sensitive_features=DATA.groups, n_boot=None, **options)


def test_the_rows_are_those_of_the_registry():
    assert run().overall.index.tolist() == [measure.symbol for measure in AUDIT_MEASURES]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"confidence": 1.0}, ValueError, "confidence must be between 0 and 1; got 1.0"),
        ({"n_check": -1}, ValueError, "n_check must be a number of rows, 0 for none; got -1"),
        ({"examples": 1.5}, TypeError, "integer"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
    ],
)
def test_options_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        run(**options)


def test_the_seed_is_that_of_the_search_too():
    forest = RandomForestClassifier(5, random_state=0).fit(DATA.X, DATA.y)
    for seed in (0, 1):
        expected = boundary_distance(forest, DATA.X, y=DATA.y, random_state=seed)
        result = run(forest, random_state=seed, examples=0)
        assert_array_equal(result.distances.distance, expected.distance)
