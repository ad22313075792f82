"""Steps that may follow an audit: what robfair offers, why here, and what it costs here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robfair._groups import SMALL_GROUP
from robfair._text import few, group_names, sentence_number, visible
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._tables import fixed
from robfair.auditing.report._verdict import widest_pair
from robfair.distance import METHODS

# Passes of "strong" for a row of a network, at most: 408 to 443 in benchmarks/bench_distance.py. In
# tables of categories and integers it makes four times as many as "auto".
STRONG_PASSES, STRONG_TIMES = 450, 4
TRAINING_PASSES = 24  # of TRADES for a row and epoch: benchmarks/bench_recipes.py
HOPELESS = 100  # times as many rows: nobody collects them


class Step(NamedTuple):
    """A step: a sentence, the code, the reason and the cost."""

    do: str
    code: str  # or ""
    why: str
    cost: str


def next_steps(audit: AuditNumbers) -> list[Step]:
    """List steps, those that the numbers ask for first: doubts, rows, distances, remedies."""
    if audit.doubts:
        do = "Check that y, the rows of X and the model belong together, and audit again."
        return [Step(do, "", _sentence(audit.doubts[0]), _again(audit))]
    names = group_names(audit.by_group.index)
    return [
        *_threat_model(audit),
        *_cap(audit, names),
        *_small_groups(audit, names),
        *_more_rows(audit, names),
        *_search(audit),
        *_proof(audit),
        *_remedy(audit, names),
        *_decisions(audit),
        *_subgroups(audit),
    ]


def _threat_model(audit: AuditNumbers) -> list[Step]:
    if audit.distances.threat_model.held_columns is None:
        return []
    why = f"Nobody has, and by default these may change: {audit.settings['mutable']}."
    return [
        Step(
            "Name the columns that somebody could change.",
            "threat_model=ThreatModel.from_frame(X, mutable=[...])",
            visible(why),
            _again(audit),
        )
    ]


def _cap(audit: AuditNumbers, names: list[str]) -> list[Step]:
    known = np.isfinite(audit.by_group["robustness"].to_numpy())
    distance = audit.distances.distance
    found = distance[np.isfinite(distance)]
    if known.all() or not found.any():
        return []
    n = int(np.isinf(distance).sum())
    unknown = [name for name, is_known in zip(names, known, strict=True) if not is_known]
    return [
        Step(
            "Cap the distances, at the greatest that was found or at one that matters.",
            f"tau_max={sentence_number(found.max())}",
            f"No search flipped {n:,} of the rows, so that Rob(P) is unknown for {few(unknown)}.",
            _again(audit),
        )
    ]


def _small_groups(audit: AuditNumbers, names: list[str]) -> list[Step]:
    sizes = audit.by_group["size"].tolist()
    small = [(name, n) for name, n in zip(names, sizes, strict=True) if n < SMALL_GROUP]
    if not small:
        return []
    missing = sum(SMALL_GROUP - n for _, n in small)
    return [
        Step(
            f"Audit at least {SMALL_GROUP} rows of each group, better hundreds.",
            "",
            f"There are too few of {few([f'{name} ({n})' for name, n in small])}.",
            f"{missing:,} rows more of these groups at least.",
        )
    ]


def _more_rows(audit: AuditNumbers, names: list[str]) -> list[Step]:
    """Say how many rows would show the difference that was found, where chance could make it."""
    pairs = audit.tests.pairs
    if not len(pairs.p) or pairs.apart.any():
        return []
    i = int(np.argmax(pairs.difference))
    a, b = int(pairs.a[i]), int(pairs.b[i])
    found, least = float(pairs.difference[i]), pairs.least(i, audit.tests.level)
    # The error of sampling falls as the square root of the number of rows.
    times = (least / found) ** 2 if found > 0 else np.inf
    if times > HOPELESS:
        return []
    n = int(audit.by_group["size"].iloc[[a, b]].sum())
    return [
        Step(
            "Audit more rows.",
            "",
            f"{names[a]} and {names[b]} differ by {sentence_number(found)}; a difference of "
            f"{sentence_number(least)} could be told from chance on these rows, and a smaller one "
            "on more.",
            f"At least {times:.1f} times the {n:,} rows of the two, if the difference stays.",
        )
    ]


def _search(audit: AuditNumbers) -> list[Step]:
    """Offer longer searches where distances are not exact."""
    distances = audit.distances
    counts, method = distances.counts(), METHODS[distances.method]
    searched = counts.get("found", 0) + counts.get("censored", 0)
    if not searched or method.name == "strong":
        return []
    if method.proves == "exact":
        why = f"The search ended before {searched:,} of the distances were proven."
        return [
            Step("Search longer.", "budget=..., time_limit=...", why, _again(audit, "more than"))
        ]
    why = "The distances come from a search, and the true ones may be shorter."
    if method.name == "decision":
        budget = 2 * int(distances.n_forward.max())
        return [
            Step("Search longer.", f"budget={budget}", why, _again(audit, "up to twice as much as"))
        ]
    if distances.threat_model.is_mixed:
        cost = _again(audit, f"about {STRONG_TIMES} times as much as")
    else:
        passes = STRONG_PASSES * (len(distances) - counts.get("skipped", 0))
        cost = f"Up to {passes:,} passes; this audit took {_effort(audit)}."
    return [Step("Take the least of many searches.", 'method="strong"', why, cost)]


def _proof(audit: AuditNumbers) -> list[Step]:
    """Offer certified bounds for networks in a norm ball."""
    distances = audit.distances
    networks = METHODS[distances.method].sees == "logits" or distances.method == "auto"
    proven = METHODS[distances.method].proves == "exact" or distances.lower is not None
    if not networks or proven or distances.threat_model.is_mixed:
        return []
    return [
        Step(
            "Bound the distances from below, too.",
            "certify=True",
            "Such bounds hold whatever search comes, and can prove which group withstands less on "
            "these rows.",
            f"For each of {len(distances):,} rows milliseconds in a small dense network, seconds "
            "in a convolutional one. Bounds of large networks say little.",
        )
    ]


def _remedy(audit: AuditNumbers, names: list[str]) -> list[Step]:
    """Offer what acts on the part that makes most of a difference."""
    pair = widest_pair(audit)
    if pair is None:
        return []
    a, b = (names[i] for i in pair)
    parts = (audit.decomposition.iloc[pair[1]] - audit.decomposition.iloc[pair[0]]).to_dict()
    total = parts.pop("difference")
    known = bool(np.isfinite(list(parts.values())).all())
    main = max(parts, key=lambda part: parts[part]) if known else "distance"
    what = fixed(audit)
    words = {"label_mix": f"the groups' mix of {what}", "accuracy": f"accuracy within {what}"}
    why = (
        f"Of the difference of {sentence_number(total)} between {a} and {b} "
        f"{words.get(str(main), f'distance within {what}')} makes {sentence_number(parts[main])}."
    )
    if main == "label_mix":
        return [
            Step(
                f"Compare groups within {what} before you act.",
                "",
                f"{why} That part only says that the groups have other {what}.",
                f"None: see Groups within {what}.",
            )
        ]
    if main == "accuracy":
        return [
            Step(
                f"Look at the errors on {a}: find more training rows, or weigh those you have.",
                "fit(X_train, y_train, sample_weight=...)",
                why,
                f"A training and an audit of the new model, {_effort(audit)}.",
            )
        ]
    return [
        Step(
            "Train a network whose margins are more even, and compare it with this model.",
            "EvenMarginClassifier().fit(X_train, y_train, groups=...); compare({...}, ...)",
            f"{f'{why} ' * known}Compare Rob(f) and accuracy, too: groups can also be made even "
            "by making the better one worse.",
            f"About {TRAINING_PASSES} passes for each training row and epoch, and an audit of the "
            f"new model, {_effort(audit)}.",
        )
    ]


def _decisions(audit: AuditNumbers) -> list[Step]:
    if audit.favorable is not None or len(np.unique(audit.y_true)) != 2:
        return []
    wrong = int((audit.y_true != audit.distances.predicted).sum())
    cost = f"The distances of the {wrong:,} rows that the model gets wrong." if wrong else "None."
    return [
        Step(
            "If people want one of the two labels, name it.",
            "favorable_label=...",
            "A short distance takes a granted decision away easily, but is a short way to the "
            "grant for somebody who was denied it.",
            cost,
        )
    ]


def _subgroups(audit: AuditNumbers) -> list[Step]:
    # Of fewer rows no subgroup and rest would be left in both halves.
    if audit.discovered is not None or len(audit.distances) < 4 * SMALL_GROUP:
        return []
    return [
        Step(
            "Look for subgroups that nobody named.",
            "discover=True",
            "Only the groups of this report were compared.",
            "No further distances. Half of the rows suggest subgroups, and half test them.",
        )
    ]


def _again(audit: AuditNumbers, how: str = "as much as") -> str:
    """Say that a step costs another audit."""
    return f"{_sentence(how)} this audit, {_effort(audit)}."


def _effort(audit: AuditNumbers) -> str:
    """Count the passes through the model, or the questions to one that only predicts."""
    distances = audit.distances
    # int32 for each row, and their sum may be larger
    n = int(distances.n_forward.sum(dtype=np.int64) + distances.n_backward.sum(dtype=np.int64))
    by_labels = METHODS[distances.method].sees == "labels"
    return f"{n:,} {'predictions' if by_labels else 'passes'} for {len(distances):,} rows"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
