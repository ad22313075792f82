"""The verdict of an audit: a sentence that claims no more than its numbers do.

It keeps three kinds of doubt apart. Another sample of people would give other numbers: groups are
compared two by two, corrected for the number of pairs (Holm), since among forty equal groups some
two have intervals that do not overlap. Distances by a search are upper bounds: if
a second search reverses the order, nothing is claimed. And certified bounds prove an order of these
samples, whatever search comes, but say nothing of other people.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robfair._groups import SMALL_GROUP
from robfair._text import Verdict, few, group_names, interval, sentence_number
from robfair.auditing._checks import LEAST
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._pairs import GroupPairs, error_level, holm, pair_groups
from robfair.distance import METHODS


def judge_audit(audit: AuditNumbers) -> Verdict:
    """Say whether some group is easier to attack than another."""
    table = audit.by_group
    names = group_names(table.index)
    if doubts := audit.doubts:
        return Verdict(
            f"No verdict: nothing can be concluded from these labels. {_sentence(doubts[0])}",
            (*map(_sentence, doubts[1:]), *_left_out(audit, names)),
        )
    if len(table) == 1:
        return Verdict(f"No comparison: all samples are in one group, {names[0]}.")
    # Of fewer rows neither the spread nor the skewness is known.
    usable = np.isfinite(table["robustness"]) & (table["size"] >= SMALL_GROUP)
    left_out = _left_out(audit, names)
    if usable.sum() < 2:
        return Verdict(
            "No verdict: fewer than two groups have a known Rob(P) and at least "
            f"{SMALL_GROUP} samples.",
            tuple(left_out),
        )
    pairs = pair_groups(audit, np.flatnonzero(usable))
    level = error_level(audit)
    apart = holm(pairs.p, level)
    trust = [*_distances(audit), *_capped(audit), *left_out, *_warned(audit)]
    # The pair that lies farthest apart: of those that differ for sure, if there are any.
    candidates = apart if apart.any() else np.ones_like(apart)
    chosen = int(np.argmax(np.where(candidates, pairs.difference, -1.0)))
    a, b = int(pairs.a[chosen]), int(pairs.b[chosen])
    if not apart.any():
        headline = (
            "No difference between groups is larger than the error of sampling: Rob(P) is lowest "
            f"for {names[a]}, {_rob(audit, a)}, and highest for {names[b]}, {_rob(audit, b)}."
        )
        details = [_unseen(pairs, chosen, level), *_proven_pairs(audit), *trust]
        return Verdict(headline, tuple(details))
    proven = _proven(audit, names, a, b)
    if _reversed(audit, a, b):
        headline = (
            f"No verdict: by these distances {names[a]} has a lower Rob(P) than {names[b]} "
            f"({_rob(audit, a)} against {_rob(audit, b)}), but shorter distances by a second "
            "search on some rows reverse the order."
        )
        return Verdict(headline, (*proven, *trust))
    headline, cause = _difference(audit, names, a, b)
    others = [*_lower_still(audit, names, a, usable.to_numpy())]
    if len(apart) > 1:
        count = f"{int(apart.sum()):,} of {len(apart):,} pairs of groups"
        others.insert(0, f"{count} differ by more than the error of sampling.")
    return Verdict(headline, (cause, *others, *proven, *trust))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _reversed(audit: AuditNumbers, a: int, b: int) -> bool:
    """Tell whether the second searches, if there are enough of them, reverse the order."""
    if audit.check is None or (audit.check["n"].iloc[[a, b]] < LEAST).any():
        return False
    searches = audit.check.iloc[[a, b], 1:]
    # The factor by which other searches shorten the first one's distances, by group.
    shrink = (searches.min(axis=1) / searches.iloc[:, 0]).to_numpy()
    rob = audit.by_group["robustness"].iloc[[a, b]].to_numpy() * shrink
    return bool(rob[0] >= rob[1])


def _difference(audit: AuditNumbers, names: list[str], i: int, j: int) -> tuple[str, str]:
    """Name the group that is easier to attack, and say whether distances or errors make it so."""
    a, b = names[i], names[j]
    table = audit.by_group.iloc[[i, j]]
    accuracy, mean, rob = (table[c].tolist() for c in ("accuracy", "mean_distance", "robustness"))
    numbers = f"For {a} Rob(P) is {_rob(audit, i)} against {_rob(audit, j)} for {b}"
    told = f"mean distance {sentence_number(mean[0])} against {sentence_number(mean[1])}"
    right = f"accuracy {sentence_number(accuracy[0])} against {sentence_number(accuracy[1])}"
    more = "by more than the error of sampling"
    if accuracy[0] == 0:
        return f"{numbers}: the model is wrong on every row of {a}.", f"That is: {right}."
    # Rob(P) is accuracy times mean distance: the part of the ratio that the distances make.
    nearer = math.log(mean[1] / mean[0]) / math.log(rob[1] / rob[0]) if mean[0] > 0 else 1.0
    # The quarters are a choice: what makes less of the difference than one is not named a cause.
    if nearer < 0.25:
        return (
            f"{numbers}: {a} withstands less, {more}, because the model is wrong there more often.",
            f"Rows of {a} that are classified correctly lie about as far from the decision "
            f"boundary as those of {b}, or farther ({told}; {right}).",
        )
    cause = f"Its rows lie nearer to the decision boundary ({told}; {right})."
    if nearer <= 0.75:
        cause = (
            f"Its rows lie nearer to the decision boundary ({told}), and the model is wrong there "
            f"more often ({right})."
        )
    return f"{numbers}: {a} is easier to attack, {more}.", cause


def _unseen(pairs: GroupPairs, chosen: int, level: float) -> str:
    least = pairs.least(chosen, level)
    return (
        "This does not show that there is none: between these two, a difference of less than "
        f"{sentence_number(least)} cannot be told from chance."
    )


def _lower_still(
    audit: AuditNumbers, names: list[str], a: int, usable: NDArray[np.bool_]
) -> list[str]:
    """Name groups of a lower Rob(P) that too few samples stand behind."""
    rob = audit.by_group["robustness"].to_numpy()
    lower = [names[i] for i in np.flatnonzero(usable & (rob < rob[a]))]
    if not lower:
        return []
    return [f"Rob(P) is lower still for {few(lower)}, but there are too few samples there to tell."]


def _left_out(audit: AuditNumbers, names: list[str]) -> list[str]:
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
    return [
        "The distances come from a search and bound the true ones from above."
        + (" No second search has checked them." if unchecked else "")
    ]


def _warned(audit: AuditNumbers) -> list[str]:
    n = len(audit.warnings)
    warnings = f"{n} warnings, which limit" if n > 1 else "a warning, which limits"
    return [f"The audit gives {warnings} what this can mean."] if n else []


def _proven(audit: AuditNumbers, names: list[str], a: int, b: int) -> list[str]:
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


def _proven_pairs(audit: AuditNumbers) -> list[str]:
    """Say how many orders are certified, where none is larger than the error of sampling."""
    if "low" not in audit.by_group:
        return []
    proven = audit.ordering().to_numpy()
    pairs = len(proven) * (len(proven) - 1) // 2  # each can be proven in one direction only
    return [
        f"On these very samples {int(proven.sum()):,} of {pairs:,} pairs "
        "of groups are provably ordered; that says nothing of other people."
    ]


def _capped(audit: AuditNumbers) -> list[str]:
    cap = audit.settings["tau_max"]
    correct = audit.y_true == audit.distances.predicted
    if cap is None or not (n := int((correct & (audit.distances.distance >= cap)).sum())):
        return []
    return [
        f"Distances are capped at {cap:g}, which {n:,} of {int(correct.sum()):,} rows reach: what "
        "lies beyond is not compared."
    ]


def _rob(audit: AuditNumbers, position: int) -> str:
    row = audit.by_group.iloc[position]
    return interval(row, "robustness", audit.settings["confidence"])
