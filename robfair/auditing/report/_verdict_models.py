"""The verdict on several models.

They were audited on the same rows, and the difference of two of them is tested on these: intervals
of two models overlap where their difference is plain, and may lie apart where it is chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from robfair._text import Verdict, few, interval, sentence_number
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report._paired import PairedTests
from robfair.auditing.report._verdict import judge_audit


def judge_models(comparison: ComparisonNumbers) -> Verdict:
    """Say which of several models is best by V_f and by Rob(f), as far as can be told."""
    audits = comparison.audits
    if len(audits) == 1:
        name, only = next(iter(audits.items()))
        return Verdict(
            f"One model, {name}. {judge_audit(only).headline}", judge_audit(only).details
        )
    known = comparison.overall[["V_f", "Rob(f)", "CV"]]
    doubted = [name for name, audit in audits.items() if audit.doubts]
    known = known.loc[np.isfinite(known.to_numpy()).all(axis=1)].drop(doubted, errors="ignore")
    if len(known) < 2:
        return Verdict(
            "No verdict: V_f, CV and Rob(f) are known, and mean something, for fewer than two of "
            "the models.",
            tuple(f"{name}: {judge_audit(a).headline}" for name, a in audits.items()),
        )
    names = [str(name) for name in known.index]
    # The best one is chosen by what was seen, so that every two models count.
    tests = PairedTests(audits, combinations(names, 2))
    least = str(known["V_f"].idxmin())
    details = [_best(comparison, tests, names, "Rob(f)", str(known["Rob(f)"].idxmax()), "largest")]
    details.append(_best(comparison, tests, names, "CV", str(known["CV"].idxmin()), "smallest"))
    if known.loc[least, "Rob(f)"] < known["Rob(f)"].max():
        details.append(
            f"V_f falls with Rob(f), and {least} does not have the largest: read CV and the worst "
            "group beside it."
        )
    if doubted:
        details.append(
            f"Nothing is said of {few(doubted)}: the predictions tell nothing of the true labels."
        )
    unknown = [name for name in audits if name not in known.index and name not in doubted]
    if unknown:
        details.append(f"Nothing is said of {few(unknown)}: V_f, CV or Rob(f) is not known.")
    details += _limits(audits)
    return Verdict(_best(comparison, tests, names, "V_f", least, "smallest"), tuple(details))


def _limits(audits: Mapping[str, AuditNumbers]) -> list[str]:
    """Name reasons against comparing the models."""
    sentences = []
    methods = {audit.distances.method for audit in audits.values()}
    if len(methods) > 1:
        sentences.append(
            f"Distances come from different methods ({', '.join(sorted(methods))}), and a looser "
            "upper bound makes a model look better."
        )
    warned = [name for name, audit in audits.items() if audit.warnings]
    if warned:
        sentences.append(f"There are warnings for {few(warned)}, which limit what this can mean.")
    return sentences


def _best(
    comparison: ComparisonNumbers,
    tests: PairedTests,
    names: list[str],
    measure: str,
    best: str,
    word: str,
) -> str:
    """Name the best model by a measure, and those that it can and cannot be told from."""
    tables = {name: comparison.audits[name].overall.T[measure] for name in names}
    sentence = f"{measure} is {word} for {best}, {interval(tables[best], 'value')}"
    others = [name for name in names if name != best]
    against = ", ".join(f"{name} {sentence_number(tables[name]['value'])}" for name in others)
    sentence += f", against {against}"
    same = [name for name in others if not tests.differ(measure, best, name)]
    if not same:
        return f"{sentence}: by more than the error of sampling."
    if len(same) == len(others):
        return f"{sentence}: no more than chance can make of models that are equal in it."
    return (
        f"{sentence}: by more than the error of sampling, except against {few(same)}, where it may "
        "be chance."
    )
