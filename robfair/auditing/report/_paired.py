"""Tests of whether two models differ in Rob(f), V_f or CV, on the rows that both were audited on.

A row that is far from the boundary of one model is often far from that of the other, so that the
difference of two models is known better than either. The means of one group by two models make one
vector, and the difference of a measure is nearly linear in it: every row then has an influence on
the difference, and groups are summarized by the mean influence of their rows (the delta method).
What is not linear, the noise squared, is taken off V_f as bias and added to the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from robfair._group_tests import error_level, holm
from robfair._mean_summary import Floats, combine, p_above, summarize
from robfair.auditing._numbers import AuditNumbers

_TIE = 1e-9  # relative difference that rounding may make

PAIRED = ("Rob(f)", "V_f", "CV")


class PairedTests:
    """Differences of models in each measure, corrected for the number of comparisons (Holm).

    Parameters
    ----------
    audits : mapping of str to AuditNumbers
        Audits of the models on the same rows.
    pairs : iterable of tuple of (str, str)
        The pairs of models that a verdict may speak of.
    measures : sequence of str, default=PAIRED
        The measures that it may speak of.
    """

    def __init__(
        self,
        audits: Mapping[str, AuditNumbers],
        pairs: Iterable[tuple[str, str]],
        measures: Sequence[str] = PAIRED,
    ) -> None:
        questions, p = [], []
        for one, other in pairs:
            values = paired_p_values(audits[one], audits[other])
            questions += [(measure, frozenset((one, other))) for measure in measures]
            p += [values[measure] for measure in measures]
        level = error_level(next(iter(audits.values())).settings["confidence"])
        self._stands = dict(zip(questions, (holm(np.array(p)) <= level).tolist(), strict=True))

    def differ(self, measure: str, one: str, other: str) -> bool:
        """Tell whether a difference is larger than the error of sampling."""
        return bool(self._stands[measure, frozenset((one, other))])


def paired_p_values(one: AuditNumbers, other: AuditNumbers) -> dict[str, float]:
    """Return the two-sided p-values of "both models are equal", by measure.

    1 where the models do not differ at all, NaN where a measure is unknown. Raises ValueError if
    they were audited on other rows.
    """
    blocks = [audit.tests.means.blocks for audit in (one, other)]
    if [len(block) for block in blocks[0]] != [len(block) for block in blocks[1]]:
        raise ValueError(
            f"{one.name} and {other.name} cannot be compared: their audits are of other rows or "
            "groups. Pass both to compare()."
        )
    return paired_block_p_values([np.stack(pair, axis=-1) for pair in zip(*blocks, strict=True)])


def paired_block_p_values(rows: list[NDArray[np.float64]]) -> dict[str, float]:
    """Return the p-values of two models from the values of each group, of shape (n_in_group, 2)."""
    censored = not all(np.isfinite(block).all() for block in rows)
    if censored or min(map(len, rows)) < 2:  # the spread of a single row is unknown
        return dict.fromkeys(PAIRED, np.nan)
    rob = np.mean([block.mean(axis=0) for block in rows], axis=0)
    return {
        "Rob(f)": _p_value(rows, np.full((len(rows), 2), 1 / len(rows)), rob),
        "V_f": _p_of_spread(rows, relative=False),
        "CV": _p_of_spread(rows, relative=True),
    }


def _p_of_spread(rows: list[NDArray[np.float64]], *, relative: bool) -> float:
    """Compare V, or the square of CV, less what noise adds to them."""
    n = len(rows)
    mean = np.array([block.mean(axis=0) for block in rows])
    error = np.array([np.cov(block, rowvar=False) / len(block) for block in rows])
    centre, dev = mean.mean(axis=0), mean - mean.mean(axis=0)
    total = error.sum(axis=0)
    noise = np.diag(total)
    V = (dev**2).mean(axis=0) - (1 - 1 / n) * noise / n
    scale = np.ones(2)
    slope = 2 * dev / n
    if relative:
        if not centre.all():
            return np.nan  # all rows of a model are 0, and its CV is undefined
        scale = 1 / np.maximum(centre**2 - noise / n**2, np.finfo(float).tiny)
        slope = slope * scale - 2 * np.maximum(V * scale, 0.0) / (n * centre)
    # The covariance of the squares of correlated noise.
    squares = (2 / n**2) * ((1 - 2 / n) * (error**2).sum(axis=0) + (total / n) ** 2)
    signed = scale * [1.0, -1.0]
    return _p_value(rows, slope, V * scale, float(signed @ squares @ signed))


def _p_value(
    rows: list[NDArray[np.float64]], slope: Floats, values: Floats, squares: float = 0.0
) -> float:
    """Test the difference of two values, whose slope in the means of each group is given."""
    difference = values[0] - values[1]
    if abs(difference) <= _TIE * np.abs(values).sum():
        return 1.0
    influence = [
        each[0] * block[:, 0] - each[1] * block[:, 1]
        for block, each in zip(rows, slope, strict=True)
    ]
    linear = combine(summarize(influence), np.ones(len(rows)))
    error = linear.squared_error + max(squares, 0.0)
    known = replace(
        linear,
        mean=np.asarray(difference),
        squared_error=error,
        skewness=linear.skewness * (linear.squared_error / error) ** 1.5,
    )
    return min(2 * float(p_above(known)), 2 * float(p_above(-known)), 1.0)
