import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from robfair.adapters import as_labels
from robfair.adapters._given import as_given, check_names, some_rows

X = np.arange(3000.0).reshape(1000, 3)


@pytest.mark.parametrize(
    "container",
    [np.asarray, pd.DataFrame, torch.tensor, list, lambda X: pl.DataFrame(X, schema=list("abc"))],
    ids=["numpy", "pandas", "torch", "list", "polars"],
)
def test_some_rows_are_spread_and_keep_their_container(container):
    data = container(X)
    rows = some_rows(data)
    assert type(rows) is type(data)
    assert_array_equal(np.asarray(rows), X[np.linspace(0, 999, 256).astype(int)])
    few = container(X[:256])
    assert some_rows(few) is few


def test_what_has_no_rows_is_left_to_those_who_refuse_it():
    for odd in (3.0, None, sparse.csr_matrix(X)):
        assert some_rows(odd) is odd


def test_names_are_given_back_to_an_array():
    frame = pd.DataFrame(X, columns=list("abc"))
    model = LogisticRegression(max_iter=5000).fit(frame / 3000, X[:, 0] > 1500)
    expected = model.predict(frame)
    for data in (frame, X, X.tolist(), torch.from_numpy(X)):
        assert_array_equal(as_given(model, data), expected)  # warnings are errors


@pytest.mark.parametrize("names", [["age", "pay", "job"], [5, 7, "job"]])
def test_columns_of_catboost(names):
    catboost = pytest.importorskip("catboost")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=names)
    model = catboost.CatBoostClassifier(iterations=4, verbose=0, allow_writing_files=False)
    model.fit(X, X["job"] > 0)
    adapted = as_labels(model)
    check_names(model, X, adapted)
    with pytest.raises(ValueError, match=f"lacks column '{names[1]}'"):
        check_names(model, X.drop(columns=names[1]), adapted)
    with pytest.raises(ValueError, match=r"another order: .* order of model\.feature_names_\."):
        check_names(model, X[names[::-1]], adapted)
    model.fit(X.to_numpy(), X["job"] > 0)  # then columns have numbers in place of names
    check_names(model, X, as_labels(model))
