import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair import ThreatModel
from robfair.threat import encodes_columns, readable_columns
from tables import encoder, people


def test_what_counts_as_an_encoder():
    X = people()
    assert encodes_columns(encoder().fit(X), X)
    floats = X[["income"]]
    assert not encodes_columns(StandardScaler().fit(floats), floats)
    assert encodes_columns(StandardScaler().fit(X[["age"]]), X)  # of integers
    # A column that is not used does not count.
    scale = StandardScaler().fit(floats)
    assert not encodes_columns(scale, X)


def test_the_columns_that_can_be_read():
    X = people()
    encode = encoder().fit(X)
    model = readable_columns(encode, X, sensitive_features=["race"], norm=np.inf)
    named = ThreatModel.from_transformer(encode, X, sensitive_features="race", norm=np.inf)
    assert model == named
    assert model.held_columns == {}
    assert named.held_columns is None
    numbers = X[["age", "income"]]
    mixed = make_pipeline(StandardScaler(), PCA(2)).fit(numbers)
    with pytest.raises(ValueError, match="'age' is mixed with 'income'"):
        readable_columns(mixed, numbers)
