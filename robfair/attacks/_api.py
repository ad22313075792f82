"""`attack`, the entry for one budget eps."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from robfair._alignment import check_aligned
from robfair.adapters import leaves_as_found
from robfair.attacks._options import AttackOptions
from robfair.attacks._prepared import check_eps, prepare
from robfair.attacks._result import AttackResult
from robfair.threat import ThreatModel

__all__ = ["attack"]


@leaves_as_found
def attack(
    model: Any,
    X: Any,
    y: ArrayLike | None = None,
    *,
    eps: ArrayLike,
    method: Literal["pgd", "fgsm", "kl"] = "pgd",
    threat_model: ThreatModel | None = None,
    n_steps: int = 20,
    step_size: float | None = None,
    n_restarts: int = 1,
    random_start: bool = True,
    nearest: bool = True,
    target: Any = None,
    transfer_from: Any = None,
    batch_size: int | None = None,
    random_state: Any = 0,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> AttackResult:
    """Look for a perturbation of each sample, no larger than eps, that the model gets wrong.

    A sample that the model gets wrong without a perturbation counts as a success, so that accuracy
    under attack is never above clean accuracy. All others are attacked until they are fooled:
    a sample that is takes no further steps.

    Parameters
    ----------
    model : object
        A model with gradients, as for :func:`robfair.boundary_distance`; with `transfer_from` any
        that predicts. It is left as found.
    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The samples. For a Pipeline, what enters the Pipeline: its transformers are applied once,
        and the input of its last step is perturbed.
    y : array-like of shape (n_samples,), default=None
        True labels, which the attack moves away from. None: the labels that the model predicts.
    eps : float or array-like of shape (n_samples,)
        Greatest size of a perturbation, one for all or one for each sample.
    method : {"pgd", "fgsm", "kl"}, default="pgd"
        The attack.

        - "pgd": projected gradient ascent on the cross-entropy [1]_, which follows one class from
          one start. The samples that are left get the nearest points that
          :func:`robfair.boundary_distance` finds: what it flips within eps is fooled. For an affine
          model these are exact, and so is the result. Not with `target` or `transfer_from`.
        - "fgsm": one step of length eps from the sample itself [2]_. It uses neither `n_steps` nor
          `random_start`.
        - "kl": as "pgd", on KL(p(x) || p(x')), from a point close to the sample, as TRADES [3]_
          attacks.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features. None: L-inf, no box, everything mutable; for a table, rows
        that could exist, as for :func:`robfair.boundary_distance`.
    n_steps : int, default=20
        The greatest number of steps of a run.
    step_size : float, default=None
        Length of a step, in the units of eps. None: ``2.5 * eps / n_steps``.
    n_restarts : int, default=1
        Number of runs, each from another start, for samples that the runs before did not fool.
    random_start : bool, default=True
        Whether the first run starts at a random point of the ball, as all others do, or at the
        sample.
    nearest : bool, default=True
        Whether "pgd" also tries the nearest points. False: steps alone, as in the literature, at
        less than half of the passes.
    target : label or array-like of shape (n_samples,), default=None
        Label to be reached, instead of `y` to be left. The attack succeeds where it is predicted.
    transfer_from : object, default=None
        Another model that the examples are made for, with all steps and for all samples; `model`
        only predicts them. To name it in the results, give a pair (name, model). This is not an
        attack on `model`: accuracy may even rise.
    batch_size : int, default=None
        Samples in flight; bounds the memory. None: as many as have 2**18 features together, but at
        least 64.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the random starts. Those of a sample depend on it and on its position in X alone.
    n_jobs : int, default=None
        Processes that batches of the samples are spread over, as in joblib; None: what
        ``joblib.parallel_config`` says, or else this process. The result is the same to the last
        bit.
    verbose : int, default=None
        1: a progress bar. 0: none. None: one for what takes more than five seconds, on a
        terminal or in a notebook.

    Returns
    -------
    AttackResult
        The examples, and which of them succeed.

    Raises
    ------
    TypeError
        If the model is of a kind that cannot be differentiated, or eps is not a number.
    ValueError
        If X, y, eps or an option does not fit; the message says which and what to do.

    See Also
    --------
    robust_accuracy : Accuracy under attack, for one eps or a grid.
    least_eps : The least eps of each sample at which an attack succeeds.

    Notes
    -----
    A failed attack proves nothing: there may be an adversarial example that was not found. Compare
    more steps and restarts, and :func:`robfair.boundary_distance`, whose searches are stronger;
    with ``certify=True`` it proves where there is none.

    In float32 the cross-entropy of a confident model has no gradient at all. The attacks follow
    functions that grow in the same direction as their losses and do not saturate.

    References
    ----------
    .. [1] A. Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR
       2018.
    .. [2] I. Goodfellow, J. Shlens, C. Szegedy, "Explaining and Harnessing Adversarial Examples",
       ICLR 2015.
    .. [3] H. Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy",
       ICML 2019.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.attacks import attack
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> attack(LogisticRegression().fit(X, y), X, y, eps=1.5).success
    array([False,  True,  True, False])
    """
    check_aligned(X=X, eps=eps)
    budget = check_eps(eps)
    options = AttackOptions(
        method=method,
        n_steps=n_steps,
        step_size=step_size,
        n_restarts=n_restarts,
        random_start=random_start,
        nearest=nearest,
        target=target,
        transfer_from=transfer_from,
        batch_size=batch_size,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    prepared = prepare(model, X, y, threat_model, options)
    if budget.ndim and budget.shape != (len(prepared),):
        raise ValueError(
            f"eps must be a number, or an array of one for each of the {len(prepared)} samples; "
            f"got shape {budget.shape}. For a grid of eps use robust_accuracy or attack_success."
        )
    return prepared.run(np.broadcast_to(budget, len(prepared)).copy())
