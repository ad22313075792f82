"""The tables of an audit and of a comparison, for every form in which they are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from robfair._tables import Cell, Table
from robfair._text import group_names, interval_title, table_number, visible
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report._discovered import discovered_tables
from robfair.metrics import find_measure

ALL_ROWS = "all rows"
ROWS_OF = 40  # groups of which single rows are shown: more make a report of megabytes
LABEL_ROWS = 60  # of the groups within labels: more are for programs, in by_label and JSON
ROUNDING = 1e-12  # what a part of a sum may have of it, where it is 0
ROB_TITLES = ("size", "accuracy", "mean distance", "Rob(P)")


def measure_table(audit: AuditNumbers, *, meanings: bool = True) -> Table:
    """Make a row per measure, with its intervals and, if wanted, its meaning."""
    return _measures(audit, audit.overall, meanings)


def standardized_table(audit: AuditNumbers) -> Table | None:
    """Make a row per measure with one mix of labels in every group; None where none is known."""
    known = label_table(audit) is not None and audit.standardized["value"].notna().any()
    return _measures(audit, audit.standardized, meanings=False) if known else None


def _measures(audit: AuditNumbers, frame: pd.DataFrame, meanings: bool) -> Table:
    sides = _sides(frame, audit)
    last = ("what it is",) if meanings else ()
    rows = [
        (
            _word(name),
            _value(row),
            *_intervals(row, sides),
            *(_word(find_measure(str(name)).meaning) for _ in last),
        )
        for name, row in frame.iterrows()
    ]
    return Table(("measure", "value", *sides, *last), tuple(rows))


def group_table(audit: AuditNumbers) -> Table:
    """Make a row per group: size, accuracy, mean distance, Rob(P), intervals, judgements."""
    sides = _sides(audit.by_group, audit)
    names = group_names(audit.by_group.index)
    rows = [
        (
            _word(name),
            *_rob_cells(row, sides),
            _word("below" if row["definition_5"] else ""),
            _word("vulnerable" if row["vulnerable"] else ""),
        )
        for name, (_, row) in zip(names, audit.by_group.iterrows(), strict=True)
    ]
    columns = (_partition(audit), *ROB_TITLES, *sides, "Definition 5", "vulnerable")
    return Table(columns, tuple(rows))


def label_table(audit: AuditNumbers) -> Table | None:
    """Make a row per label and group; None where there is one label, or too many rows to read."""
    frame = audit.by_label
    n_labels, n_groups = len(audit.labels), len(audit.by_group)
    if n_labels < 2 or len(frame) > LABEL_ROWS or groups_are_labels(audit):
        return None
    sides = _sides(frame, audit)
    labels = group_names(audit.labels.labels)
    groups = group_names(audit.by_group.index)
    rows = [
        (_word(labels[i // n_groups]), _word(groups[i % n_groups]), *_rob_cells(row, sides))
        for i, (_, row) in enumerate(frame.iterrows())
    ]
    label = visible(" / ".join(map(str, audit.labels.labels.names)))
    return Table((label, _partition(audit), *ROB_TITLES, *sides), tuple(rows))


def decomposition_table(audit: AuditNumbers) -> Table | None:
    """Make a row per group: what its difference from Rob(f) is made of; None as `label_table`."""
    if label_table(audit) is None or audit.decomposition.isna().all(axis=None):
        return None
    names = group_names(audit.by_group.index)
    parts = audit.decomposition.to_numpy()
    parts = np.where(np.abs(parts) <= ROUNDING * np.abs(parts).max(), 0.0, parts)
    rows = [(_word(name), *map(_number, row)) for name, row in zip(names, parts, strict=True)]
    mix = "labels' mix" if fixed(audit) == "labels" else "mix"
    columns = (_partition(audit), "Rob(P) - Rob(f)", mix, "accuracy", "distance")
    return Table(columns, tuple(rows))


def favorable_tables(audit: AuditNumbers) -> list[tuple[str, Table]]:
    """Make the table of decisions, with its caption; none where no label is favourable."""
    if audit.favorable is None:
        return []
    frame = audit.favorable
    sides = _sides(frame, audit)
    decisions = frame.index.get_level_values(0)
    groups = group_names(audit.by_group.index)
    rows = [
        (
            _word(decisions[i]),
            _word(groups[i % len(groups)]),
            _number(row["size"]),
            _number(row["mean_distance"]) if row["size"] else Cell("", ""),
            *_intervals(row, sides),
            Cell("", "") if np.isnan(row["beyond_median"]) else _number(row["beyond_median"]),
        )
        for i, (_, row) in enumerate(frame.iterrows())
    ]
    label = visible(str(audit.settings["favorable_label"]))
    caption = (
        f"How far decisions lie from changing, where {label} is favourable: a short distance takes "
        "a granted one away easily, and is a short way to the grant for a denied one"
    )
    titles = ("decision", _partition(audit), "size", "mean distance", *sides, "beyond the median")
    return [(caption, Table(titles, tuple(rows)))]


def sections(audit: AuditNumbers) -> list[tuple[str, str, list[tuple[str, Table]]]]:
    """List the sections after that of the groups: identifier, heading, captions and tables."""
    every = [
        ("labels", "Groups within labels", label_tables(audit)),
        ("favorable", "Favourable decisions", favorable_tables(audit)),
        ("beside", "Beside the distance", beside_tables(audit)),
        ("discovered", "Subgroups nobody named", discovered_tables(audit)),
    ]
    return [section for section in every if section[2]]


def fixed(audit: AuditNumbers) -> str:
    """Name what groups are compared within."""
    return "labels" if list(audit.labels.labels.names) == ["label"] else "control features"


def label_tables(audit: AuditNumbers) -> list[tuple[str, Table]]:
    """Return the tables that hold labels fixed, each with its title."""
    what = fixed(audit)
    tables = [
        (f"Groups within {what}", label_table(audit)),
        (f"Measures as if every group had the same mix of {what}", standardized_table(audit)),
        ("What each difference from Rob(f) is made of", decomposition_table(audit)),
    ]
    return [(title, table) for title, table in tables if table is not None]


def model_table(comparison: ComparisonNumbers) -> Table:
    """Make a row per model, each measure with its interval."""
    return _models({name: audit.overall for name, audit in comparison.audits.items()})


def model_standardized_table(comparison: ComparisonNumbers) -> Table | None:
    """Make a row per model, as `standardized_table`; None where none is known."""
    audits = comparison.audits.items()
    if all(standardized_table(audit) is None for _, audit in audits):
        return None
    return _models({name: audit.standardized for name, audit in audits})


def _models(frames: dict[str, pd.DataFrame]) -> Table:
    measures = next(iter(frames.values())).index
    rows = [
        (_word(name), *(_with_interval(frame.T[m], "value") for m in measures))
        for name, frame in frames.items()
    ]
    return Table(("model", *measures), tuple(rows))


def model_group_table(comparison: ComparisonNumbers) -> Table:
    """Make a row per group: its size, and its Rob(P) by each model."""
    audits = list(comparison.audits.values())
    first = audits[0].by_group
    rows = [
        (
            _word(name),
            _number(first["size"].iloc[i]),
            *(_with_interval(audit.by_group.iloc[i], "robustness") for audit in audits),
        )
        for i, name in enumerate(group_names(first.index))
    ]
    return Table((_partition(audits[0]), "size", *comparison.audits), tuple(rows))


def certified_table(comparison: ComparisonNumbers) -> Table | None:
    """Make a row per measure and group: its certified interval by each model; None without any."""
    audits = {name: a for name, a in comparison.audits.items() if "low" in a.by_group}
    if not audits:
        return None
    # All but accuracy, which is known exactly.
    tables = [pd.concat([a.overall.iloc[1:], a.by_group]) for a in audits.values()]
    first = next(iter(audits.values()))
    names = [*map(str, first.overall.index[1:]), *group_names(first.by_group.index)]
    rows = [
        (_word(name), *(_interval(*table[["low", "high"]].iloc[i]) for table in tables))
        for i, name in enumerate(names)
    ]
    return Table(("", *audits), tuple(rows))


def beside_tables(audit: AuditNumbers) -> list[tuple[str, Table]]:
    """Make the tables of what stands beside the distance, each with its caption.

    A row for all samples and one per group: the shares that withstand each eps, and metrics of
    fairness. None that was not asked for.
    """
    tables = []
    if len(audit.by_eps):
        caption = (
            "Withstands eps: the share of the rows that are right and that no change of this size "
            "was found to flip"
        )
        tables.append((caption, _eps_table(audit)))
    if not audit.metrics.empty:
        positive = audit.settings["positive_label"]
        of = "" if positive is None else f"; the positive class is {visible(str(positive))}"
        tables.append((f"Metrics of the predictions as they are{of}", _metric_table(audit)))
    return tables


def _eps_table(audit: AuditNumbers) -> Table:
    eps, size = audit.by_eps.index.unique("eps"), audit.by_group["size"].to_numpy()
    # (n_groups, n_eps, 3): each eps has the groups in their order.
    ends = audit.by_eps[["robust_accuracy", "lower", "upper"]].to_numpy()
    shares = ends.reshape(len(eps), len(size), 3).swapaxes(0, 1)
    total = [Cell(table_number(v), float(v)) for v in size @ shares[..., 0] / size.sum()]
    rows = [(_word(ALL_ROWS), *total)]
    for name, group in zip(group_names(audit.by_group.index), shares, strict=True):
        rows.append((_word(name), *(_share(*share) for share in group)))
    return Table((_partition(audit), *(f"eps {each:g}" for each in eps)), tuple(rows))


def _metric_table(audit: AuditNumbers) -> Table:
    names = [ALL_ROWS, *group_names(audit.by_group.index)]
    values = [audit.metrics_overall.to_numpy(), *audit.metrics.to_numpy()]
    titles = (visible(str(name).replace("_", " ")) for name in audit.metrics)
    rows = ((_word(n), *map(_number, row)) for n, row in zip(names, values, strict=True))
    return Table((_partition(audit), *titles), tuple(rows))


def row_table(audit: AuditNumbers) -> Table:
    """Tell the most easily flipped rows of the groups that have the lowest Rob(P)."""
    frame = audit.examples
    weakest = audit.by_group["robustness"].sort_values().index[:ROWS_OF]
    frame = frame[frame["group"].isin(list(weakest))]  # of tuples if columns are crossed
    # An index that only counts the rows would repeat their positions.
    indexed = "index" in frame and (frame["index"] != frame["row"]).any()
    rows = [
        (
            _word(group_names(pd.Index([row["group"]]))[0]),
            Cell(str(row["row"]), float(row["row"])),
            *([_word(row["index"])] if indexed else []),
            _word(f"from {row['label']} to {row['label after']}"),
            _number(row["distance"]),
            _word(row["changed"]),
        )
        for row in frame.to_dict(orient="records")
    ]
    place = ("row", "index") if indexed else ("row",)
    titles = (_partition(audit), *place, "decision", "distance", "what would have to change")
    return Table(titles, tuple(rows))


def groups_are_labels(audit: AuditNumbers) -> bool:
    """Tell whether each group has one label only, so that nothing can be compared within one."""
    sizes = audit.by_label["size"].to_numpy().reshape(len(audit.labels), -1)
    return bool(((sizes > 0).sum(axis=0) == 1).all())


def _rob_cells(row: pd.Series[Any], sides: dict[str, tuple[str, str]]) -> list[Cell]:
    columns = ("size", "accuracy", "mean_distance", "robustness")
    if not row["size"]:
        return [_number(0), *[Cell("", "")] * (len(columns) - 1 + len(sides))]
    return [*(_number(row[column]) for column in columns), *_intervals(row, sides)]


def _partition(audit: AuditNumbers) -> str:
    """Name the partition, if its columns have names."""
    names = [str(n) for n in audit.by_group.index.names if n is not None]
    return visible(" / ".join(names)) or "group"


def _sides(table: pd.DataFrame, audit: AuditNumbers) -> dict[str, tuple[str, str]]:
    """Map the title of each interval that the table has to the columns of its ends."""
    sides = {}
    if audit.settings["confidence"] is not None:
        sides[interval_title(audit.settings["confidence"])] = ("lower", "upper")
    return sides | ({"certified": ("low", "high")} if "low" in table else {})


def _intervals(row: pd.Series[Any], sides: dict[str, tuple[str, str]]) -> list[Cell]:
    return [_interval(row[low], row[high]) for low, high in sides.values()]


def _interval(low: float, high: float) -> Cell:
    if np.isnan(low):
        return Cell("", "")
    return Cell(f"{table_number(low)} to {table_number(high)}", float(low))


def _with_interval(row: pd.Series[Any], column: str) -> Cell:
    cell = _number(row[column])  # sorted by the value, not by the ends of its interval
    if np.isnan(row["lower"]):
        return cell
    return Cell(cell.text, cell.key, f"({_interval(row['lower'], row['upper']).text})")


def _value(row: pd.Series[Any]) -> Cell:
    """Write a value and, beside it, what is left of it without the part that noise adds."""
    cell = _number(row["value"])
    if np.isnan(row["corrected"]):
        return cell
    return Cell(cell.text, cell.key, f"({table_number(row['corrected'])} less noise)")


def _share(value: float, lower: float, upper: float) -> Cell:
    beside = "" if np.isnan(lower) else f"({_interval(lower, upper).text})"
    return Cell(table_number(value), float(value), beside)


def _number(value: Any) -> Cell:
    return Cell(table_number(value), "" if np.isnan(value) else float(value))


def _word(text: Any) -> Cell:
    shown = visible(str(text))  # a value of the data, or a name
    return Cell(shown, shown)
