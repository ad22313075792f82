"""Where scikit-learn calls several scorers on one fold, a cause is told once."""

import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate

from robfair import get_scorer
from robfair.datasets import make_group_margins

DATA = make_group_margins(90, random_state=0)
X, Y = DATA.X, DATA.y
ONE = np.zeros(90, int)
COMPARING = ("neg_v_f", "neg_cru_s", "neg_cru_eps", "neg_eou")
ONE_GROUP = (
    "is undefined and NaN is returned: there is only one group (0) to compare. Use data of two or "
    "more."
)


def told(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in caught]


def validate(*names, rows=X, groups=ONE, **options):
    params = None if groups is None else {"sensitive_features": groups}
    with config_context(enable_metadata_routing=True):
        scoring = {name: get_scorer(name) for name in names}
        return cross_validate(
            LogisticRegression(), rows, Y, cv=3, scoring=scoring, params=params, **options
        )


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame])
def test_each_fold_tells_a_cause_once(kind):
    assert told(lambda: validate(*COMPARING, rows=kind(X))) == [f"A score {ONE_GROUP}"] * 3


def test_threads_tell_it_as_often():
    with parallel_config(backend="threading"):
        assert told(lambda: validate(*COMPARING, n_jobs=2)) == [f"A score {ONE_GROUP}"] * 3


def test_missing_groups_are_told_once_in_a_fold():
    messages = told(lambda: validate("neg_cru_s", "neg_cru_eps", groups=None))
    assert [message.partition(",")[0] for message in messages] == ["A scorer got no groups"] * 3


def test_each_cause_is_told():
    groups = np.where(np.arange(90) < 2, 7, 0)  # one fold has both, and one label of the second
    first, *others = told(lambda: validate(*COMPARING, groups=groups))
    assert "7 where y_true is 1" in first
    assert others == [f"A score {ONE_GROUP}"] * 2


def test_rows_that_cannot_be_known_again_are_told_of_by_every_scorer():
    messages = told(lambda: validate("neg_v_f", "neg_eou", rows=X.tolist()))
    assert messages == [f"V_f {ONE_GROUP}", f"EOU {ONE_GROUP}"] * 3


def test_a_scorer_called_twice_warns_twice():
    model = LogisticRegression().fit(X, Y)
    scorer = get_scorer("neg_v_f")
    for _ in range(2):
        assert told(lambda: scorer(model, X, Y, sensitive_features=ONE)) == [f"V_f {ONE_GROUP}"]
