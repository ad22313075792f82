"""How an audit was measured, as terms and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from robfair.auditing._audit import Audit

__all__ = ["method_rows"]

METHODS = {
    "linear": "exact for affine models",
    "exact": "exact, for decision trees and small ReLU networks",
    "decision": "a search that sees nothing but predicted labels",
    "auto": "a search along the decision boundary",
    "strong": "the least of many searches",
    "deepfool": "DeepFool: quick, and loose",
    "paper": "DeepFool's last two steps averaged (FARMUR, Eq. 8), kept for reproduction",
}


def method_rows(audit: Audit) -> list[tuple[str, str]]:
    """Tell how the numbers came about.

    Parameters
    ----------
    audit : Audit
        The numbers.

    Returns
    -------
    list of tuple of (str, str)
        A term and what is to be said of it.
    """
    found, settings = audit.distances, audit.settings
    norm = found.threat_model.norm
    cap = settings["tau_max"]
    rows = [
        ("Distance", f"{found.method}: {METHODS[found.method]}"),
        ("Norm", "L-inf, the largest change of a feature" if np.isinf(norm) else "L2, Euclidean"),
        ("Threat model", repr(found.threat_model)),
        ("What may change", settings["mutable"]),
        ("Unit of distances", _unit(audit)),
        ("Cap on distances", "none" if cap is None else f"{cap:g} (tau_max)"),
        ("Searches", audit.status_line()),
        (
            "Passes through the model",
            f"{int(found.n_forward.sum(dtype=np.int64)):,} forward, "
            f"{int(found.n_backward.sum(dtype=np.int64)):,} backward",
        ),
        *_check(audit),
        ("Intervals", _bootstrap(audit)),
    ]
    if settings["distance_options"]:
        options = ", ".join(f"{k} = {v}" for k, v in settings["distance_options"].items())
        rows.append(("Options of the distance", options))
    versions = ", ".join(f"{name} {version}" for name, version in settings["versions"].items())
    return [*rows, ("Versions", versions), ("Date", settings["date"])]


def _unit(audit: Audit) -> str:
    threat_model = audit.distances.threat_model
    where = f"Changes are made to {audit.settings['space']}"
    if threat_model.unit is None and not threat_model.categories:
        return f"{where}, and measured in its units."
    text = f"{where}. Each number counts in the unit that the threat model gives its column"
    if threat_model.categories:
        text += f", and the change of a category counts {threat_model.category_cost:g}"
    return f"{text}."


def _check(audit: Audit) -> list[tuple[str, str]]:
    if audit.check is None:
        exact = set(audit.distances.counts()) <= {"exact", "skipped"}
        return [("Second search", "not needed: the distances are exact" if exact else "none")]
    return [("Second search", note) for note in audit.notes()[:1]]


def _bootstrap(audit: Audit) -> str:
    settings = audit.settings
    if settings["n_boot"] is None:
        return "none (n_boot=None)"
    return (
        f"{100 * settings['confidence']:g} %, percentile bootstrap within the groups, "
        f"{settings['n_boot']:,} samples, seed {settings['random_state']}"
    )
