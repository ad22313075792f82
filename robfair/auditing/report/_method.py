"""The method of an audit, as terms and sentences."""

from __future__ import annotations

import numpy as np

from robfair._text import few, group_names, interval_title, sentence_number, visible
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._tables import fixed, groups_are_labels
from robfair.distance import METHODS

# Of a group within a label. With fewer the 95 % interval of its mean holds in 80 to 93 % of samples
# of skewed distances: benchmarks/bench_coverage_labels.py.
SMALL_CELL = 10
FEW_RIGHT = 5


def method_line(audit: AuditNumbers) -> str:
    """Name the method, the threat model, the cap on distances, and columns that may change."""
    cap = audit.settings["tau_max"]
    return (
        f"distance: {audit.distances.method}, {audit.distances.threat_model!r}"
        f"{'' if cap is None else f', capped at {cap:g}'}{_change_line(audit)}"
    )


def _change_line(audit: AuditNumbers) -> str:
    """Say what could change in a table, and how to say otherwise; "" where features are changed."""
    threat_model = audit.distances.threat_model
    if threat_model.mutable_columns is None:
        return ""
    columns = visible(few(threat_model.mutable_columns, 12))
    line = f". Rows that could exist; may change: {columns}"
    if threat_model.held_columns is None:
        return line
    line += " (the default for a table; threat_model=, or --mutable in a shell, says otherwise"
    if threat_model.table is not None:
        return f"{line})"
    return f"{line}, and ThreatModel() changes the input of the Pipeline's last step)"


def status_line(audit: AuditNumbers) -> str:
    """Count the samples by the status of their search."""
    meanings = {
        "skipped": " (the model is wrong there)",
        "censored": " (no change that flips them was found)",
    }
    counts = ", ".join(
        f"{n} {status}{meanings.get(status, '')}" for status, n in audit.distances.counts().items()
    )
    return f"{len(audit.distances)} samples: {counts}"


def check_line(audit: AuditNumbers) -> str | None:
    """Give the mean distances by the first search and by those that came after it."""
    if audit.check is None:
        return None
    quick, *others = audit.check.columns[1:]
    rows = audit.check[audit.check["n"] > 0]  # the means of other groups are NaN
    mean = rows.iloc[:, 1:].mul(rows["n"], axis=0).sum() / rows["n"].sum()
    parts = ", ".join(f'{sentence_number(mean[name])} by "{name}"' for name in (quick, *others))
    return f"{int(rows['n'].sum())} rows searched again: mean distance {parts}."


def notes(audit: AuditNumbers) -> list[str]:
    """Say how far the numbers can be trusted: second searches, proofs and warnings."""
    line = check_line(audit)
    lines = [] if line is None else [line]
    if "low" in audit.by_group:
        proven = audit.ordering()
        pairs = int(proven.to_numpy().sum())
        total = len(proven) * (len(proven) - 1) // 2
        lines.append(
            f"{pairs} of {total} pairs of groups are provably ordered: one is less robust "
            "than the other, whatever search or proof comes."
        )
    lines += filter(None, (empty_cells(audit), small_cells(audit)))
    return lines + [f"warning: {visible(text)}" for text in audit.warnings]


def empty_cells(audit: AuditNumbers) -> str:
    """Name groups without a row of some label, for which nothing can be standardised, or "".

    Groups that are the labels have hardly any other combination, and none is named.
    """
    sizes = audit.by_label["size"].to_numpy().reshape(len(audit.labels), -1)
    if sizes.all() or ((sizes > 0).sum(axis=0) == 1).all():
        return ""
    empty = group_names(audit.by_label.index[audit.by_label["size"] == 0])
    return (
        f"Measures with the same mix of labels are unknown, since there are no rows of "
        f"{few(empty)}."
    )


