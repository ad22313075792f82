"""What is found for a row does not depend on the rows that it is measured with."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.ensemble import RandomForestClassifier

from ensembles import search, small_ensemble
from robfair import ThreatModel
from robfair.adapters.trees import read_trees
from robfair.distance.tabular import TableSpace
from robfair.distance.trees import Donors, _best_first, _distance


def same(one, other, rows):
    """Compare all numbers of some rows of a result, to the last bit."""
    for name, values in vars(other).items():
        assert_array_equal(getattr(one, name)[rows], values, err_msg=name)


def donors_of(model, X, norm):
    own = np.searchsorted(model.classes_, model.predict(X))
    return Donors(TableSpace(ThreatModel(norm), X, X.dtype), own)


def hard_rows(with_gaps):
    """A forest that a small budget does not finish, and rows that it is hard on."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 5))
    y = (X.sum(axis=1) + rng.normal(size=300) > 0).astype(int)
    if with_gaps:
        X[rng.random(X.shape) < 0.1] = np.nan
    model = RandomForestClassifier(10, max_depth=5, random_state=0).fit(X, y)
    return model, X[:10]


@pytest.mark.parametrize("with_gaps", [False, True])
@pytest.mark.parametrize("norm", [2, np.inf])
def test_rows_alone_in_parts_and_in_another_order(norm, with_gaps, monkeypatch):
    model, X = hard_rows(with_gaps)
    monkeypatch.setattr(_best_first, "SLOW", 2)
    monkeypatch.setattr(_best_first, "AT_ONCE", 2000)  # the boxes of a row in several parts
    find = partial(
        search, model, threat_model=ThreatModel(norm), budget=100, donors=donors_of(model, X, norm)
    )
    whole = find(X)
    assert norm != 2 or (whole.lower < whole.distance).any()
    for rows in ([3], range(0, 10, 3), np.random.default_rng(2).permutation(10), [5, 5, 2]):
        same(whole, find(X[rows]), rows)
    monkeypatch.setattr(_distance, "CHUNK", 3)
    same(whole, find(X), range(10))


@given(seed=st.integers(0, 2**31), norm=st.sampled_from([2, np.inf]))
@settings(max_examples=10, deadline=None)
def test_any_part_of_rows_of_any_ensemble(seed, norm):
    rng, model, X = small_ensemble(seed)
    find = partial(
        search, model, threat_model=ThreatModel(norm), budget=rng.integers(1, 5),
        donors=donors_of(model, X, norm), ensemble=read_trees(model),
    )  # fmt: skip
    rows = rng.permutation(len(X))[: rng.integers(1, len(X) + 1)]
    same(find(X), find(X[rows]), rows)
