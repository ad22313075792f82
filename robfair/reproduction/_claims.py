"""Claims of a paper beside our numbers, and whether the two agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from robfair._group_tests import holm
from robfair._tables import markdown_table

__all__ = ["JUDGED", "Claim", "ClaimTable", "judge", "markdown", "spread", "values_of"]


# For the reports, below their tables.
JUDGED = (
    "A sentence is undecided unless Student's t-test of the differences by seed finds it at 5 %, "
    "corrected for the number of sentences in its column (Holm). Seeds vary the training and not "
    "the test rows: a sentence that holds does so for networks that are trained like these, on "
    "these test rows. It says nothing of other people."
)


@dataclass(frozen=True)
class Claim:
    """A difference between two methods, in one measure."""

    where: str  # table, figure, section or "text"; "control" for what the paper does not ask
    what: str
    measure: str
    before: str
    after: str
    sign: int  # 1 if the measure is said to be greater after, -1 if less
    printed: str | tuple[float, float] = "-"  # the paper's two numbers, or its words
    kept: float = 1.0  # the measure `before` is multiplied by this first
    eps: Mapping[str, float] = field(default_factory=dict)  # by protocol, where it has one
    label: str | None = None
    group: str | None = None

    def values(self, measures: pd.DataFrame, protocol: str) -> list[NDArray[np.float64]]:
        """Pick our values, of each seed, of the two methods."""
        eps, label, group = self.eps.get(protocol), self.label, self.group
        return [
            values_of(measures, protocol, method, self.measure, eps=eps, label=label, group=group)
            for method in (self.before, self.after)
        ]


def values_of(
    measures: pd.DataFrame, protocol: str, model: str, measure: str, **where: float | str | None
) -> NDArray[np.float64]:
    """Pick a measure of a model: a value for each seed, in the order of seeds.

    `where` gives eps, label and group; without them, only rows that have none are picked. The
    bounds of an interval have the label "lower" or "upper".
    """
    where |= {"protocol": protocol, "model": model, "measure": measure}
    chosen = pd.Series(True, index=measures.index)
    for column in ("protocol", "model", "measure", "eps", "label", "group"):
        wanted = where.get(column)
        chosen &= measures[column].isna() if wanted is None else measures[column] == wanted
    return measures[chosen].sort_values("seed")["value"].to_numpy()


def judge(differences: Sequence[NDArray[np.float64]]) -> list[str]:
    """Tell of each sentence whether its differences, one for each seed, are above zero on average.

    A sentence is "undecided" unless Student's t-test over the seeds finds a mean other than zero at
    5 %, corrected for the number of sentences (Holm): of twenty that are judged one by one, one
    would be decided by chance. "-" where the mean is unknown. One seed has no error, and the answer
    says so. Seeds vary the training, and not the test rows: nothing is said of other people.
    """
    p = np.array([_p_value(values) for values in differences])
    stands = np.zeros(len(p), dtype=bool)
    stands[~np.isnan(p)] = holm(p[~np.isnan(p)]) <= 0.05
    answers = []
    for values, stand in zip(differences, stands, strict=True):
        if len(values) == 0 or np.isnan(values).any():
            answers.append("-")
        elif len(values) > 1 and not stand:
            answers.append("undecided")
        else:
            word = "yes" if values.mean() > 0 else "no"
            answers.append(f"{word} (1 seed)" if len(values) == 1 else word)
    return answers


def _p_value(values: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of "the mean is zero"; NaN of one seed or of none."""
    if len(values) < 2:
        return np.nan
    mean, error = values.mean(), values.std(ddof=1) / len(values) ** 0.5
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(abs(mean) / error, len(values) - 1))


def spread(values: NDArray[np.float64], number: Callable[[float], str]) -> str:
    """Write the mean of the seeds' values, and their standard deviation if there are several."""
    if len(values) == 0:
        return "-"
    mean = number(float(values.mean()))
    return mean if len(values) == 1 else f"{mean} ± {number(float(values.std(ddof=1)))}"


def markdown(frame: pd.DataFrame) -> str:
    """Write a table of strings in Markdown."""
    return markdown_table(list(frame.columns), frame.astype(str).to_numpy().tolist())


def _difference(claim: Claim, values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return by how much each seed agrees with a claim."""
    before, after = values
    # Paired by seed: a seed that lacks a method leaves nothing to judge by.
    paired = len(before) == len(after)
    return claim.sign * (after - claim.kept * before) if paired else after[:0]


@dataclass(frozen=True)
class ClaimTable:
    """The table of a paper's claims beside our numbers: its headings, and how it writes numbers."""

    what: str
    ours: str  # this heading and the next have a place for the protocol
    verdict: str
    number: Callable[[float], str]
    is_detailed: bool = False  # shows the measure, and its change in per cent

    def compare(
        self, claims: Sequence[Claim], measures: pd.DataFrame, protocols: Sequence[str]
    ) -> pd.DataFrame:
        """Put our numbers beside the paper's: a row for each claim."""
        pairs = {p: [claim.values(measures, p) for claim in claims] for p in protocols}
        judged = {p: judge(list(map(_difference, claims, pairs[p]))) for p in protocols}
        rows = []
        for i, claim in enumerate(claims):
            row = {"where": claim.where, self.what: claim.what}
            if self.is_detailed:
                row["measure"] = claim.measure
            printed = claim.printed
            row["paper"] = (
                printed if isinstance(printed, str) else " → ".join(map(self.number, printed))
            )
            for protocol in protocols:
                row[self.ours.format(protocol)] = self._change(*pairs[protocol][i])
                row[self.verdict.format(protocol)] = judged[protocol][i]
            rows.append(row)
        return pd.DataFrame(rows)

    def _change(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
        if len(before) == 0 or len(after) == 0:
            return "-"
        text = f"{spread(before, self.number)} → {spread(after, self.number)}"
        first, last = before.mean(), after.mean()
        return f"{text} ({last / first - 1:+.0%})" if self.is_detailed and first > 0 else text
