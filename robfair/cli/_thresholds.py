"""``--fail-if "v_f > 0.05"``: conditions under which the exit code is 1."""

from __future__ import annotations

import argparse
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from robfair.cli._errors import did_you_mean

__all__ = ["MEASURES", "Threshold", "parse_threshold"]

# As it is typed -> as it stands in the table of an audit.
MEASURES = {
    "accuracy": "accuracy",
    "rob_f": "Rob(f)",
    "v_f": "V_f",
    "cv": "CV",
    "worst_group": "worst group",
    "gap": "gap",
}
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Threshold:
    """A condition on a measure.

    Attributes
    ----------
    measure : str
        A key of `MEASURES`.
    symbol : str
        A key of `OPERATORS`.
    limit : float
        What the measure is compared with.
    """

    measure: str
    symbol: str
    limit: float

    def __str__(self) -> str:
        return f"{self.measure} {self.symbol} {self.limit:g}"

    def judge(self, audit: Any) -> dict[str, Any]:
        """Apply the condition to an audit.

        Parameters
        ----------
        audit : Audit
            The audit.

        Returns
        -------
        dict
            The condition, the value of the measure (None for NaN), whether the condition holds,
            and a sentence if it does. It does for NaN: what could not be measured has not been
            passed.
        """
        value = float(audit.overall["value"][MEASURES[self.measure]])
        crossed = math.isnan(value) or OPERATORS[self.symbol](value, self.limit)
        return {
            "fail_if": str(self),
            "value": value if math.isfinite(value) else None,  # JSON knows no NaN
            "crossed": bool(crossed),
            "message": self._tell(value) if crossed else "",
        }

    def _tell(self, value: float) -> str:
        """Say that the condition holds, and by how much."""
        name = MEASURES[self.measure]
        if math.isnan(value):
            return f"{name} is NaN (see the warnings), and counts as crossing {self}."
        side = "above" if value > self.limit else "below"
        apart = abs(value - self.limit)
        by = f"{apart:.3g} {side} the limit" if apart else "the limit itself"
        return f"{name} is {value:.4g}, {by} of {self}."


def parse_threshold(text: str) -> Threshold:
    """Parse a condition such as ``v_f > 0.05``.

    Parameters
    ----------
    text : str
        The condition.

    Returns
    -------
    Threshold
        The condition.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is none.
    """
    parts = re.fullmatch(r"\s*([^<>=\s]*)\s*([<>=]+)\s*(\S*)\s*", text)
    if parts is None:
        raise argparse.ArgumentTypeError(
            f"must be a measure, one of < <= > >= and a number, as in 'v_f > 0.05'; got {text!r}"
        )
    measure, symbol, number = parts.groups()
    if measure not in MEASURES:
        hint = did_you_mean(measure, MEASURES)
        raise argparse.ArgumentTypeError(f"there is no measure {measure!r}. {hint}")
    if symbol not in OPERATORS:
        raise argparse.ArgumentTypeError(f"the operator must be < <= > or >=; got {symbol!r}")
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise argparse.ArgumentTypeError(f"{number!r} in {text!r} is no number")
    return Threshold(measure, symbol, limit)
