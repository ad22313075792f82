"""Predicted labels that tell nothing of the true ones; then distances do not, either.

A model that gives all rows one class, or whose labels are the wrong way round, has distances too,
and measures of them can be perfect.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["label_doubts"]

LEAST = 10  # rows below which nothing is said
SHARE = 0.05  # of the rows: a label that is rarer may never be predicted by a sensible model
ERRORS = 2.0  # standard errors above chance


def label_doubts(y_true: NDArray[Any], predicted: NDArray[Any]) -> list[str]:
    """Say why the predictions tell nothing of the true labels; empty if they do.

    A sentence if all rows get one label, if true labels are never predicted, or if the accuracy is
    not above the share of the commonest label. A classifier that trades accuracy for the rarer
    labels is not blamed: its recall, averaged over the labels, lies above chance.
    """
    codes, labels = pd.factorize(y_true)
    n, counts = len(codes), np.bincount(codes, minlength=len(labels))
    if n < LEAST or len(labels) < 2:
        return []
    found = pd.unique(predicted)
    if len(found) == 1:
        return [
            f"the model predicts {found.tolist()[0]!r} for all {n:,} rows, and y holds "
            f"{len(labels)} labels: it tells nothing apart."
        ]
    doubts = []
    known = set(found.tolist())
    never = [i for i, label in enumerate(labels.tolist()) if label not in known]
    never = [i for i in never if counts[i] >= SHARE * n]
    if never:
        told = ", ".join(f"{labels.tolist()[i]!r} ({counts[i]:,} rows)" for i in never[:5])
        doubts.append(f"labels of y that the model never predicts: {told}.")
    correct = np.asarray(y_true == predicted, dtype=bool)
    recall = np.bincount(codes, correct, minlength=len(labels)) / counts
    error = np.sqrt((recall * (1 - recall) / counts).sum()) / len(labels)
    above_chance = recall.mean() - 1 / len(labels) > ERRORS * error
    if correct.mean() <= counts.max() / n and not above_chance:
        doubts.append(
            f"the model is right on {correct.mean():.1%} of the rows, no more than the commonest "
            f"label of y has ({counts.max() / n:.1%}): its predictions tell nothing of y. Are the "
            "labels the right way round?"
        )
    return doubts
