import re

import numpy as np
import pytest

from robfair._label_doubts import label_doubts

RNG = np.random.default_rng(0)
Y = (RNG.random(400) < 0.1).astype(int)  # one in ten


def noisy(y, recall, specificity):
    keep = np.where(y == 1, recall, specificity)
    return np.where(RNG.random(len(y)) < keep, y, 1 - y)


@pytest.mark.parametrize(
    ("y", "predicted", "match"),
    [
        (Y, np.zeros(400, int), "predicts 0 for all 400 rows"),
        (Y, np.ones(400, int), "predicts 1 for all 400 rows"),
        (Y, 1 - Y, "right on 0.0% of the rows.*right way round"),
        (2 * Y - 1, Y, r"never predicts: -1 \("),
        (np.arange(400) % 3, np.arange(400) % 3 % 2, r"never predicts: 2 \(133 rows\)"),
        (Y, RNG.permutation(Y), "no more than the commonest label of y has"),
        (Y.astype(str), Y.astype(str).astype(object), None),
        (Y, noisy(Y, 0.8, 0.8), None),  # less accurate than a constant, and yet informed
        (Y, noisy(Y, 0.3, 0.99), None),
        (np.repeat([0, 1, 2], [200, 195, 5]), np.repeat([0, 1, 0], [200, 195, 5]), None),
        (np.zeros(400), np.ones(400), None),  # of y with one label nothing can be told
        (Y[:9], 1 - Y[:9], None),  # nor of so few rows
    ],
    ids=[
        "all 0",
        "all 1",
        "reversed",
        "another coding",
        "never",
        "shuffled",
        "types",
        "balanced",
        "cautious",
        "rare",
        "one label",
        "few",
    ],
)
def test_doubts(y, predicted, match):
    doubts = label_doubts(y, predicted)
    if match is None:
        assert doubts == []
    else:
        assert re.search(match, " ".join(doubts))
