"""The verdict of an audit: plain words first, which claim no more than its numbers do.

It keeps three kinds of doubt apart. Another sample of people would give other numbers: groups are
compared two by two, over all labels and within each, corrected for the number of tests (Holm),
since among forty equal groups some two have intervals that do not overlap. Distances by a search
are upper bounds: if a second search reverses the order, nothing is claimed. And certified bounds
prove an order of these samples, whatever search comes, but say nothing of other people.
"""

from __future__ import annotations

import math

import numpy as np

from robfair._group_tests import usable_groups
from robfair._groups import SMALL_GROUP
from robfair._text import Verdict, few, group_names, interval, sentence_number
from robfair.auditing._checks import reverses
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._method import unit_words
from robfair.auditing.report._verdict_labels import (
    differences,
    mix_sentence,
    other_turns,
    rows,
    turn_clause,
)
from robfair.auditing.report._verdict_limits import left_out, limits, proven, proven_pairs


def judge_audit(audit: AuditNumbers) -> Verdict:
    """Say whether some group is easier to attack than another."""
    table = audit.by_group
    names = group_names(table.index)
    if doubts := audit.doubts:
        return Verdict(
            f"No verdict: nothing can be concluded from these labels. {_sentence(doubts[0])}",
            (*map(_sentence, doubts[1:]), *left_out(audit, names)),
        )
    if len(table) == 1:
        return Verdict(f"No comparison: all samples are in one group, {names[0]}.")
    if usable_groups(audit.tests.means).sum() < 2:
        return Verdict(
            "No verdict: fewer than two groups have a known Rob(P) and at least "
            f"{SMALL_GROUP} samples.",
            tuple(left_out(audit, names)),
        )
    pairs = audit.tests.pairs
    pair = _widest(audit)
    if pair is None:
        return _no_difference(audit, names)
    a, b = pair
    if reverses(audit.check, table["robustness"].to_numpy(), a, b):
        headline = (
            f"No verdict: by these distances {names[a]} has a lower Rob(P) than {names[b]} "
            f"({_rob(audit, a)} against {_rob(audit, b)}), but shorter distances by a second "
            "search on some rows reverse the order."
        )
        return Verdict(headline, (*proven(audit, names, a, b), *limits(audit, names)))
    headline, cause = _difference(audit, names, a, b)
    others = [*other_turns(audit, names, a, b), *_lower_still(audit, names, a)]
    if len(pairs.p) > 1:
        count = f"{int(pairs.apart.sum()):,} of {len(pairs.p):,} pairs of groups"
        others.insert(0, f"{count} differ by more than the error of sampling.")
    details = (*cause, *others, *proven(audit, names, a, b), *limits(audit, names))
    return Verdict(headline, details)


def widest_pair(audit: AuditNumbers) -> tuple[int, int] | None:
    """Return the lower and the higher of the groups that a verdict says to differ, or None."""
    pair = _widest(audit)
    if pair is None or audit.doubts:
        return None
    return None if reverses(audit.check, audit.by_group["robustness"].to_numpy(), *pair) else pair


def _widest(audit: AuditNumbers) -> tuple[int, int] | None:
    """Return, of the pairs that differ for sure, the one that lies farthest apart."""
    pairs = audit.tests.pairs
    if not pairs.apart.any():
        return None
    chosen = int(np.argmax(np.where(pairs.apart, pairs.difference, -1.0)))
    return int(pairs.a[chosen]), int(pairs.b[chosen])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _no_difference(audit: AuditNumbers, names: list[str]) -> Verdict:
    """Say that no two groups differ for sure, and between which two that was closest."""
    pairs, level = audit.tests.pairs, audit.tests.level
    chosen = int(np.argmax(pairs.difference))
    a, b = int(pairs.a[chosen]), int(pairs.b[chosen])
    extremes = f"lowest for {names[a]}, {_rob(audit, a)}, and highest for {names[b]}"
    extremes = f"{extremes}, {_rob(audit, b)}"
    headline = "o difference between groups is larger than the error of sampling"
    least = sentence_number(pairs.least(chosen, level))
    unseen = (
        "This does not show that there is none: between these two, a difference of less than "
        f"{least} cannot be told from chance."
    )
    details = [unseen, *proven_pairs(audit), *limits(audit, names)]
    within = next((pair for pair in differences(audit) if pair.sure), None)
    if within is None:
        return Verdict(f"N{headline}: Rob(P) is {extremes}.", tuple(details))
    means = audit.tests.cells[within.label]
    low, high = (sentence_number(means[group]) for group in (within.low, within.high))
    return Verdict(
        f"Over all rows n{headline}, but among {rows(audit, within.label)} {names[within.low]} "
        f"withstands less than {names[within.high]}: Rob(P) is {low} against {high}.",
        (f"Over all rows Rob(P) is {extremes}.", *details),
    )


def _difference(
    audit: AuditNumbers, names: list[str], i: int, j: int
) -> tuple[str, tuple[str, ...]]:
    """Say in plain words which group withstands less, then in numbers, and what makes it so."""
    a, b = names[i], names[j]
    table = audit.by_group.iloc[[i, j]]
    accuracy, mean, rob = (table[c].tolist() for c in ("accuracy", "mean_distance", "robustness"))
    numbers = (
        "The mean distance to the decision boundary, 0 for a row on which the model is wrong "
        f"(Rob(P)), is {_rob(audit, i)} for {a} against {_rob(audit, j)} for {b}, "
        f"{unit_words(audit)}: more than the error of sampling can make."
    )
    told = f"mean distance {sentence_number(mean[0])} against {sentence_number(mean[1])}"
    right = f"accuracy {sentence_number(accuracy[0])} against {sentence_number(accuracy[1])}"
    mix = mix_sentence(audit, i, j)
    if accuracy[0] == 0:
        return f"The model is wrong on every row of {a}.", (numbers, f"That is: {right}.", *mix)
    turn = turn_clause(audit, names, i, j)
    # Rob(P) is accuracy times mean distance: the part of the ratio that the distances make.
    nearer = math.log(mean[1] / mean[0]) / math.log(rob[1] / rob[0]) if mean[0] > 0 else 1.0
    # The quarters are a choice: what makes less of the difference than one is not named a cause.
    if nearer < 0.25:
        return (
            f"The model withstands less for {a} than for {b}, because it is wrong there more "
            f"often{turn}.",
            (
                numbers,
                f"Rows of {a} that are classified correctly lie about as far from the decision "
                f"boundary as those of {b}, or farther ({told}; {right}).",
                *mix,
            ),
        )
    cause = f"Rows of {a} lie nearer to the decision boundary ({told}; {right})."
    if nearer <= 0.75:
        cause = (
            f"Rows of {a} lie nearer to the decision boundary ({told}), and the model is wrong "
            f"there more often ({right})."
        )
    headline = f"A small change flips the decision for {a} more easily than for {b}{turn}."
    return headline, (numbers, cause, *mix)


def _lower_still(audit: AuditNumbers, names: list[str], a: int) -> list[str]:
    """Name groups of a lower Rob(P) that too few samples stand behind."""
    rob = audit.tests.means.mean
    usable = usable_groups(audit.tests.means)
    lower = [names[i] for i in np.flatnonzero(usable & (rob < rob[a]))]
    if not lower:
        return []
    return [f"Rob(P) is lower still for {few(lower)}, but there are too few samples there to tell."]


def _rob(audit: AuditNumbers, position: int) -> str:
    row = audit.by_group.iloc[position]
    return interval(row, "robustness", audit.settings["confidence"])
