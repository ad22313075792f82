"""``--fail-if "v_f > 0.05"``: conditions under which the exit code is 1.

``--fail-if "gap.lower > 0.2"`` asks for one end of an interval: a gap that is there for sure.
"""

from __future__ import annotations

import argparse
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from robfair._names import AUDIT_MEASURES
from robfair._text import did_you_mean

__all__ = ["Threshold", "parse_threshold"]

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


# Columns of Audit.overall, and how a sentence names them.
COLUMNS = {
    "value": "",
    "lower": "the lower end of the interval of ",
    "upper": "the upper end of the interval of ",
    "corrected": "what is left without noise of ",
    "low": "the lower certified end of ",
    "high": "the upper certified end of ",
}
CERTIFIED = ("low", "high")
STANDARDIZED = "standardized"


@dataclass(frozen=True)
class Threshold:
    """A condition on a measure, or on an end of its interval."""

    measure: str  # key of a measure of an audit
    symbol: str  # key of OPERATORS
    limit: float
    column: str = "value"  # key of COLUMNS
    is_standardized: bool = False  # as if every group had the same mix of labels

    def __str__(self) -> str:
        start = f"{STANDARDIZED}." if self.is_standardized else ""
        end = "" if self.column == "value" else f".{self.column}"
        return f"{start}{self.measure}{end} {self.symbol} {self.limit:g}"

    @property
    def is_certified(self) -> bool:
        """True for ends that only an audit with certified distances has."""
        return self.column in CERTIFIED

    def judge(self, audit: Any) -> dict[str, Any]:
        """Return the condition, the value, whether the condition holds, and a sentence if it does.

        NaN meets every condition, since nobody knows the value.
        """
        from robfair.metrics import find_measure  # not for a help text, which must be fast

        name = find_measure(self.measure).symbol
        table = audit.standardized if self.is_standardized else audit.overall
        value = float(table[self.column][name])
        if self.is_standardized:
            name = f"the standardised {name}"
        crossed = math.isnan(value) or OPERATORS[self.symbol](value, self.limit)
        return {
            "fail_if": str(self),
            "value": value if math.isfinite(value) else None,  # JSON knows no NaN
            "crossed": bool(crossed),
            "message": self._tell(f"{COLUMNS[self.column]}{name}", value) if crossed else "",
        }

    def _tell(self, name: str, value: float) -> str:
        """Say that the condition holds, and by how much."""
        if math.isnan(value):
            return f"{name} is NaN (see the warnings), and counts as crossing {self}."
        side = "above" if value > self.limit else "below"
        apart = abs(value - self.limit)
        # <= and >= hold at the limit.
        by = f"{apart:.3g} {side} the limit" if apart else "the limit itself"
        return f"{name} is {value:.4g}, {by} of {self}."


def parse_threshold(text: str) -> Threshold:
    """Parse a condition such as ``v_f > 0.05``.

    Raises argparse.ArgumentTypeError if the text is not one, or names an unknown measure.
    """
    parts = re.fullmatch(r"\s*([^<>=\s]*)\s*([<>=]+)\s*(\S*)\s*", text)
    if parts is None:
        raise argparse.ArgumentTypeError(
            f"must be a measure, one of < <= > >= and a number, as in 'v_f > 0.05'; got {text!r}"
        )
    name, symbol, number = parts.groups()
    is_standardized = name.startswith(f"{STANDARDIZED}.")
    measure, _, column = name.removeprefix(f"{STANDARDIZED}.").partition(".")
    _check_known(measure, column, is_standardized)
    if symbol not in OPERATORS:
        raise argparse.ArgumentTypeError(f"the operator must be < <= > or >=; got {symbol!r}")
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):  # words, nan and inf alike
        raise argparse.ArgumentTypeError(f"{number!r} in {text!r} is not a finite number")
    return Threshold(measure, symbol, limit, column or "value", is_standardized)


def _check_known(measure: str, column: str, is_standardized: bool) -> None:
    """Raise ArgumentTypeError unless an audit has the measure, with this end or without one."""
    if measure not in AUDIT_MEASURES:
        hint = did_you_mean(measure, AUDIT_MEASURES)
        raise argparse.ArgumentTypeError(f"there is no measure {measure!r}. {hint}")
    if is_standardized and (measure == "accuracy" or column in CERTIFIED):
        what = f"{measure}.{column}" if column else measure
        raise argparse.ArgumentTypeError(
            f"there is no standardised {what}: put the condition on {what} itself"
        )
    if not column:
        return
    from robfair.metrics import find_measure

    if column not in COLUMNS:
        hint = did_you_mean(column, COLUMNS)
        raise argparse.ArgumentTypeError(f"{measure} has no end {column!r}. {hint}")
    found = find_measure(measure)
    missing = {
        "corrected": not found.corrects,
        **dict.fromkeys(("lower", "upper"), measure == "accuracy"),
        **dict.fromkeys(CERTIFIED, found.extremes is None),
    }
    if missing.get(column):
        raise argparse.ArgumentTypeError(
            f"{measure} has no {column!r}: put the condition on {measure} itself"
        )
