"""Claims of a paper beside our numbers, and whether the two agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from robfair._tables import markdown_table

__all__ = ["Claim", "ClaimTable", "holds", "markdown", "spread", "values_of"]


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


def holds(difference: NDArray[np.float64]) -> str:
    """Tell whether differences between two methods, one for each seed, are above zero.

    The answer is "undecided" where the 95 % interval (Student's t) of the mean holds zero, and "-"
    where the mean is unknown. One seed has no interval, and the answer says so.
    """
    n = len(difference)
    if n == 0 or np.isnan(mean := float(difference.mean())):
        return "-"
    if n > 1:
        error = float(difference.std(ddof=1)) / n**0.5
        if abs(mean) <= t.ppf(0.975, n - 1) * error:
            return "undecided"
    return ("yes" if mean > 0 else "no") + (" (1 seed)" if n == 1 else "")


def spread(values: NDArray[np.float64], number: Callable[[float], str]) -> str:
    """Write the mean of the seeds' values, and their standard deviation if there are several."""
    if len(values) == 0:
        return "-"
    mean = number(float(values.mean()))
    return mean if len(values) == 1 else f"{mean} ± {number(float(values.std(ddof=1)))}"


def markdown(frame: pd.DataFrame) -> str:
    """Write a table of strings in Markdown."""
    return markdown_table(list(frame.columns), frame.astype(str).to_numpy().tolist())


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
        rows = []
        for claim in claims:
            row = {"where": claim.where, self.what: claim.what}
            if self.is_detailed:
                row["measure"] = claim.measure
            printed = claim.printed
            row["paper"] = (
                printed if isinstance(printed, str) else " → ".join(map(self.number, printed))
            )
            for protocol in protocols:
                before, after = claim.values(measures, protocol)
                row[self.ours.format(protocol)] = self._change(before, after)
                # Paired by seed: a seed that lacks a method leaves nothing to judge by.
                paired = len(before) == len(after)
                difference = claim.sign * (after - claim.kept * before) if paired else after[:0]
                row[self.verdict.format(protocol)] = holds(difference)
            rows.append(row)
        return pd.DataFrame(rows)

    def _change(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> str:
        if len(before) == 0 or len(after) == 0:
            return "-"
        text = f"{spread(before, self.number)} → {spread(after, self.number)}"
        first, last = before.mean(), after.mean()
        return f"{text} ({last / first - 1:+.0%})" if self.is_detailed and first > 0 else text
