"""The verdict on models against a baseline."""

from __future__ import annotations

import numpy as np

from robfair._text import Verdict, sentence_number
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report._paired import PairedTests
from robfair.metrics import AUDIT_MEASURES

UNFAIRNESS = ("V_f", "CV")  # CV too, since V_f falls when every group is easier to attack


def judge_against(comparison: ComparisonNumbers, baseline: str) -> Verdict:
    """Say of each model whether V_f and CV are lower than those of a baseline, and at what cost.

    Raises ValueError if `baseline` is not one of the models, or is the only one.
    """
    others = [name for name in comparison.audits if name != baseline]
    if baseline not in comparison.audits or not others:
        raise ValueError(
            f"baseline must be one of at least two models; got {baseline!r} and the models "
            f"{list(comparison.audits)}."
        )
    before = comparison.audits[baseline]
    if before.doubts:
        return Verdict(f"No verdict: nothing can be concluded of {baseline}: {before.doubts[0]}")
    doubts = {name: comparison.audits[name].doubts for name in others}
    pairs = [(baseline, name) for name in others if not doubts[name]]
    tests = PairedTests(comparison.audits, pairs, UNFAIRNESS)
    sentences = []
    for name in others:
        after = comparison.audits[name]
        if doubts[name]:
            sentences.append(f"Nothing can be concluded of {name}: {doubts[name][0]}")
            continue
        for measure in UNFAIRNESS:
            differ = tests.differ(measure, baseline, name)
            sentences.append(_lowered(measure, baseline, before, name, after, differ))
        sentences += [
            _change(measure.symbol, before, after, baseline, name)
            for measure in AUDIT_MEASURES
            if measure.greater_is_better
        ]
    return Verdict(sentences[0], tuple(sentences[1:]))


def _lowered(
    measure: str, baseline: str, before: AuditNumbers, name: str, after: AuditNumbers, differ: bool
) -> str:
    """Compare a measure of unfairness, and tell whether the difference may be chance."""
    old, new = (float(a.overall["value"][measure]) for a in (before, after))
    if np.isnan([old, new]).any():
        return f"{measure} of {name} cannot be compared with that of {baseline}: it is unknown."
    word = "lower" if new < old else "not lower"
    sure = "by more than the error of sampling" if differ else "a difference that may be chance"
    return (
        f"{measure} is {word} for {name} than for {baseline}: {sentence_number(new)} against "
        f"{sentence_number(old)} ({sure})."
    )


def _change(
    measure: str, before: AuditNumbers, after: AuditNumbers, baseline: str, name: str
) -> str:
    """Tell a change of a measure that should be high, in the digits in which it is shown."""
    old, new = (float(a.overall["value"][measure]) for a in (before, after))
    was, now = sentence_number(old), sentence_number(new)
    if was == now:  # "rises from 0.5 to 0.5" would puzzle
        return f"For {name} {measure} stays at {was}."
    if np.isnan([old, new]).any():
        return f"{measure} is {was} for {baseline} and {now} for {name}."
    return f"For {name} {measure} {'rises' if new > old else 'falls'} from {was} to {now}."
