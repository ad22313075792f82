"""`audit`: the measures of one model, by group and over all groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Never

from numpy.typing import ArrayLike

from robfair._names import DistanceMethod
from robfair._problem import as_seed
from robfair._warnings import each_once
from robfair.auditing._by_eps import check_eps
from robfair.auditing._discovery import as_discovery
from robfair.auditing._options import AuditOptions
from robfair.auditing._run import run_audit
from robfair.auditing._unknown_options import refuse_unknown
from robfair.auditing.report import Audit
from robfair.distance import DistanceOptions
from robfair.threat import ThreatModel


@each_once()
def audit(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    sensitive_features: Any,
    control_features: Any = None,
    favorable_label: Any = None,
    name: str | None = None,
    method: DistanceMethod = "auto",
    threat_model: ThreatModel | None = None,
    tau_max: float | None = None,
    certify: bool = False,
    n_check: int = 100,
    confidence: float | None = 0.95,
    examples: int = 3,
    eps: float | Sequence[float] = (0.1, 0.5, 1.0),
    metrics: Any = None,
    discover: Any = None,
    random_state: Any = 0,
    budget: int | None = None,
    time_limit: float | None = None,
    max_iter: int = 50,
    overshoot: float = 0.001,
    n_candidates: int | None = None,
    background: Any = None,
    batch_size: int | None = None,
    n_jobs: int | None = None,
    verbose: int | None = None,
    **unknown: Never,
) -> Audit:
    """Measure whether a classifier is easier to attack for some groups than for others.

    Parameters
    ----------
    model : object
        A fitted classifier; see `boundary_distance` for what is supported. It need not come from
        robfair.
    X : array-like of shape (n_samples, n_features)
        Samples that the model was not trained on.
    y : array-like of shape (n_samples,)
        True labels.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning.
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        What groups are compared within, such as a region; several columns are crossed. None: the
        true label, whose mix differs from group to group. To have both, pass y as a column.
    favorable_label : label, default=None
        The label that people want, such as ">50K": `Audit.favorable` then tells how easily granted
        decisions are taken away, and how far denied people are from the grant. Rows that are
        classified wrongly are searched for it, too. None: nothing is said of this.
    name : str, default=None
        Name of the model in the table. None: the name of its class.
    method : str, default="auto"
        How distances are computed; see `boundary_distance`. "auto" takes "decision" for a model
        that has no gradient.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features. None: as for `boundary_distance`; of a table all columns may
        change but those of the groups, that is of the same name, or that part the rows alike.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. Without it the measures are NaN if
        no adversarial is found for some sample.
    certify : bool, default=False
        Whether to bound the distances from below too, and so each measure from both sides; see
        `boundary_distance`.
    n_check : int, default=100
        Rows, the same number from each group, that are searched again by "strong" and, as a black
        box, by "decision", to see whether the distances hold, and equally for all groups. 0: none.
        Exact distances and those of models that only predict are not searched again.
    confidence : float, default=0.95
        Level of the intervals; None for none. They cover the sampling error, not that of the
        distances.
    examples : int, default=3
        Rows of each group, the most easily flipped, that the result keeps and tells in words. They
        are data, perhaps about people, and appear in the report: 0 keeps none.
    eps : float or list of float, default=(0.1, 0.5, 1.0)
        Sizes of changes, in the units of the distance: the share of each group that withstands
        them is told.
    metrics : str, callable, list or dict, default=None
        Other measures of fairness, told beside robustness: functions (y_true, y_pred) of
        `fairlearn.metrics` or `sklearn.metrics`, by name or themselves, or your own; a dict names
        them. If the second parameter is called y_score, y_proba or y_prob, the function gets 0
        and 1 for y_true, and the probability of the positive class. None: for two classes
        selection rate, true and false positive rate, and calibration (the mean probability less
        the share that it predicts). The positive class is the second one.
    discover : bool, str, list or DataFrame, default=None
        Whether to look for subgroups that nobody named, too: in all columns of X (True), in some of
        them by name, or in those of a DataFrame, as `discover_groups` does.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the random parts of the searches.
    budget, time_limit, max_iter, overshoot, n_candidates : int or float
        Options of `method`, as for `boundary_distance`.
    background, batch_size, n_jobs : array-like or int, default=None
        Options of all searches, the second ones included, as for `boundary_distance`.
    verbose : int, default=None
        1: a progress bar. 0: none. None: one for what takes more than five seconds, on a
        terminal or in a notebook.
    **unknown : Never
        Any other keyword is refused, with a hint.

    Returns
    -------
    Audit
        Tables that print, and the distances behind them.

    Raises
    ------
    TypeError, ValueError
        As `boundary_distance` and the measures do; ValueError also if `confidence` is not between 0
        and 1, `n_check` or `examples` is negative, `eps` is not positive, or a metric is unknown or
        fails on the true labels.

    See Also
    --------
    compare : Several models side by side.
    discover_groups : Subgroups that nobody named.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import audit
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> clf = LogisticRegression(C=1e6).fit(data.X, data.y)
    >>> result = audit(clf, data.X, data.y, sensitive_features=data.groups)
    >>> result.by_group["robustness"].round(1).tolist()
    [0.5, 1.0, 1.5]
    >>> print(result.verdict())
    A small change flips the decision for 0 more easily than for 2. The mean distance to the
    decision boundary, 0 for a row on which the model is wrong (Rob(P)), is 0.5... for 0 against
    1.5... for 2, ...
    >>> result.to_html("audit.html")  # doctest: +SKIP
    """
    refuse_unknown(audit, unknown)
    options = AuditOptions(
        method=method,
        threat_model=threat_model,
        tau_max=tau_max,
        certify=certify,
        n_check=n_check,
        confidence=confidence,
        examples=examples,
        eps=check_eps(eps),
        metrics=metrics,
        discovery=as_discovery(discover, confidence, tau_max),
        control_features=control_features,
        favorable_label=favorable_label,
        random_state=random_state,
        distance=DistanceOptions(
            budget=budget,
            time_limit=time_limit,
            max_iter=max_iter,
            overshoot=overshoot,
            n_candidates=n_candidates,
            background=background,
            batch_size=batch_size,
            n_jobs=n_jobs,
            random_state=as_seed(random_state),
        ),
        verbose=verbose,
    )
    return Audit(**vars(run_audit(model, X, y, sensitive_features, name, options)))
