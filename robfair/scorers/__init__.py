"""Scorers: the measures as functions of (estimator, X, y), for cross_validate and GridSearchCV.

A scikit-learn scorer sees an estimator, X and y. Three things are missing for a measure of
adversarial robustness between groups: the distances, the results of an attack and the groups. This
module supplies them.

Groups reach a scorer in one of three ways:

1. Metadata routing is on: pass ``sensitive_features`` to ``fit`` of a search, or in ``params`` of
   ``cross_validate``. The scorers here request it by themselves.
2. The scorer is bound to a column of X: ``make_robustness_scorer(metric, groups="race")``, or to a
   function of X.
3. It is bound to a pandas Series that is looked up by the index of X.

With routing off, scikit-learn passes a scorer only X and y, so one of the other two is needed;
without any, a scorer raises. It never falls back on the groups seen in ``fit``: those are of the
training rows. CRU compares classes by definition: its scorers need no groups, and compare groups
instead only if they get some. ``set_score_request(sensitive_features=False)`` keeps a copy of one
to the classes beside scorers that get groups.

Distances, and the results of attacks, are computed once per estimator and fold, and shared by all
scorers of a multi-metric call. scikit-learn's own cache serves ``predict`` and the like only. The
one here holds the last few results, and its key is the content of the model, X and y, so a refit
model or a changed array never gets an old result. What is wrong with a fold is told once, and not
by every scorer.

The ready-made scorers, all of them greater is better:

- ``rob_scorer``: Rob(f), the mean over groups of their robustness.
- ``neg_v_f_scorer``: minus V_f, the variance over groups of their robustness.
- ``neg_cau_scorer``: minus CAU, the largest gap between the accuracies of classes.
- ``neg_cru_eps_scorer``: minus CRU_eps, the largest gap between the mean least eps (L-inf) of
  classes. The least eps is the distance to the boundary, and counts as 1 where it is greater.
- ``neg_cru_s_scorer``: minus CRU_s, the largest gap between the success rates on classes of a PGD
  attack (L-inf, eps 0.1, 20 steps).
- ``neg_eou_scorer``: minus EOU, the largest gap between mean confidences of groups.

An eps of 0.1 is a tenth of a standard deviation where features are standardised. For features in
other units make the scorer anew: ``make_robustness_scorer(class_robustness_unfairness,
greater_is_better=False, attack_params={"eps": 8 / 255})``.
"""

from robfair.scorers._named import (
    get_scorer,
    get_scorer_names,
    neg_cau_scorer,
    neg_cru_eps_scorer,
    neg_cru_s_scorer,
    neg_eou_scorer,
    neg_v_f_scorer,
    rob_scorer,
)
from robfair.scorers._scorer import RobustnessScorer, make_robustness_scorer

__all__ = [
    "RobustnessScorer",
    "get_scorer",
    "get_scorer_names",
    "make_robustness_scorer",
    "neg_cau_scorer",
    "neg_cru_eps_scorer",
    "neg_cru_s_scorer",
    "neg_eou_scorer",
    "neg_v_f_scorer",
    "rob_scorer",
]
