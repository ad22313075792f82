"""The numbers that paper B prints, and the tables that put ours beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

__all__ = ["CLAIMS", "Claim", "compare_claims", "holds", "markdown", "spread"]


@dataclass(frozen=True)
class Claim:
    """A pair of numbers of the paper, standard against robust, and where ours are found.

    Attributes
    ----------
    where : str
        Table, figure or "text".
    what : str
        What the numbers are, in words.
    standard, robust : float
        The paper's numbers, as fractions.
    measure : str
        Name of our measure.
    eps, honest_eps : float or None
        Its eps by the paper's protocol, and by the honest one.
    label, group : str or None
        True label and group it is restricted to.
    """

    where: str
    what: str
    standard: float
    robust: float
    measure: str
    eps: float | None = None
    honest_eps: float | None = None
    label: str | None = None
    group: str | None = None


POOR, RICH = "<=50K", ">50K"
_RACES = ("White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Black", "Other")


def _confidences(where: str, attribute: str, cells: dict[tuple[str, str], tuple[float, float]]):  # type: ignore[no-untyped-def]
    return [
        Claim(where, f"mean confidence in >50K: {group}, income {label}", *pair,
              f"confidence by {attribute}", label=label, group=group)
        for (label, group), pair in cells.items()
    ]  # fmt: skip


def _pairs(label: str, groups: Any, standard: Any, robust: Any) -> dict[Any, Any]:
    cells = zip(groups, standard, robust, strict=True)
    return {(label, group): (one, other) for group, one, other in cells}


CLAIMS: dict[str, list[Claim]] = {
    "adult": [
        Claim("text", "accuracy", 0.7953, 0.7937, "accuracy"),
        Claim("text", "accuracy on the examples made for the standard network, eps 10",
              0.143, 0.9637, "static robust accuracy", 10),
        Claim("text", "CAU", 0.0195, 0.0205, "CAU"),
        *(Claim("Table II", f"CRU_s, eps {eps}", standard, robust, "CRU_s", eps, honest)
          for eps, honest, standard, robust in ((10, 0.25, 0.0611, 0.1866),
                                                (15, 0.5, 0.1081, 0.2338),
                                                (20, 1.0, 0.107, 0.2272))),
        *_confidences("Table IV", "sex",
                      _pairs(POOR, ("Male", "Female"), (0.272, 0.198), (0.248, 0.168))
                      | _pairs(RICH, ("Male", "Female"), (0.717, 0.626), (0.762, 0.668))),
        *_confidences("Table V", "race",
                      _pairs(POOR, _RACES, (0.255, 0.24, 0.21, 0.203, 0.215),
                             (0.233, 0.242, 0.148, 0.159, 0.149))
                      | _pairs(RICH, _RACES, (0.706, 0.688, 0.65, 0.639, 0.657),
                               (0.754, 0.763, 0.64, 0.658, 0.642))),
        # The figures print no numbers; these follow from Tables IV and V.
        Claim("Fig. 5", "EOU by sex, income <=50K", 0.074, 0.08, "EOU by sex", label=POOR),
        Claim("Fig. 5", "EOU by sex, income >50K", 0.091, 0.094, "EOU by sex", label=RICH),
        Claim("Fig. 6", "EOU by race, income <=50K", 0.052, 0.094, "EOU by race", label=POOR),
        Claim("Fig. 6", "EOU by race, income >50K", 0.067, 0.123, "EOU by race", label=RICH),
    ],
    "cifar10": [
        Claim("text", "accuracy", 0.7196, 0.7243, "accuracy"),
        Claim("text", "accuracy on the examples made for the standard network, eps 0.01",
              0.0424, 0.8312, "static robust accuracy", 0.01),
        Claim("text", "CAU (Fig. 1)", 0.286, 0.344, "CAU"),
        Claim("text", "CRU_eps (Fig. 2)", 0.0014, 0.005, "CRU_eps"),
        *(Claim("Table I", f"CRU_s, eps {eps}", standard, robust, "CRU_s", eps, eps)
          for eps, standard, robust in ((0.01, 0.1343, 0.2585), (0.012, 0.0845, 0.1627),
                                        (0.014, 0.0471, 0.1056))),
        Claim("Table III", "LUF", 0.7694, 0.7945, "LUF"),
        Claim("Table III", "LUF_t, as a share of the models left out", 0.2926, 0.2935, "LUF_t"),
    ],
}  # fmt: skip


def compare_claims(
    claims: list[Claim], measures: pd.DataFrame, protocols: tuple[str, ...]
) -> pd.DataFrame:
    """Put our numbers beside the paper's, and say whether they point the same way.

    Parameters
    ----------
    claims : list of Claim
        What the paper says.
    measures : DataFrame
        Our measures of all seeds.
    protocols : tuple of str
        Protocols to show, a pair of columns for each.

    Returns
    -------
    DataFrame of str
        A row for each claim.
    """
    rows = []
    for claim in claims:
        row = {
            "where": claim.where,
            "what": claim.what,
            "paper": _arrow([_number(claim.standard)], [_number(claim.robust)]),
        }
        for protocol in protocols:
            standard, robust = (_ours(claim, measures, protocol, m) for m in ("standard", "robust"))
            row[f"ours, {protocol} protocol"] = _arrow(spread(standard), spread(robust))
            row[f"same direction? ({protocol})"] = _verdict(claim, standard, robust)
        rows.append(row)
    return pd.DataFrame(rows)


def _ours(claim: Claim, measures: pd.DataFrame, protocol: str, model: str) -> NDArray[np.float64]:
    eps = claim.eps if protocol == "paper" else claim.honest_eps
    rows = measures[
        (measures["protocol"] == protocol)
        & (measures["model"] == model)
        & (measures["measure"] == claim.measure)
    ]
    if eps is not None:
        rows = rows[rows["eps"] == eps]
    for column, wanted in (("label", claim.label), ("group", claim.group)):
        if wanted is not None:
            rows = rows[rows[column] == wanted]
    return rows.sort_values("seed")["value"].to_numpy()


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"


def spread(values: NDArray[np.float64], number: Callable[[float], str] = _number) -> list[str]:
    """Write the mean of the seeds' values, and their standard deviation if there are several.

    Parameters
    ----------
    values : ndarray of shape (n_seeds,)
        A value for each seed.
    number : callable, default=_number
        Writes a number.

    Returns
    -------
    list of str
        The parts of the text; empty if there are no values.
    """
    if len(values) == 0:
        return []
    text = [number(float(values.mean()))]
    return [*text, f"± {number(float(values.std(ddof=1)))}"] if len(values) > 1 else text


def _arrow(standard: list[str], robust: list[str]) -> str:
    return f"{' '.join(standard)} → {' '.join(robust)}" if standard and robust else "-"


def _verdict(claim: Claim, standard: NDArray[np.float64], robust: NDArray[np.float64]) -> str:
    if len(standard) != len(robust):
        return "-"
    # Paired: of the same seed.
    return holds((robust - standard) * np.sign(claim.robust - claim.standard))


def holds(difference: NDArray[np.float64]) -> str:
    """Tell whether differences between two methods are above zero.

    Parameters
    ----------
    difference : ndarray of shape (n_seeds,)
        A difference for each seed.

    Returns
    -------
    str
        "yes" or "no"; "undecided" where the 95 % interval (Student's t) of the mean holds zero.
        With one seed there is no interval, and the answer says so. "-" if the mean is unknown.
    """
    n = len(difference)
    if n == 0 or np.isnan(mean := float(difference.mean())):
        return "-"
    if n > 1:
        error = float(difference.std(ddof=1)) / n**0.5
        if abs(mean) <= t.ppf(0.975, n - 1) * error:
            return "undecided"
    return ("yes" if mean > 0 else "no") + (" (1 seed)" if n == 1 else "")


def markdown(frame: pd.DataFrame) -> str:
    """Write a table of strings in Markdown.

    Parameters
    ----------
    frame : DataFrame of str
        The table.

    Returns
    -------
    str
        Lines with aligned columns.
    """
    cells = [list(frame.columns), *frame.astype(str).to_numpy().tolist()]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in cells]
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * w for w in widths) + " |")
    return "\n".join(lines)
