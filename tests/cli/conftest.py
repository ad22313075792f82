"""A small table of people, classifiers for it, and their files."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair.cli import main


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


@pytest.fixture(scope="session")
def people():
    return make_people()


def encoder():
    return make_column_transformer((StandardScaler(), ["age", "hours"]), (OneHotEncoder(), ["job"]))


@pytest.fixture(scope="session")
def folder(tmp_path_factory, people):
    """logistic.skops (a Pipeline), plain.skops (two named columns), bare.skops (no names)."""
    folder = tmp_path_factory.mktemp("files")
    people.to_csv(folder / "people.csv", index=False)
    people.to_parquet(folder / "people.parquet")
    X, y = people.drop(columns="income"), people["income"]
    pipeline = make_pipeline(encoder(), LogisticRegression()).fit(X, y)
    skops.io.dump(pipeline, folder / "logistic.skops")
    numbers = X[["age", "hours"]]
    skops.io.dump(LogisticRegression().fit(numbers, y), folder / "plain.skops")
    skops.io.dump(LogisticRegression().fit(numbers.to_numpy(), y), folder / "bare.skops")
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run ``robfair audit`` in the folder of the files; return exit code, stdout and stderr."""
    monkeypatch.chdir(folder)

    def audit(model="logistic.skops", data="people.csv", *options, target="income", by="race"):
        words = ["audit", str(model), str(data), "--target", target, "--sensitive", by, *options]
        try:
            code = main(words)
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return audit
