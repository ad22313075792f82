"""The last look at a run: a network beside the one that it is to be better than."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._mean_summary import MeanSummary, combine, contrast, p_above, summarize

__all__ = ["find_harm"]

LEVEL = 0.05  # of each test
POINTS, SHARE = 0.005, 0.01  # by which accuracy, and Rob(f) relative to it, may be lower

Floats = NDArray[np.float64]


def find_harm(before: Floats, after: Floats, cell: NDArray[np.intp], n_groups: int) -> list[str]:
    """Say what is worse after than before, on the same samples, by more than sampling error.

    Accuracy, Rob(f), V_f and the least Rob(P) have a one-sided test each. The first may be lower by
    half a point, and Rob(f) by a per cent.

    Parameters
    ----------
    before, after : ndarray of shape (n,)
        Distances of the samples to the boundary, 0 for wrong ones.
    cell : ndarray of shape (n,)
        Group of each sample, or its class times `n_groups` plus its group: then V_f and the least
        Rob(P) are those inside the classes. Cells of one sample are left out: their sampling error
        is not known.
    n_groups : int
        Number of groups.

    Returns
    -------
    list of str
        A phrase for each measure that is worse.
    """
    names, sizes = np.unique(cell, return_counts=True)
    names, sizes = names[sizes > 1], sizes[sizes > 1]
    if len(names) == 0:
        return []
    parts = [cell == name for name in names]
    distance = np.stack([before, after], axis=1)
    blocks, label = _blocks(distance, parts), names // n_groups
    found = [
        _fall("accuracy", _blocks(distance > 0, parts), sizes / sizes.sum()),
        _fall("Rob(f)", blocks, np.full(len(sizes), 1 / len(sizes)), SHARE),
        _rise_of_variance(blocks, label),
        _fall_of_worst(blocks, label),
    ]
    return [phrase for phrase in found if phrase]


def _blocks(values: NDArray[Any], parts: list[NDArray[np.bool_]]) -> list[Floats]:
    """Return a block for each cell with columns before, after, and after less before."""
    columns = np.column_stack([values, values[:, 1] * 1.0 - values[:, 0]])
    return [columns[part] for part in parts]


def _fall(name: str, blocks: list[Floats], weights: Floats, share: float | None = None) -> str:
    """Say that a weighted mean has fallen; `share` makes what may be lost relative to it."""
    means = summarize(blocks)
    before, after, change = (combine(means[column], weights) for column in range(3))
    allowed = POINTS if share is None else share * float(before.mean)
    if float(change.mean) >= -allowed or not p_above(-change) < LEVEL:
        return ""
    return f"{name} fell from {float(before.mean):.3g} to {float(after.mean):.3g}"


def _rise_of_variance(blocks: list[Floats], label: NDArray[np.intp]) -> str:
    """Say that the variance of the means has risen, inside each label; corrected for sampling.

    It is quadratic in the means: its error is that of the linear part, by the influence of each
    sample, and that of the quadratic one, by the errors of the means.
    """
    means, n = summarize(blocks), len(blocks)
    gaps = means.mean[:2].copy()  # before and after
    for each in np.unique(label):
        rows = label == each
        gaps[:, rows] -= gaps[:, rows].mean(axis=1, keepdims=True)
    n_alike = np.array([(label == each).sum() for each in label])
    noise = ((1 - 1 / n_alike) * means.squared_error[:2]).sum(axis=1) / n
    before, after = (gaps**2).sum(axis=1) / n - noise
    influences = [
        2 / n * (gap[1] * block[:, 1] - gap[0] * block[:, 0])[:, None]
        for gap, block in zip(gaps.T, blocks, strict=True)
    ]
    linear = combine(summarize(influences)[0], np.ones(n))
    quadratic = 2 * (means.squared_error[:2] ** 2).sum() / n**2
    change = MeanSummary(
        np.asarray(after - before), linear.squared_error + quadratic, linear.skewness, linear.df
    )
    if not p_above(change) < LEVEL:
        return ""
    return f"V_f rose from {max(before, 0):.3g} to {max(after, 0):.3g}"


def _fall_of_worst(blocks: list[Floats], label: NDArray[np.intp]) -> str:
    """Say that a mean has fallen below the least one of its label before.

    It has if it is less than each of them: its own, by the differences of its samples, and those of
    others, which are independent of it. One such group is enough: there are as many tests as
    groups.
    """
    means, n = summarize(blocks), len(blocks)
    all_means = MeanSummary(*(np.concatenate([v[0], v[1]]) for v in vars(means).values()))
    pairs = np.stack(np.meshgrid(np.arange(n), n + np.arange(n)), axis=-1)  # before, after
    p_values = p_above(contrast(all_means, pairs))
    np.fill_diagonal(p_values, p_above(-means[2]))
    p_values = np.where(label[:, None] == label, p_values, 0).max(axis=1)
    worst = int(p_values.argmin())
    if not p_values[worst] < LEVEL / n:
        return ""
    least = means.mean[0][label == label[worst]].min()
    return f"the least Rob(P) fell from {least:.3g} to {means.mean[1, worst]:.3g}"