def small_cells(audit: AuditNumbers) -> str:
    """Name groups with so few rows of some label that intervals rest on little, or ""."""
    size = audit.by_label["size"].to_numpy()
    if audit.settings["confidence"] is None or len(audit.labels) < 2 or groups_are_labels(audit):
        return ""
    right = np.nan_to_num(size * audit.by_label["accuracy"].to_numpy()).round()
    small = (size > 0) & ((size < SMALL_CELL) | (right < FEW_RIGHT))
    if not small.any():
        return ""
    names = [
        f"{name} ({n})"
        for name, n in zip(group_names(audit.by_label.index[small]), size[small], strict=True)
    ]
    return (
        f"Intervals within {fixed(audit)} may be too narrow, and those of the measures with the "
        f"same mix rest on them, where there are fewer than {SMALL_CELL} rows, or than {FEW_RIGHT} "
        f"that are right: {few(names)}."
    )


def method_rows(audit: AuditNumbers) -> list[tuple[str, str]]:
    """List what the numbers depend on, each as a term and a sentence."""
    distances, settings = audit.distances, audit.settings
    norm = distances.threat_model.norm
    cap = settings["tau_max"]
    exact = set(distances.counts()) <= {"exact", "skipped"}
    unchecked = "not needed: the distances are exact" if exact else "none"
    rows = [
        ("Distance", f"{distances.method}: {METHODS[distances.method].summary}"),
        ("Norm", "L-inf, the largest change of a feature" if np.isinf(norm) else "L2, Euclidean"),
        ("Threat model", repr(distances.threat_model)),
        ("What may change", f"{settings['mutable']}{_how_chosen(audit)}"),
        ("Unit of distances", _unit(audit)),
        ("Cap on distances", "none" if cap is None else f"{cap:g} (tau_max)"),
        ("Searches", status_line(audit)),
        (
            "Passes through the model",
            # int32 for each row, and their sum may be larger
            f"{int(distances.n_forward.sum(dtype=np.int64)):,} forward, "
            f"{int(distances.n_backward.sum(dtype=np.int64)):,} backward",
        ),
        ("Second search", check_line(audit) or unchecked),
        ("Intervals", _intervals(audit)),
        ("Seed of the searches", str(settings["random_state"])),
    ]
    if settings["distance_options"]:
        options = ", ".join(f"{k} = {v}" for k, v in settings["distance_options"].items())
        rows.append(("Options of the distance", options))
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    return [*rows, ("Versions", versions), ("Date", settings["date"])]


def _how_chosen(audit: AuditNumbers) -> str:
    """Say that nobody has named what may change, and what to do about it."""
    if audit.distances.threat_model.held_columns is None:
        return ""
    return (
        ". This is the default for a table: all columns that can be read, but those of the groups. "
        "threat_model=, or --mutable in a shell, names others."
    )


def _unit(audit: AuditNumbers) -> str:
    threat_model = audit.distances.threat_model
    where = f"Changes are made to {audit.settings['space']}"
    if threat_model.unit is None and not threat_model.categories:
        return f"{where}, and measured in its units."
    text = f"{where}. Each number counts in the unit that the threat model gives its column"
    if threat_model.categories:
        text += f", and the change of a category counts {threat_model.category_cost:g}"
    return f"{text}."


def unit_words(audit: AuditNumbers) -> str:
    """Name the norm and the unit of distances, as a part of a sentence."""
    threat_model = audit.distances.threat_model
    norm = "L-inf" if np.isinf(threat_model.norm) else "L2"
    if threat_model.unit is not None or threat_model.categories:
        return f"{norm} in the units that the threat model gives the columns"
    behind = audit.settings["space"] != "X"  # of a Pipeline's transformers
    return f"{norm} in the units of the {'transformed ' if behind else ''}features"


def _intervals(audit: AuditNumbers) -> str:
    if (confidence := audit.settings["confidence"]) is None:
        return "none (confidence=None)"
    level = interval_title(confidence).removesuffix(" interval")
    how = f"{level}, from the mean, spread and skewness of each group"
    return ". ".join(filter(None, (how, small_cells(audit))))
