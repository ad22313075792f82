"""`audit_history`: audits that were written as JSON, in one table over time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from robfair._text import few
from robfair._warnings import warn
from robfair.exceptions import ResultsError

# What makes numbers incomparable where it differs, as the columns are called.
_KINDS = ("groups", "method", "threat model")


def audit_history(files: Iterable[str | PathLike[str]]) -> pd.DataFrame:
    """Put audits that were written as JSON into one table, the oldest first.

    Parameters
    ----------
    files : iterable of str or path-like
        Files that `Audit.to_json`, `Comparison.to_json` or ``robfair audit --json`` has written.

    Returns
    -------
    pandas.DataFrame
        A row per audit: date, name of the model, groups (the columns that form them), rows (their
        number), method, threat model, and all numbers of `Audit.as_dict`. NaN where an audit has
        not measured what another one has. It warns if the audits are not of the same kind.

    Raises
    ------
    ResultsError
        If a file holds no audit.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import audit
    >>> from robfair.auditing import audit_history
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> clf = LogisticRegression().fit(data.X, data.y)
    >>> result = audit(clf, data.X, data.y, sensitive_features=data.groups, name="first")
    >>> with TemporaryDirectory() as folder:
    ...     result.to_json(f"{folder}/first.json")
    ...     history = audit_history([f"{folder}/first.json"])
    >>> history[["name", "rows", "rob_f"]].round(1)
        name  rows  rob_f
    0  first  1000    1.0
    """
    rows = [row for path in files for row in _read(Path(path))]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    for kind in _KINDS:
        if len(values := table[kind].unique()) > 1:
            warn(
                f"The audits differ in {kind} ({few(values, 3)}): numbers of different kinds "
                "cannot be compared.",
                UserWarning,
            )
    return table.sort_values("date", kind="stable", ignore_index=True)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each audit of a file."""
    try:
        document = json.loads(path.read_bytes())
        for record in _records(document):
            settings = record["settings"]
            yield {
                "date": settings["date"],
                "name": record["name"],
                "groups": ", ".join(str(name or "group") for name in record["sensitive_features"]),
                "rows": record["n_samples"],
                "method": record["method"],
                "threat model": record["threat_model"],
                **{key: _number(value) for key, value in record["numbers"].items()},
            }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(
            f"{path} holds no audit ({type(error).__name__}: {error}). Pass files that to_json, or "
            "`robfair audit --json`, has written."
        ) from error


def _records(document: dict[str, Any]) -> list[dict[str, Any]]:
    """List the audits of a document: of the command line, of a comparison, or the only one."""
    if "audits" in document:
        return list(document["audits"].values())
    return list(document["models"]) if "models" in document else [document]


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)  # infinity is written as "inf"
