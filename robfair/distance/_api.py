"""The entries to all methods: `boundary_distance`, and `measure_distance` beneath it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from robfair._alignment import check_columns
from robfair._default_threat import default_threat_model, held_lines
from robfair._names import DistanceMethod
from robfair._problem import as_problem, as_seed, progress_bar
from robfair.adapters import leaves_as_found
from robfair.distance._by_gaps import run_by_gaps
from robfair.distance._diagnostics import diagnose
from robfair.distance._fewest import undo_free_moves
from robfair.distance._methods import find_method, find_runner, without_reading
from robfair.distance._options import DistanceOptions
from robfair.distance._result import BoundaryDistance
from robfair.distance._runners import QUERIES, add_lower_bounds
from robfair.distance._writer import ResultWriter
from robfair.distance.exact import ReadingDiffers
from robfair.threat import ThreatModel

__all__ = ["boundary_distance", "measure_distance"]


def boundary_distance(
    model: Any,
    X: Any,
    *,
    y: ArrayLike | None = None,
    method: DistanceMethod = "auto",
    threat_model: ThreatModel | None = None,
    certify: bool = False,
    budget: int | None = None,
    time_limit: float | None = None,
    background: Any = None,
    batch_size: int | None = None,
    max_iter: int = 50,
    overshoot: float = 0.001,
    n_candidates: int | None = None,
    return_adversarial: bool = True,
    random_state: Any = 0,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> BoundaryDistance:
    r"""Distance d(x) of each sample to the decision boundary of a classifier.

    The distance is that to the nearest point that the model predicts differently from the sample,
    whatever the true label: the size of the smallest perturbation that changes the decision.

    Parameters
    ----------
    model : object
        A torch.nn.Module that returns logits (one output is the logit of the second of two
        classes) or probabilities, a robfair classifier, a skorch classifier, a linear classifier
        or MLPClassifier of scikit-learn, a Pipeline that ends in one of these, or a fitted
        \*SearchCV over one of these. With "auto", "exact" and "decision" also any other classifier
        with a method ``predict``, or a function from an array of samples to an array of labels. It
        is left as found.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The samples. For a Pipeline, what enters the Pipeline: its transformers are applied once,
        and the input of its last step is perturbed, by default so that it is that of a row of X.
    y : array-like of shape (n_samples,), default=None
        True labels. Samples that the model gets wrong are then skipped: no measure needs them.
    method : {"auto", "strong", "linear", "exact", "decision", "deepfool", "paper"}, default="auto"
        The search or the formula.

        - "auto": what suits the model. "linear" for affine models, "exact" for trees and their
          ensembles, "decision" for other models that only predict. For networks a search of its
          own, an upper bound: a start for each target class that is near, a race of these, starts
          that other rows suggest (the ways to rows of other classes, what has flipped similar
          rows) where these pay, and a descent from the best along the boundary. About 55 passes
          per sample, 90 to 120 where such starts pay, 150 for the rows that show whether they do.
        - "strong": the same with longer descents, more starts from other rows and random ones; the
          least of all. What a paper should report, at 400 to 550 passes.
        - "linear": exact, for affine models (Eq. 7, with the norm unsquared). In a table a search
          over the valid rows that ends with a proof, up to a relative 1e-6; where it is too large
          for that, the status is "found", and `lower` less than `distance`.
        - "exact": for affine models, decision trees, forests, boosting and small ReLU networks.
          Where a limit comes first, or the program stalls (now and then in L2), an interval is
          left: the status is "found", and `lower` less than `distance`.
        - "decision": from labels alone, for any classifier. An upper bound.
        - "deepfool": DeepFool, then a search for the boundary between its last two iterates. A
          loose upper bound: on adversarially trained networks twice the distance and more.
        - "paper": Eq. 8 literally, the mean of the norms of DeepFool's last two perturbations; kept
          for reproduction, it gives half the distance where one step is enough, as on every linear
          model.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features. None: L2, no box, everything mutable; but if X is a table
        with categories, text, booleans, integers or gaps, rows that could exist: every column that
        can be read may change, numbers in the range of X and `background`, as
        :meth:`ThreatModel.from_transformer <robfair.ThreatModel.from_transformer>` has it for a
        Pipeline that encodes the columns, and :meth:`ThreatModel.from_frame
        <robfair.ThreatModel.from_frame>` for other models. ``ThreatModel()`` perturbs the input of
        the last step of such a Pipeline, fractions of categories included. With categories,
        integers or units the distance is the least cost of a valid row that is predicted
        differently: exact for affine models, an upper bound for others.
    certify : bool, default=False
        Whether to compute certified lower bounds too, by linear bound propagation, for networks of
        Linear, Conv2d, ReLU, LeakyReLU, Tanh, Sigmoid, pooling, batch normalisation, Dropout,
        Flatten and residual additions; `lower` is NaN, with a warning, for any other.
    budget : int, default=None
        The greatest number of passes per sample, forwards and backwards, for "auto" and "strong",
        14 or more. With it the two are one search: more passes are longer descents and further
        starts. A fallback adds its own passes where no start flips a sample: DeepFool, and up to
        100 other samples as starts. For "decision" the greatest number of predictions per sample.
        For ensembles of trees the work of so many predictions, counted in splits that are looked
        at, for each target class. None: the method's own.
    time_limit : float, default=None
        Seconds per sample after which "exact" returns the interval it has. Samples of an ensemble
        of trees share the time of those that are searched together. None: no limit.
    background : array-like of shape (n_background, n_features), default=None
        Samples from which "decision" starts, such as training data. In tables "strong" starts from
        them too, and "auto" where its gradients lead nowhere. Networks are searched on a pool of
        about 128 of them first, chosen by content, and other rows start from what that has found:
        a distance depends on the row and the pool, not on batches or order. Ensembles of trees
        start at them where no single move flips a row. Passes of rows that are not in X are not
        counted. None: X.
    batch_size : int, default=None
        Samples in flight; bounds the memory. None: as many as have 2**18 features together, but at
        least 64.
    max_iter : int, default=50
        For "deepfool" and "paper": steps after which a sample is given up as "censored".
    overshoot : float, default=0.001
        For the same: how far beyond the linearised boundary a step aims, relative to its distance.
    n_candidates : int, default=None
        For the same: target classes, those with the greatest logits, considered at each step. Each
        costs a backward pass. None: all classes, as in [2]_.
    return_adversarial : bool, default=True
        Whether to keep the points behind the distances, an array as large as X.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the random parts of "auto", "strong" and "decision". The noise of a row follows from
        the seed and the row, not from its place.
    n_jobs : int, default=None
        Processes that search chunks of the samples, as in joblib; its `parallel_config` may send
        them to threads or to a cluster instead. The results are the same to the last bit, with
        one BLAS and the same number of torch's threads, which each process takes from this one.
    verbose : int, default=None
        1: a progress bar. 0: none. None: one for what takes more than five seconds, on a
        terminal or in a notebook.

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
        in length from y, if the model does not predict X, or not what was read of it and the method
        needs that, if it takes a column for codes of categories, if it returns scores, if y holds
        labels that the model does not know, if the module returns NaN,
        or if the method does not fit the model, or has no use for an option that is set.

    See Also
    --------
    robfair.metrics.classifier_robustness : Rob(f) from these distances.
    robfair.audit : Distances and measures of a model in one table.

    Notes
    -----
    Every distance but the exact ones bounds d(x) from above, nothing more; `certify` bounds it from
    below. DeepFool [2]_ linearises the logits around the current point and makes the smallest step
    to the nearest linearised boundary, until the label changes: it stops at the first point that
    is flipped, not at the nearest. "auto" goes on from such points in steps that turn towards the
    boundary while a radius closes on it, a descendant of DDN [3]_ whose steps are relative to the
    sample's own distance: multiplying all features by 100 multiplies distances by 100. Networks
    that adversarial training has made flat around the samples have gradients there that mislead.
    So starts come from other rows, too, and in L2 every other gradient of their descents is that of
    a noisy point.

    References
    ----------
    .. [1] S. A. Mousavi, H. Mousavi, M. Daneshtalab, "FARMUR: Fair Adversarial Retraining to
       Mitigate Unfairness in Robustness", ADBIS 2023, Eq. 7 and 8.
    .. [2] S.-M. Moosavi-Dezfooli, A. Fawzi, P. Frossard, "DeepFool: a simple and accurate method
       to fool deep neural networks", CVPR 2016.
    .. [3] J. Rony et al., "Decoupling Direction and Norm for Efficient Gradient-Based L2
       Adversarial Attacks and Defenses", CVPR 2019.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import boundary_distance
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> boundary_distance(LogisticRegression().fit(X, y), X).distance.round(3)
    array([2., 1., 1., 2.])
    """
    return measure_distance(
        model,
        X,
        y,
        method=method,
        threat_model=threat_model,
        certify=certify,
        options=DistanceOptions(
            budget=budget,
            time_limit=time_limit,
            background=background,
            batch_size=batch_size,
            max_iter=max_iter,
            overshoot=overshoot,
            n_candidates=n_candidates,
            random_state=random_state,
            n_jobs=n_jobs,
        ),
        return_adversarial=return_adversarial,
        verbose=verbose,
    )


@leaves_as_found
def measure_distance(
    model: Any,
    X: Any,
    y: ArrayLike | None = None,
    *,
    method: str = "auto",
    threat_model: ThreatModel | None = None,
    certify: bool = False,
    options: DistanceOptions | None = None,
    return_adversarial: bool = True,
    verbose: int | None = 0,
) -> BoundaryDistance:
    """Distance d(x) of each sample, with the options in one object.

    For code that hands the same options to several computations.

    Parameters
    ----------
    model, X, y, method, threat_model, certify : Any
        As for :func:`robfair.boundary_distance`.
    options : DistanceOptions, default=None
        Options of the method. None: the defaults.
    return_adversarial, verbose : Any
        As for :func:`robfair.boundary_distance`.

    Returns
    -------
    BoundaryDistance
        Distances with the status of each search.

    Raises
    ------
    TypeError, ValueError
        As :func:`robfair.boundary_distance`.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.distance import DistanceOptions, measure_distance
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> model, options = LogisticRegression().fit(X, y), DistanceOptions(batch_size=2)
    >>> measure_distance(model, X, y, options=options).distance.round(3)
    array([2., 1., 1., 2.])
    """
    options = DistanceOptions() if options is None else options
    if threat_model is None:
        threat_model = default_threat_model(model, X, background=options.background)
    if not isinstance(threat_model, ThreatModel):
        raise TypeError(
            "threat_model must be a ThreatModel, such as ThreatModel(norm=numpy.inf), or None; got "
            f"{threat_model!r}."
        )
    check_columns(X=X, background=options.background)
    asked = find_method(method, threat_model, options)
    problem = as_problem(model, X, y, threat_model, options.batch_size, asked.sees)
    chosen, run = find_runner(asked, problem, model, options, certify)
    # One integer: a generator would be advanced by each part of the search that draws from it.
    options = replace(options, random_state=as_seed(options.random_state))
    with progress_bar(problem, f"distance ({chosen.name})", verbose) as bar:
        results = ResultWriter(problem, return_adversarial, bar.update, chosen.name)
        try:
            run_by_gaps(run, results, options, X)
        except ReadingDiffers as error:
            chosen, run = without_reading(method, problem, error, certify)
            results = ResultWriter(problem, return_adversarial, bar.update, chosen.name)
            results.warnings.append(f"{error} Its distances are those of a search.")
            run_by_gaps(run, results, options, X)
    if return_adversarial and problem.norm != 2 and problem.threat_model.is_mixed:
        most = (options.budget or QUERIES) if chosen.name == "decision" else None
        undo_free_moves(problem, results, most)
    if certify and results.lower is None:  # exact distances have brought their own
        with progress_bar(problem, "certified bounds", verbose) as bar:
            results.progress = bar.update
            add_lower_bounds(problem, results, options)
    diagnose(problem, results)
    results.warnings += held_lines(problem.threat_model)
    return replace(results.finish(), X=X)
