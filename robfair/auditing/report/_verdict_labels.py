"""The sentences of a verdict on labels: where the order turns round, and what their mix makes.

Groups are compared within the true labels, or within the control features of the audit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robfair._text import few, group_names, sentence_number, visible
from robfair.auditing._checks import reverses
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._tables import ROUNDING, groups_are_labels

# Of the higher of two means: a smaller difference, where it may be chance, is not worth a word.
PLAIN = 0.1


class Within(NamedTuple):
    """Two groups within a label."""

    label: int
    low: int  # the group of the lower Rob(P) there
    high: int
    sure: bool  # whether they differ by more than the error of sampling


def differences(audit: AuditNumbers) -> list[Within]:
    """List the pairs of groups within labels, those that differ for sure and by most first."""
    found = [
        (-each.difference[i], Within(k, int(each.a[i]), int(each.b[i]), bool(each.apart[i])))
        for k, each in enumerate(audit.tests.within)
        for i in range(len(each.p))
    ]
    return [
        pair
        for _, pair in sorted(found, key=lambda each: (not each[1].sure, each))
        if not reverses(audit.check, audit.tests.cells[pair.label], pair.low, pair.high)
    ]


def turned(audit: AuditNumbers) -> list[Within]:
    """List where groups that differ over all labels lie the other way round within one."""
    pairs = audit.tests.pairs
    differ = set(zip(pairs.a[pairs.apart].tolist(), pairs.b[pairs.apart].tolist(), strict=True))
    return [
        pair
        for pair in differences(audit)
        if (pair.high, pair.low) in differ and (pair.sure or _is_plain(audit, pair))
    ]


def _is_plain(audit: AuditNumbers, pair: Within) -> bool:
    low, high = audit.tests.cells[pair.label][[pair.low, pair.high]]
    return bool(high - low >= PLAIN * high)


def turn_clause(audit: AuditNumbers, names: list[str], a: int, b: int) -> str:
    """Say where the order of two groups, `a` the lower one, turns round; else that of others."""
    every = turned(audit)
    these = [pair for pair in every if (pair.low, pair.high) == (b, a)]
    these = [pair for pair in these if pair.sure] or these
    if these and (these[0].sure or not every[0].sure):
        if len(these) > 1:
            told = (f"{rows(audit, pair.label)} ({_numbers(audit, names, pair)})" for pair in these)
            chance = "" if these[0].sure else "perhaps by chance "
            return f", but it is {chance}the other way round among {few(told)}"
        place, numbers = rows(audit, these[0].label), _numbers(audit, names, these[0])
        if these[0].sure:
            return f", but among {place} it is the other way round: {numbers}"
        return (
            f", but among these {place} it is the other way round, by what may be chance: {numbers}"
        )
    if not every or not every[0].sure:
        return ""
    first = every[0]
    return (
        f", but among {rows(audit, first.label)} the order of {names[first.high]} and "
        f"{names[first.low]} turns round: {_numbers(audit, names, first)}"
    )


def other_turns(audit: AuditNumbers, names: list[str], a: int, b: int) -> list[str]:
    """Name the other pairs of groups whose order turns round."""
    sentences = []
    for sure, words in (
        (True, "turns round, too"),
        (False, "is the other way round, which may be"),
    ):
        told = [
            f"{names[pair.high]} and {names[pair.low]} among {rows(audit, pair.label)} "
            f"({_numbers(audit, names, pair)})"
            for pair in turned(audit)
            if pair.sure == sure and (pair.low, pair.high) != (b, a)
        ]
        if told:
            chance = "" if sure else " chance"
            sentences.append(f"The order of other groups {words}{chance}: {few(told, 2)}.")
    return sentences


def mix_sentence(audit: AuditNumbers, a: int, b: int) -> list[str]:
    """Say what the labels' mix, accuracy and distance make of the difference of two groups."""
    if len(audit.labels) < 2 or groups_are_labels(audit):
        return []
    parts = audit.decomposition.iloc[b] - audit.decomposition.iloc[a]
    rounded = parts.where(parts.abs() > ROUNDING * parts.abs().max(), 0.0)
    total, mix, accuracy, distance = map(sentence_number, rounded)
    if not np.isfinite(parts).all():
        return []
    what = _within(audit)
    rest = f"accuracy within {what} {accuracy} and distance within {what} {distance}"
    share = parts["label_mix"] / parts["difference"]
    if share > 1:
        return [
            f"The groups' mix of {what} makes more than the whole difference of {total}: it makes "
            f"{mix}, {rest}."
        ]
    if share > 0.5:
        return [
            f"Most of the difference, {mix} of {total}, comes from the groups' mix of {what}; "
            f"{rest} make the rest."
        ]
    return [f"Of the difference of {total} the groups' mix of {what} makes {mix}, {rest}."]


def rows(audit: AuditNumbers, label: int) -> str:
    """Name the rows of a label, or of a value of the control features."""
    index = audit.labels.labels
    value = group_names(index)[label]
    if list(index.names) == ["label"]:
        return f"rows labelled {value}"
    return f"rows with {visible(' / '.join(map(str, index.names)))} {value}"


def _within(audit: AuditNumbers) -> str:
    names = audit.labels.labels.names
    return "labels" if list(names) == ["label"] else visible(" / ".join(map(str, names)))


def _numbers(audit: AuditNumbers, names: list[str], pair: Within) -> str:
    means = audit.tests.cells[pair.label]
    sides = (pair.low, pair.high)
    return ", ".join(f"{names[group]} {sentence_number(means[group])}" for group in sides)
