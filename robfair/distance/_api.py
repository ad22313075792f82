"""`boundary_distance`, the entry to all methods."""

from __future__ import annotations

import math
import operator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length
from tqdm.auto import tqdm

from robfair.adapters import LogitModel, affine_map, as_logits
from robfair.distance._deepfool import deepfool_distance
from robfair.distance._linear import linear_distance
from robfair.distance._result import BoundaryDistance
from robfair.distance._search import Problem, Results
from robfair.threat import ThreatModel

__all__ = ["METHODS", "boundary_distance"]

METHODS = ("auto", "linear", "deepfool", "paper")


def boundary_distance(
    model: Any,
    X: Any,
    *,
    y: ArrayLike | None = None,
    method: Literal["auto", "linear", "deepfool", "paper"] = "auto",
    threat_model: ThreatModel | None = None,
    batch_size: int | None = None,
    max_iter: int = 50,
    overshoot: float = 0.001,
    n_candidates: int = 3,
    return_adversarial: bool = True,
    verbose: int = 0,
) -> BoundaryDistance:
    r"""Distance d(x) of each sample to the decision boundary of a classifier.

    The distance is that to the nearest point that the model predicts differently from the sample,
    whatever the true label: the size of the smallest perturbation that changes the decision.

    Parameters
    ----------
    model : object
        A torch.nn.Module that returns logits (one output is the logit of the second of two
        classes), a robfair classifier, a skorch classifier, a linear classifier or MLPClassifier of
        scikit-learn, a Pipeline that ends in one of these, or a fitted \*SearchCV over one of
        these. It is left as found.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The samples. For a Pipeline, what enters the Pipeline: its transformers are applied once,
        and the input of its last step is perturbed.
    y : array-like of shape (n_samples,), default=None
        True labels. Samples that the model gets wrong are then skipped: no measure needs them.
    method : {"auto", "linear", "deepfool", "paper"}, default="auto"
        "linear": exact, for affine models (Eq. 7, with the norm unsquared). "deepfool": DeepFool,
        then a search for the boundary between its last two iterates; an upper bound. "paper":
        Eq. 8 literally, the mean of the norms of the last two perturbations; kept for
        reproduction, it gives half the distance where one step is enough, as on every linear
        model. "auto": "linear" if the model is affine, else "deepfool".
    threat_model : ThreatModel, default=None
        Norm, box and mutable features. None: L2, no box, everything mutable.
    batch_size : int, default=None
        Samples in flight; bounds the memory. None: as many as have 2**18 features together, but at
        least 512.
    max_iter : int, default=50
        DeepFool steps after which a sample is given up as "censored".
    overshoot : float, default=0.001
        How far beyond the linearised boundary a DeepFool step aims, relative to its distance.
    n_candidates : int, default=3
        Rival classes, those with the greatest logits, considered at each DeepFool step. Each costs
        a backward pass.
    return_adversarial : bool, default=True
        Whether to keep the points behind the distances, an array as large as X.
    verbose : int, default=0
        Greater than 0 shows a progress bar.

    Returns
    -------
    BoundaryDistance
        Distances with the status of each search.

    Raises
    ------
    TypeError
        If the model is of a kind that cannot be differentiated.
    ValueError
        If X holds NaN or infinity, leaves the bounds, is sparse, does not fit the model or differs
        in length from y, if y holds labels that the model does not know, if the module returns NaN,
        or if the method does not fit the model.

    See Also
    --------
    robfair.metrics.classifier_robustness : Rob(f) from these distances.
    robfair.audit : Distances and measures of a model in one table.

    Notes
    -----
    DeepFool [2]_ linearises the logits around the current point and makes the smallest step to the
    nearest linearised boundary, inside the box, until the label changes. On an adversarially
    trained network its distance can be a multiple of the least one: it bounds d(x) from above,
    nothing more.

    References
    ----------
    .. [1] S. A. Mousavi, H. Mousavi, M. Daneshtalab, "FARMUR: Fair Adversarial Retraining to
       Mitigate Unfairness in Robustness", ADBIS 2023, Eq. 7 and 8.
    .. [2] S.-M. Moosavi-Dezfooli, A. Fawzi, P. Frossard, "DeepFool: a simple and accurate method
       to fool deep neural networks", CVPR 2016.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import boundary_distance
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> boundary_distance(LogisticRegression().fit(X, y), X).distance.round(3)
    array([2., 1., 1., 2.])
    """
    _check_options(method, max_iter, overshoot, n_candidates)
    logit_model = as_logits(model)
    affine = None if logit_model.to_logits is not None else affine_map(logit_model.module)
    if method == "auto":
        method = "deepfool" if affine is None else "linear"
    if method == "linear" and affine is None:
        raise ValueError(
            'method="linear" needs an affine model, and this one is not: use method="auto".'
        )
    problem = _problem(logit_model, X, y, threat_model, batch_size)
    with tqdm(
        total=len(problem.X), desc=f"distance ({method})", unit="sample", disable=verbose <= 0
    ) as bar:
        results = Results(problem, return_adversarial, bar.update)
        if method == "linear" and affine is not None:
            linear_distance(problem, results, affine)
        else:
            deepfool_distance(
                problem,
                results,
                max_iter=max_iter,
                overshoot=overshoot,
                n_candidates=n_candidates,
                bisect=method == "deepfool",
            )
    return results.finish(method, exact=method == "linear")


def _problem(
    logit_model: LogitModel,
    X: Any,
    y: ArrayLike | None,
    threat_model: ThreatModel | None,
    batch_size: int | None,
) -> Problem:
    """Check everything that can be checked before any work starts."""
    threat_model = ThreatModel() if threat_model is None else threat_model
    if not isinstance(threat_model, ThreatModel):
        raise TypeError(f"threat_model must be a ThreatModel or None; got {threat_model!r}.")
    if batch_size is not None and operator.index(batch_size) < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")
    array = logit_model.inputs(X)
    if array.ndim < 2:
        raise ValueError(f"X must have a row per sample; got shape {array.shape}.")
    threat_model.check(array)
    if y is not None:
        y = np.asarray(y)
        if y.ndim != 1:
            raise ValueError(f"y must be one-dimensional; got shape {y.shape}.")
        check_consistent_length(array, y)
    n_classes = logit_model.check_output(array)
    codes = None if y is None else logit_model.codes(y, n_classes)
    if batch_size is None:
        # Rows of a table are cheap, and small batches would spend their time between the passes.
        batch_size = max(512, 2**18 // math.prod(array.shape[1:]))
    return Problem(logit_model, array, codes, n_classes, threat_model, batch_size)


def _check_options(method: str, max_iter: int, overshoot: float, n_candidates: int) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    if operator.index(max_iter) < 1 or operator.index(n_candidates) < 1:
        raise ValueError(
            f"max_iter and n_candidates must be at least 1; got {max_iter} and {n_candidates}."
        )
    if not 0 < overshoot < np.inf:
        raise ValueError(f"overshoot must be a positive number; got {overshoot}.")
