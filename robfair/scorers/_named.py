"""The ready-made scorers, by name."""

from __future__ import annotations

import copy
from typing import Any

from robfair.metrics import find_measure
from robfair.scorers._scorer import RobustnessScorer, make_robustness_scorer


def _scorer(key: str, **options: Any) -> RobustnessScorer:
    """Make the scorer of a measure from its key in the registry."""
    measure = find_measure(key)
    return make_robustness_scorer(
        measure.function, greater_is_better=measure.greater_is_better, **options
    )


rob_scorer = _scorer("rob_f")
neg_v_f_scorer = _scorer("v_f")
neg_cau_scorer = _scorer("cau")
# In the same norm the least eps is the distance, whose search is the faster and tighter one.
neg_cru_eps_scorer = _scorer(
    "cru_eps", attack_params={"eps_max": 1.0, "method": "distance"}, eps_max=1.0
)
neg_cru_s_scorer = _scorer("cru_s", attack_params={"eps": 0.1})
neg_eou_scorer = _scorer("eou")

_SCORERS = {
    "neg_cau": neg_cau_scorer,
    "neg_cru_eps": neg_cru_eps_scorer,
    "neg_cru_s": neg_cru_s_scorer,
    "neg_eou": neg_eou_scorer,
    "neg_v_f": neg_v_f_scorer,
    "rob": rob_scorer,
}


def get_scorer_names() -> list[str]:
    """List the names that :func:`robfair.get_scorer` knows.

    Returns
    -------
    list of str
        The names, sorted.

    Examples
    --------
    >>> from robfair import get_scorer_names
    >>> get_scorer_names()
    ['neg_cau', 'neg_cru_eps', 'neg_cru_s', 'neg_eou', 'neg_v_f', 'rob']
    """
    return sorted(_SCORERS)


def get_scorer(name: str) -> RobustnessScorer:
    """Get a copy of a scorer by its name.

    Parameters
    ----------
    name : str
        One of :func:`robfair.get_scorer_names`.

    Returns
    -------
    RobustnessScorer
        The scorer; greater is better.

    Raises
    ------
    ValueError
        If no scorer has that name.

    Examples
    --------
    >>> from robfair import get_scorer
    >>> get_scorer("neg_v_f")
    make_robustness_scorer(robustness_variance, greater_is_better=False)
    """
    try:
        return copy.deepcopy(_SCORERS[name])  # set_score_request changes a scorer in place
    except KeyError:
        raise ValueError(
            f"name must be a scorer ({', '.join(get_scorer_names())}); got {name!r}."
        ) from None
