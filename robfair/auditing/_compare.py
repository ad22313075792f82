"""`compare`: audits of several models in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never

from numpy.typing import ArrayLike

from robfair._names import DistanceMethod
from robfair._warnings import each_once
from robfair.auditing._audit import audit
from robfair.auditing._unknown_options import refuse_unknown
from robfair.auditing.report import Comparison
from robfair.threat import ThreatModel


@each_once()
def compare(
    models: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    *,
    sensitive_features: Any,
    control_features: Any = None,
    favorable_label: Any = None,
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
) -> Comparison:
    """Audit several models on the same samples.

    Parameters
    ----------
    models : mapping of str to model
        Fitted classifiers by name.
    X : array-like of shape (n_samples, n_features)
        Samples that no model was trained on.
    y : array-like of shape (n_samples,)
        True labels.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning.
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        What groups are compared within, such as a region; several columns are crossed. None: the
        true label.
    favorable_label : label, default=None
        The label that people want; see `audit`.
    method, threat_model, tau_max, certify, n_check, confidence, examples, eps, metrics : object
        Options of `audit`, the same for all models.
    discover : bool, str, list or DataFrame, default=None
        Whether to look for subgroups that nobody named, too, as in `audit`: for each model by
        itself, on the same halves of the rows if `random_state` is a number.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the random parts of the searches, the same for all models. A
        Generator or RandomState advances with each of them.
    budget, time_limit, max_iter, overshoot, n_candidates, background, batch_size, n_jobs : object
        Options of the distances, as for `audit`.
    verbose : int, default=None
        1: a progress bar for each model. 0: none. None: one for what takes more than five seconds,
        on a terminal or in a notebook.
    **unknown : Never
        Any other keyword is refused, with a hint.

    Returns
    -------
    Comparison
        A table that prints.

    Raises
    ------
    TypeError, ValueError
        As `audit` does; TypeError also if `models` is not a mapping, ValueError if it is empty.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression, RidgeClassifier
    >>> from robfair import compare
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> models = {"logistic": LogisticRegression(), "ridge": RidgeClassifier()}
    >>> models = {name: model.fit(data.X, data.y) for name, model in models.items()}
    >>> compare(models, data.X, data.y, sensitive_features=data.groups).overall.columns.tolist()
    ['accuracy', 'Rob(f)', 'V_f', 'CV', 'worst group', 'gap', 'ratio', 'Gini']
    """
    # X, y and the keywords, all of which `audit` has too.
    options = {key: value for key, value in locals().items() if key not in ("models", "unknown")}
    refuse_unknown(compare, unknown)
    _check_models(models)
    audits = {str(name): audit(model, name=str(name), **options) for name, model in models.items()}
    return Comparison(audits)


def _check_models(models: Any) -> None:
    """Raise TypeError or ValueError unless models have names, which differ as text."""
    if not isinstance(models, Mapping):
        raise TypeError(
            f"models must map names to models; got a {type(models).__name__}. Pass a dict, such as "
            '{"old": old, "new": new}.'
        )
    if not models:
        raise ValueError("models is empty: pass at least one.")
    if len({str(name) for name in models}) < len(models):
        raise ValueError(f"two models have the same name as text: {list(models)}.")
