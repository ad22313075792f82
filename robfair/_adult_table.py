"""UCI Adult as the demo and the papers encode it: standardised numbers, one-hot categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair.datasets import load_adult
from robfair.threat import ThreatModel

__all__ = ["CATEGORIES", "NUMBERS", "AdultTable", "adult_encoder", "adult_table"]

NUMBERS = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
# Without fnlwgt, a sampling weight that describes nobody, and education, which repeats
# education-num in words.
CATEGORIES = [
    "workclass", "marital-status", "occupation", "relationship", "race", "sex", "native-country",
]  # fmt: skip


@dataclass(frozen=True)
class AdultTable:
    """UCI Adult as arrays.

    Attributes
    ----------
    X_train, X_test : ndarray of shape (n_samples, n_features), float32
        Standardised numbers, then one-hot categories.
    y_train, y_test : ndarray of shape (n_samples,)
        "<=50K" or ">50K".
    groups_train, groups_test : pandas.DataFrame
        Columns race and sex.
    threat_model : ThreatModel
        L2; numbers may change within the range seen in training, categories are fixed.
    transformer : ColumnTransformer
        Maps the columns of Adult to features.
    """

    X_train: NDArray[np.float32]
    X_test: NDArray[np.float32]
    y_train: NDArray[Any]
    y_test: NDArray[Any]
    groups_train: pd.DataFrame
    groups_test: pd.DataFrame
    threat_model: ThreatModel
    transformer: Any


def adult_encoder() -> Any:
    """Build the transformer of columns, not fitted yet."""
    return make_column_transformer(
        (StandardScaler(), NUMBERS),
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), CATEGORIES),
    )


def adult_table() -> AdultTable:
    """Load UCI Adult and encode it."""
    train, test = load_adult(split="train"), load_adult(split="test")
    transformer = adult_encoder()
    X_train = transformer.fit_transform(train.data).astype(np.float32)
    low, high = X_train.min(axis=0), X_train.max(axis=0)
    X_test = transformer.transform(test.data).astype(np.float32)
    mutable = np.arange(X_train.shape[1]) < len(NUMBERS)
    return AdultTable(
        X_train,
        X_test,
        train.target.to_numpy(),
        test.target.to_numpy(),
        train.sensitive_features,
        test.sensitive_features,
        ThreatModel(bounds=(low, high), mutable=mutable),
        transformer,
    )
