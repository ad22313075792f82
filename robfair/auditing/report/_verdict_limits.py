"""The sentences of a verdict on what it leaves open: searches, caps, groups left out, proofs."""

from __future__ import annotations

import numpy as np

from robfair._groups import SMALL_GROUP
from robfair._text import few
from robfair.auditing._numbers import AuditNumbers
from robfair.distance import METHODS


def limits(audit: AuditNumbers, names: list[str]) -> list[str]:
    """Say how far a verdict holds, a sentence for each reason."""
    return [*_distances(audit), *_capped(audit), *left_out(audit, names), *_warned(audit)]


def left_out(audit: AuditNumbers, names: list[str]) -> list[str]:
    """Name the groups that the comparison leaves out, and say why."""
    table = audit.by_group
    unknown = ~np.isfinite(table["robustness"].to_numpy())
    size = table["size"].to_numpy()
    censored = [name for name, out in zip(names, unknown, strict=True) if out]
    small = [
        f"{name} ({n})"
        for name, n, out in zip(names, size, unknown, strict=True)
        if n < SMALL_GROUP and not out
    ]
    reasons = [
        "some of the rows could not be flipped, so that Rob(P) is unknown (audit with tau_max= to "
        "cap the distances)",
        f"fewer than {SMALL_GROUP} samples are too few",
    ]
    left_out = zip((censored, small), reasons, strict=True)
    return [f"Nothing is said of {few(who)}: {reason}." for who, reason in left_out if who]


def _distances(audit: AuditNumbers) -> list[str]:
    """Say what is known of the distances themselves."""
    distances = audit.distances
    counts = distances.counts()
    if not counts.get("found") and not counts.get("censored"):
        return ["The distances are exact, so that only the error of sampling is left."]
    method = METHODS[distances.method]
    if method.proves == "neither":
        return [f'Distances by "{method.name}" bound the true ones from neither side.']
    unchecked = audit.check is None and method.checked_by
    of_a_search = "The distances come from a search and bound the true ones from above."
    if exact := counts.get("exact"):
        known = exact + counts.get("found", 0) + counts.get("censored", 0)
        of_a_search = (
            f"Of {known:,} distances {exact:,} are exact; the others come from a search and bound "
            "the true ones from above."
        )
    return [of_a_search + (" No second search has checked them." if unchecked else "")]


def _warned(audit: AuditNumbers) -> list[str]:
    n = len(audit.warnings)
    warnings = f"{n} warnings, which limit" if n > 1 else "a warning, which limits"
    return [f"The audit gives {warnings} what this can mean."] if n else []


def _capped(audit: AuditNumbers) -> list[str]:
    cap = audit.settings["tau_max"]
    correct = audit.y_true == audit.distances.predicted
    if cap is None or not (n := int((correct & (audit.distances.distance >= cap)).sum())):
        return []
    return [
        f"Distances are capped at {cap:g}, which {n:,} of {int(correct.sum()):,} rows reach: what "
        "lies beyond is not compared."
    ]


def proven(audit: AuditNumbers, names: list[str], a: int, b: int) -> list[str]:
    """Say whether the order of two groups is certified."""
    if "low" not in audit.by_group:
        return []
    if bool(audit.ordering().iloc[a, b]):
        return [
            f"That {names[a]} is less robust than {names[b]} is proven for these samples, "
            "whatever search comes."
        ]
    return [
        f"For these samples it is not proven: the certified intervals of {names[a]} and {names[b]} "
        "overlap, so that a better search could change the order."
    ]


def proven_pairs(audit: AuditNumbers) -> list[str]:
    """Say how many orders are certified, where none is larger than the error of sampling."""
    if "low" not in audit.by_group:
        return []
    proven = audit.ordering().to_numpy()
    pairs = len(proven) * (len(proven) - 1) // 2  # each can be proven in one direction only
    return [
        f"On these very samples {int(proven.sum()):,} of {pairs:,} pairs "
        "of groups are provably ordered; that says nothing of other people."
    ]
