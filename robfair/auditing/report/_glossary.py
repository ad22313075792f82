"""The words of a report, for somebody who meets them for the first time."""

from __future__ import annotations

__all__ = ["GLOSSARY"]

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
    (
        "Threat model",
        "What an attacker may change, how far, and how the size of a change is measured.",
    ),
    (
        "Rob(P)",
        "Robustness of a group P: the mean distance of its rows, where a row that is classified "
        "wrongly counts as 0. It is the accuracy in the group times the mean distance of its "
        "correctly classified rows.",
    ),
    (
        "Rob(f)",
        "Robustness of the model f: the mean of Rob(P) over the groups, each counting the same, "
        "however large it is.",
    ),
    (
        "V_f",
        "Variance of Rob(P) between the groups. It also falls when all groups become easier to "
        "attack, and is 0 for a model that everybody can attack: never read it alone.",
    ),
    (
        "CV",
        "Standard deviation of Rob(P) between the groups, divided by Rob(f). It does not depend on "
        "the unit of distances.",
    ),
    ("Gap", "The greatest Rob(P) of a group less the least."),
    ("Vulnerable", "A group whose Rob(P) is below Rob(f). Of groups that differ at all, some are."),
    (
        "Interval (bootstrap)",
        "Where a number would lie for other samples of the same kind of people, most of the time: "
        "the error of sampling. It says nothing of how well the distances were measured.",
    ),
    (
        "Larger than the error of sampling",
        "The difference of two groups stands in Welch's t-test after Holm's correction for the "
        "number of pairs. Of two models, the bootstrap intervals do not overlap.",
    ),
    (
        "Certified",
        "Between these two numbers the true one lies for these very rows, by proof from below and "
        "search from above. It says nothing of other people.",
    ),
    (
        "Censored",
        "No change that flips the row was found. This does not mean that there is none; its "
        "distance is unknown, and so is what depends on it, unless distances are capped.",
    ),
)
