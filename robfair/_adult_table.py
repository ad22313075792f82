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
    """UCI Adult as arrays."""

    X_train: NDArray[np.float32]  # standardised numbers, then one-hot categories
    X_test: NDArray[np.float32]
    y_train: NDArray[Any]  # "<=50K" or ">50K"
    y_test: NDArray[Any]
    groups_train: pd.DataFrame  # columns race and sex
    groups_test: pd.DataFrame
    threat_model: ThreatModel  # L2; numbers keep within the range seen in training
    transformer: Any  # from the columns of Adult to features


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
    X_test = transformer.transform(test.data).astype(np.float32)
    box = X_train.min(axis=0), X_train.max(axis=0)
    # No gradient step leads from one category to another: they are fixed.
    threat_model = ThreatModel(bounds=box, mutable=np.arange(len(box[0])) < len(NUMBERS))
    return AdultTable(
        X_train, X_test, train.target.to_numpy(), test.target.to_numpy(),
        train.sensitive_features, test.sensitive_features, threat_model, transformer,
    )  # fmt: skip
