"""Warnings and errors of robfair.

Warnings are separate classes so that a user can silence or escalate one of them alone.
"""

__all__ = [
    "CensoredDistanceWarning",
    "ControlWarning",
    "GroupsWarning",
    "LabelsWarning",
    "OverfittingWarning",
    "ResultsError",
    "UndefinedMetricWarning",
]


class UndefinedMetricWarning(UserWarning):
    """A measure is undefined for this input, and NaN was returned."""


class CensoredDistanceWarning(UserWarning):
    """For some samples no adversarial was found, so their distance is only known to be large."""


class ControlWarning(UserWarning):
    """Margins are not evened out: what steers is not to be trusted, or it did harm or no good."""


class GroupsWarning(UserWarning):
    """The groups may not be those that were meant.

    None were given and the classes took their place, a declared category has no samples, two
    names look alike, or nothing can be searched in a column.
    """


class LabelsWarning(UserWarning):
    """True and predicted labels may be in different codings, as hardly any prediction is right."""


class OverfittingWarning(UserWarning):
    """Single-step training lost the robustness of a group, and went on without it."""


class ResultsError(ValueError):
    """A file of results is damaged, or belongs to another recipe than the one requested."""
