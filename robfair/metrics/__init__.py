"""Measures of adversarial robustness and of its fairness, as functions of arrays.

A *measure* is a function ``f(y_true, y_pred, *, ...)`` of true labels, predictions and, by keyword,
what else it needs. It knows no model and runs no attack: the *distance* of a sample, from the
sample to the nearest point where the classifier predicts something else, is an argument. It depends
on a norm and a threat model, is usually an upper bound, and gives its units to every robustness
below. ``robfair.boundary_distance`` computes it.

A *partition* splits the samples into *groups* P, such as the values of a race column (fairlearn's
``sensitive_features``) or the classes. Several columns are crossed.

The *robustness* of a group, Rob(P), is the mean of the distance over the group, with 0 for samples
that are misclassified: nobody needs to attack those. It is the area under the curve I_P(tau), the
fraction of the group that is right and farther than tau from the boundary. The robustness of a
classifier, Rob(f), is the mean of Rob(P) over the groups, and depends on the partition.

*Unfairness in robustness* is how much Rob(P) differs between groups: its variance V_f, its
coefficient of variation CV, its Gini coefficient, the gap between the extremes or their ratio, or
the worst group by itself. Three other measures are largest differences of means between classes or
groups: CAU, of accuracy between classes, CRU, of the least eps or of the success rate of an attack,
and EOU, of confidence between groups. LUF compares no groups but models, each trained without one
of the samples.

A group with more rows of a label that is far from the boundary has a greater Rob(P) for that reason
alone. The measures of distances, with their curves and bounds, CAU, CRU and EOU take
``control_features=``, which gives the measure within each value of other columns, and
``standardize_by=``, which gives every group the mix of strata of all rows (direct standardisation).
``"y_true"`` stands for the true labels in both.

A distance is *censored* where no adversarial was found: it is infinite, and the robustness of its
group is NaN, with a warning that counts such samples, unless ``tau_max=`` caps the distances. A
measure that compares groups is NaN, with a warning, where there is nothing to compare: with fewer
than two groups. It is never 0 for that reason.

Labels that cannot match, such as probabilities, or ``">50K."`` beside ``">50K"``, are an error: a
classifier that is never right has a V_f of 0. Rows are matched by position, and pandas objects
whose indexes name them in another order are refused.

A measure takes ``confidence_level=0.95`` for a confidence interval. It covers the error of sampling
rows within groups of these sizes, and nothing is drawn at random. It does not cover the error of
the distances; ``robustness_bounds`` does, given certified lower bounds of the distances too.

``MEASURES`` is the registry: a `Measure` for each, with symbol, function, direction, unit and
meaning. ``AUDIT_MEASURES`` are those of the tables of an audit, in their order.
"""

from robfair.metrics._bounds import certified_ordering, group_robustness_bounds, robustness_bounds
from robfair.metrics._class_accuracy import class_accuracy_unfairness
from robfair.metrics._class_robustness import class_robustness, class_robustness_unfairness
from robfair.metrics._curve import RobustnessCurve, group_robustness_curves, robustness_curve
from robfair.metrics._decomposition import robustness_decomposition
from robfair.metrics._disparity import robustness_dispersion, robustness_variance
from robfair.metrics._equalized_odds import (
    equalized_odds_table,
    equalized_odds_unfairness,
    group_confidence,
)
from robfair.metrics._estimate import Estimate
from robfair.metrics._extremes import robustness_gap, worst_group_robustness
from robfair.metrics._inequality import robustness_gini, robustness_ratio
from robfair.metrics._leave_one_out import (
    leave_one_out_summary,
    leave_one_out_table,
    leave_one_out_unfairness,
)
from robfair.metrics._registry import AUDIT_MEASURES, MEASURES, Measure, find_measure
from robfair.metrics._robustness import classifier_robustness, group_robustness, robustness_score

__all__ = [
    "AUDIT_MEASURES",
    "MEASURES",
    "Estimate",
    "Measure",
    "RobustnessCurve",
    "certified_ordering",
    "class_accuracy_unfairness",
    "class_robustness",
    "class_robustness_unfairness",
    "classifier_robustness",
    "equalized_odds_table",
    "equalized_odds_unfairness",
    "find_measure",
    "group_confidence",
    "group_robustness",
    "group_robustness_bounds",
    "group_robustness_curves",
    "leave_one_out_summary",
    "leave_one_out_table",
    "leave_one_out_unfairness",
    "robustness_bounds",
    "robustness_curve",
    "robustness_decomposition",
    "robustness_dispersion",
    "robustness_gap",
    "robustness_gini",
    "robustness_ratio",
    "robustness_score",
    "robustness_variance",
    "worst_group_robustness",
]
