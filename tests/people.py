"""A small table of people, and classifiers for it as files, for tests of the command line."""

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def make_people(n=240, seed=0):
    """Rows with two groups; those of "b" are nearer to the boundary."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "hours": rng.integers(10, 60, n),
            "job": rng.choice(["nurse", "smith", "clerk"], n),
            "race": rng.choice(["a", "b"], n, p=[0.6, 0.4]),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    spread = np.where(frame["race"] == "a", 3.0, 1.0)
    signal = (frame["age"] - 49) / 18 + (frame["hours"] - 35) / 14 + (frame["job"] == "clerk")
    frame["income"] = np.where(signal * spread + rng.normal(size=n) > 0.5, "high", "low")
    return frame


def write_files(people, folder):
    """Write the table, logistic.skops (a Pipeline), plain.skops (two columns), bare.skops."""
    people.to_csv(folder / "people.csv", index=False)
    people.to_parquet(folder / "people.parquet")
    X, y = people.drop(columns="income"), people["income"]
    encode = make_column_transformer(
        (StandardScaler(), ["age", "hours"]), (OneHotEncoder(), ["job"])
    )
    pipeline = make_pipeline(encode, LogisticRegression()).fit(X, y)
    skops.io.dump(pipeline, folder / "logistic.skops")
    numbers = X[["age", "hours"]]
    skops.io.dump(LogisticRegression().fit(numbers, y), folder / "plain.skops")
    skops.io.dump(LogisticRegression().fit(numbers.to_numpy(), y), folder / "bare.skops")
