"""`compare`: audits of several models in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from robfair.auditing._audit import audit
from robfair.auditing.report import Comparison

__all__ = ["compare"]


def compare(
    models: Mapping[str, Any], X: Any, y: ArrayLike, *, sensitive_features: Any, **options: Any
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
        The group of each sample.
    **options
        Options of `audit`, the same for all models.

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
    ['accuracy', 'Rob(f)', 'V_f', 'CV', 'worst group', 'gap']
    """
    if not isinstance(models, Mapping):
        raise TypeError(f"models must map names to models; got a {type(models).__name__}.")
    if not models:
        raise ValueError("models is empty: pass at least one.")
    if len({str(name) for name in models}) < len(models):
        raise ValueError(f"two models have the same name as text: {list(models)}.")
    return Comparison(
        {
            str(name): audit(
                model, X, y, sensitive_features=sensitive_features, name=str(name), **options
            )
            for name, model in models.items()
        }
    )
