"""What it costs to hold a reading against `predict`, relative to an audit.

UCI Adult, 15,000 test rows: Pipelines that end in a logistic regression and in MLPClassifier. The
target is 5 % of an audit; the comparison looks at 256 rows, whatever the number of all.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

from common import machine, options, table, verdict
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import audit
from robfair.adapters import adapt, hold
from robfair.datasets import load_adult

TARGET = 0.05


def seconds(run: Callable[[int], Any], rounds: int) -> float:
    """Return the least time of some runs, each with its number."""
    times = []
    for i in range(rounds):
        start = time.perf_counter()
        run(i)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print the table."""
    chosen = options(__doc__ or "", {})
    rounds, n = (1, 2_000) if chosen.quick else (chosen.rounds or 3, 15_000)
    warnings.simplefilter("ignore")
    train, test = load_adult(split="train"), load_adult(split="test")
    X, y, race = test.data[:n], test.target[:n], test.sensitive_features["race"][:n]
    numbers = list(train.data.select_dtypes("number").columns)
    texts = list(train.data.columns.difference(numbers))
    rows = []
    for classifier in (LogisticRegression(max_iter=500), MLPClassifier([32], max_iter=20)):
        encode = make_column_transformer(
            (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), texts)
        )
        model = make_pipeline(encode, classifier).fit(train.data, train.target)
        adapted = adapt(model, X)
        inputs = adapted.inputs(X)

        def whole(i: int, model: Any = model) -> Any:
            # Another seed each time, or distances would be those of the last round.
            return audit(model, X, y, sensitive_features=race, random_state=i)

        def part(i: int, model: Any = model, adapted: Any = adapted, inputs: Any = inputs) -> Any:
            return hold(model, adapted, X, inputs)

        audited, held = seconds(whole, rounds), seconds(part, 3 * rounds)
        rows.append(
            {
                "model": type(classifier).__name__,
                "audit, s": f"{audited:.2f}",
                "comparison, ms": f"{1e3 * held:.1f}",
                "share, %": f"{100 * held / audited:.2f}",
                "met": verdict(held <= TARGET * audited),
            }
        )
    print(machine())
    print(table(rows))


if __name__ == "__main__":
    main()
