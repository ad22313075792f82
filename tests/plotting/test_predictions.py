"""Labels of any model: an estimator, a torch module, a function; in one batch and in many."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import nn

from robfair.plotting import ClassAccuracyDisplay


def test_any_model_that_predicts():
    X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 0]
    fitted = LogisticRegression().fit(X, [0, 0, 1, 1])
    network = nn.Linear(1, 2)
    network.weight.data[:], network.bias.data[:] = nn.Parameter(network.weight * 0), 0
    network.weight.data[1, 0], network.bias.data[1] = 1.0, -2.0
    models = {
        "LogisticRegression": fitted,
        "Linear": network,
        "function": lambda X: (X[:, 0] > 2).astype(int),
    }
    for name, model in models.items():
        display = ClassAccuracyDisplay.from_estimator(model, np.array(X, dtype="float32"), y)
        assert display.by_class["accuracy"].tolist() == pytest.approx([2 / 3, 1.0])
        assert display.name == name


def test_many_batches_give_the_labels_of_one():
    """2**16 features a sample make batches of 64; the label of a row is the sign of its first."""
    first = np.where(np.arange(130) % 3, 1.0, -1.0).astype("float32")
    X = np.zeros((130, 2**16), dtype="float32")
    X[:, 0] = first
    sizes = []

    def positive(rows):
        sizes.append(len(rows))
        return (rows[:, 0] > 0).astype(int)

    display = ClassAccuracyDisplay.from_estimator(positive, X, (first > 0).astype(int))
    assert display.by_class["accuracy"].tolist() == [1.0, 1.0]
    assert sum(sizes) == 130
    assert max(sizes) < 130
