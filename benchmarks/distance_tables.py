"""The tables of `bench_distance.py`, from a line for each network, norm and method."""

from __future__ import annotations

import numpy as np
from common import table

__all__ = ["condensed", "summary"]


def condensed(lines: list[dict[str, str]]) -> str:
    """Return a table with a line for each method and a column for each network.

    A cell is mean / best (V_f / best), passes, time / DDN-100, and the share that failed, if any.
    """
    cells: dict[str, dict[str, str]] = {}
    for line in lines:
        failed = "" if line["failed"] == "0.0%" else f", {line['failed']} failed"
        cell = f"{line['mean / best']} ({line['V_f / best']}), {line['passes']}"
        cell += f", x {line['time / DDN-100']}" if line["time / DDN-100"] != "-" else ""
        cells.setdefault(line["method"], {})[line["network"]] = cell + failed
    networks = list(dict.fromkeys(line["network"] for line in lines))
    return table(
        [
            {"method": method} | {name: of.get(name, "-") for name in networks}
            for method, of in cells.items()
        ]
    )


def summary(lines: list[dict[str, str]], norm: str) -> str:
    """Return a short table: over the seeds, the mean of mean / best and the extremes of V_f / best.

    Where a method fails on some rows, nobody knows the mean of their distances: the share is shown.
    """
    cells: dict[str, dict[str, list[dict[str, str]]]] = {}
    for line in (line for line in lines if line["norm"] == norm):
        network = line["network"].split(",")[0]
        cells.setdefault(line["method"], {}).setdefault(network, []).append(line)
    networks = list(dict.fromkeys(name for of in cells.values() for name in of))
    rows = []
    for method, of in cells.items():
        every = [line for each in of.values() for line in each]
        row = {"method": method, "passes": _range(every, "passes", "{:.0f}")}
        row["time / DDN-100"] = _range(every, "time / DDN-100", "{:.1f}")
        rows.append(row | {name: _cell(of.get(name, [])) for name in networks})
    return table(rows)


def _range(lines: list[dict[str, str]], key: str, form: str) -> str:
    values = [float(line[key]) for line in lines if line[key] != "-"]
    ends = [form.format(end(values)) for end in (min, max)] if values else ["-"]
    return " to ".join(dict.fromkeys(ends))


def _cell(lines: list[dict[str, str]]) -> str:
    failed = [line["failed"] for line in lines if line["failed"] != "0.0%"]
    if failed:
        return f"{', '.join(failed)} failed"
    if not lines:
        return "-"
    ratio = np.mean([float(line["mean / best"]) for line in lines])
    return f"{ratio:.4f} ({_range(lines, 'V_f / best', '{:.2f}')})"
