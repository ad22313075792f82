"""Keywords that `audit` and `compare` do not have, answered in their own name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from robfair._text import did_you_mean
from robfair.threat import ThreatModel

# What a reader of a paper on attacks would type, and no option's spelling comes near.
OF_ATTACKS = ("n_steps", "step_size", "eps_max")
# What belongs into a threat model.
OF_THREATS = tuple(
    each.name for each in fields(ThreatModel) if each.init and not each.name.startswith("_")
)
# What describes the columns of a table, by their names.
OF_TABLES = tuple(inspect.signature(ThreatModel.from_frame).parameters)


def refuse_unknown(function: Callable[..., Any], unknown: Iterable[str]) -> None:
    """Raise TypeError with a way out if `function` was called with unknown keywords."""
    for name in unknown:
        if name in OF_ATTACKS:
            hint = (
                "An audit measures the distance of each row to the decision boundary, not the "
                "success of an attack: robfair.attacks.robust_accuracy has the options of attacks."
            )
        elif name in OF_THREATS:
            hint = f"Pass it as part of a threat model: threat_model=ThreatModel({name}=...)"
            if name in OF_TABLES:
                hint += f", or for the columns of a table ThreatModel.from_frame(X, {name}=...)"
            hint += "."
        elif name == "n_boot":  # of an earlier version, and of what others call it
            hint = "Intervals need no resampling: leave it out, or pass confidence=None for none."
        else:
            parameters = inspect.signature(function).parameters.values()
            hint = did_you_mean(name, [p.name for p in parameters if p.kind is p.KEYWORD_ONLY])
        raise TypeError(f"{function.__name__} has no option {name!r}. {hint}")
