"""Warnings about models whose distances cannot be trusted: uninformed, random, flat."""

from __future__ import annotations

import numpy as np
import torch

from robfair._label_doubts import label_doubts
from robfair._problem import Problem
from robfair.adapters import LabelModel
from robfair.distance._writer import ResultWriter

__all__ = ["diagnose"]

ROWS = 256  # predicted a second time: one batch, so that the check costs about a pass
ALONE = 4  # of them, where labels are all that shows whether the other rows matter
# Relative to the greatest logit: far above what the order of sums can do, even in half precision.
NOISE = 1e-2

OTHER_ROWS = (
    "the prediction of a row depends on the other rows of its batch, as batch normalisation "
    "without running statistics does: distances of single rows mean little."
)


def diagnose(problem: Problem, results: ResultWriter) -> None:
    """Warn of labels, outputs and searches that cannot be trusted, the gravest first."""
    if problem.y is not None:
        results.warnings[:0] = label_doubts(problem.y, results.predicted_labels())
    if problem.mismatch is not None:
        results.warnings.append(
            f"{problem.mismatch}. Labels alone were searched, those of predict."
        )
    measured = ~results.skipped
    known = results.exact.copy()
    if results.lower is not None:  # proven: there is nothing to find
        known |= np.isinf(results.lower)
    if (known | results.skipped).all():
        return
    censored = int(np.isinf(results.distance[measured & ~known]).sum())
    if censored:
        results.warnings.append(
            f"{censored} of {int(measured.sum())} samples are censored: no adversarial was found, "
            "which does not mean that there is none."
        )
    if isinstance(problem.model, LabelModel):
        _labels_twice(problem, results)
        return
    flat = int((results.flat & measured).sum())
    if flat:
        results.warnings.append(
            f"the gradient is zero at {flat} of {int(measured.sum())} samples: the logits are flat "
            'there, and a search that follows gradients is blind. Compare method="decision".'
        )
    _logits_twice(problem, results)


def _labels_twice(problem: Problem, results: ResultWriter) -> None:
    """Predict some rows once more, the last few of them alone."""
    assert isinstance(problem.model, LabelModel)
    assert results.predicted is not None
    predict, rows = problem.model.predict, problem.X[:ROWS]
    cuts = range(max(1, len(rows) - ALONE), len(rows))
    parts = np.concatenate([predict(part) for part in np.split(rows, cuts)])
    results.n_forward[:ROWS] += 1
    differ = np.asarray(parts != results.predicted[:ROWS])
    if not differ.any():
        return
    again = predict(problem.X)[:ROWS]  # the same batch: only a random model differs now
    results.n_forward += 1
    if np.asarray(again != results.predicted[:ROWS]).any():
        results.warnings.append(
            f"{int(differ.sum())} of {len(rows)} samples got another label when predicted again: "
            "the model is random, and so are the distances."
        )
    else:
        results.warnings.append(OTHER_ROWS)


def _logits_twice(problem: Problem, results: ResultWriter) -> None:
    """Predict some rows together and in two parts."""
    n = min(ROWS, problem.batch_size, len(problem.X))
    x = problem.tensor(np.arange(n))
    with torch.no_grad(), problem.network.forward(problem.shape) as forward:
        logits = forward(x).double()
        parts = torch.cat([forward(part).double() for part in x.split((n + 1) // 2)])
        results.n_forward[:n] += 2
        scale = NOISE * logits.abs().amax()
        if bool(((logits - parts).abs() > scale).any()):
            again = forward(x).double()  # the same batch: only a random model differs now
            results.n_forward[:n] += 1
            if bool(((logits - again).abs() > scale).any()):
                results.warnings.append(
                    "two predictions of the same rows differ: the model is random in evaluation "
                    "mode, and so are the distances."
                )
            else:
                results.warnings.append(OTHER_ROWS)
