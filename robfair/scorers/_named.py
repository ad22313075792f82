"""The ready-made scorers, and how to get them by name."""

from __future__ import annotations

import copy

from robfair.metrics import (
    class_accuracy_unfairness,
    class_robustness_unfairness,
    classifier_robustness,
    equalized_odds_unfairness,
    robustness_variance,
)
from robfair.scorers._scorer import RobustnessScorer, make_robustness_scorer

rob_scorer = make_robustness_scorer(classifier_robustness)
neg_v_f_scorer = make_robustness_scorer(robustness_variance, greater_is_better=False)
neg_cau_scorer = make_robustness_scorer(class_accuracy_unfairness, greater_is_better=False)
neg_cru_eps_scorer = make_robustness_scorer(
    class_robustness_unfairness,
    greater_is_better=False,
    # In the same norm the least eps is the distance, whose search is the faster and tighter one.
    attack_params={"eps_max": 1.0, "method": "distance"},
    eps_max=1.0,
)
neg_cru_s_scorer = make_robustness_scorer(
    class_robustness_unfairness, greater_is_better=False, attack_params={"eps": 0.1}
)
neg_eou_scorer = make_robustness_scorer(equalized_odds_unfairness, greater_is_better=False)

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
        If there is no scorer of that name.

    Examples
    --------
    >>> from robfair import get_scorer
    >>> get_scorer("neg_v_f")
    make_robustness_scorer(robustness_variance, greater_is_better=False)
    """
    try:
        return copy.deepcopy(_SCORERS[name])
    except KeyError:
        raise ValueError(
            f"there is no scorer {name!r}; robfair has {', '.join(get_scorer_names())}."
        ) from None
