"""The words of a report, for somebody who meets them for the first time."""

from __future__ import annotations

from robfair.metrics import AUDIT_MEASURES, Measure, find_measure


def _measure(measure: Measure) -> tuple[str, str]:
    """Explain a measure by its meaning in the registry, and by what a beginner needs beside it."""
    meaning = f"{measure.meaning[0].upper()}{measure.meaning[1:]}."
    return measure.symbol, f"{meaning} {measure.note}".rstrip()


# What a section of the report begins with.
SECTION_NOTES = {
    "labels": "Rob(P) mixes the labels that a group has with how near to the boundary its rows "
    "lie. Here groups are compared among rows of the same label.",
    "favorable": "A short distance is bad for somebody who was granted the decision and good for "
    "somebody who was denied it, who has a short way to it.",
    "discovered": "One half of the rows was searched for conditions whose rows are easier to "
    "attack than other rows of the same labels, and what stood out was tested on the other half, "
    "corrected for its number (Holm). Numbers are of that half, but for the difference in the "
    "search, which flatters. This does not replace naming groups: small ones are missed, one "
    "split decides, and a condition is not a cause.",
}

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Adversarial robustness",
        "How much a row must be changed before the model decides otherwise. Little is needed for "
        "rows near the decision boundary: a small error, or somebody who means to, flips them.",
    ),
    (
        "Distance",
        "The size of the smallest change found that flips the decision on a row, in the norm and "
        "under the threat model named above. A search may miss a smaller one, so that the true "
        "distance can be less, unless it is called exact.",
    ),
    ("Threat model", "The changes that an attacker may make, and how their size is measured."),
    _measure(find_measure("rob_p")),
    *(_measure(measure) for measure in AUDIT_MEASURES if measure.key != "accuracy"),
    (
        "Within labels",
        "The same numbers among the rows of one true label, or of one value of a control feature. "
        "A group may withstand more than another only because more of its rows have the label that "
        "lies far from the boundary.",
    ),
    (
        "The same mix",
        "Rob(P) as the mean over the labels of the group's Rob within each, weighted by the "
        "label's share of all rows (direct standardisation). What is left of a difference is not "
        "one of labels.",
    ),
    (
        "Labels' mix, accuracy, distance",
        "Three parts that add up to Rob(P) - Rob(f): that the group's rows have other labels, that "
        "within labels the model is right on more or fewer of them, and that within labels they "
        "lie farther from the boundary or nearer (Kitagawa's decomposition, against a population "
        "in which each group counts the same).",
    ),
    (
        "vulnerable",
        "A group whose Rob(P) is below Rob(f) by more than the error of sampling, corrected for "
        "the number of groups.",
    ),
    (
        "Definition 5",
        "What the paper that defines Rob(P) calls vulnerable: Rob(P) is below Rob(f), by however "
        "little. If groups differ at all, some are.",
    ),
    (
        "Interval (95 %)",
        "Where a number would lie for other samples of the same kind of people, most of the time: "
        "the error of sampling. It says nothing of how well the distances were measured.",
    ),
    (
        "Larger than the error of sampling",
        "The difference of two groups stands in Welch's t-test and in one for skewed means, after "
        "Holm's correction for the number of pairs, those within labels included; that of two "
        "models in a test on the same rows, corrected likewise.",
    ),
    (
        "Certified",
        "Between these two numbers the true one lies for these very rows, by proof from below and "
        "search from above. It says nothing of other people.",
    ),
    (
        "Censored",
        "A row that no search flipped. A change that flips it may exist: its distance is unknown, "
        "and so is all that depends on it, unless distances are capped.",
    ),
)
