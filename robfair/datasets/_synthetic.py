"""A synthetic problem whose robustness per group is known in closed form."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch

__all__ = ["make_group_margins"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]
_Seed = int | np.random.Generator | np.random.RandomState | None


def make_group_margins(
    n_samples: int | Sequence[int] = 1000,
    *,
    n_features: int = 10,
    margins: Sequence[float] = (0.5, 1.0, 1.5),
    spread: float = 0.5,
    flip: float | Sequence[float] = 0.0,
    class_balance: float | Sequence[float] = 0.5,
    scale: float = 1.0,
    random_state: _Seed = None,
) -> Bunch:
    r"""Make a linear problem in which Rob(P), Rob(f) and V_f of the true rule are known exactly.

    The true rule is the hyperplane ``X @ coef + intercept = 0`` with a normal of unit length. Each
    group has its own mean distance to it, its *margin*, and its own share of labels that contradict
    the rule. Only what does not matter is random: distances form an even grid and counts are exact,
    so the closed form holds for the finite sample, not just on average.

    Parameters
    ----------
    n_samples : int or sequence of int, default=1000
        Number of samples in all, split among the groups as evenly as possible, or the number of
        each group.
    n_features : int, default=10
        Number of features.
    margins : sequence of float, default=(0.5, 1.0, 1.5)
        Mean L2 distance to the boundary of each group, in the unit of the features; its length is
        the number of groups.
    spread : float, default=0.5
        Half the width of the distances of a group, as a share of its margin, in [0, 1): they lie
        evenly between ``margin * (1 - spread)`` and ``margin * (1 + spread)``.
    flip : float or sequence of float, default=0.0
        Share of labels, of all groups or of each, that contradict the true rule, in [0, 1]. It is
        rounded to a whole number of samples; ``group_error`` holds the share that came out.
    class_balance : float or sequence of float, default=0.5
        Share of samples on the positive side, of all groups or of each, in [0, 1], rounded to a
        whole number of samples; before labels are flipped.
    scale : float, default=1.0
        Standard deviation of the features along the boundary, where no distance depends on them.
    random_state : int, Generator, RandomState or None, default=None
        Seed of the hyperplane, of the features along it, and of the order of the samples. None
        draws a fresh seed; numpy's global state is never used.

    Returns
    -------
    problem : :class:`~sklearn.utils.Bunch`
        With these attributes:

        X : ndarray of shape (n_samples, n_features)
            The features.
        y : ndarray of shape (n_samples,)
            The labels, 0 or 1. Where they contradict the true rule, it is wrong.
        groups : ndarray of shape (n_samples,)
            The group of each sample, 0 to ``len(margins) - 1``.
        coef : ndarray of shape (n_features,)
            The unit normal of the true boundary.
        intercept : float
            Its intercept.
        distance : ndarray of shape (n_samples,)
            Exact L2 distance of each sample to the true boundary.
        distance_linf : ndarray of shape (n_samples,)
            Exact L-infinity distance, which is ``distance / sum(abs(coef))``.
        group_error : Series of shape (n_groups,)
            Share of samples of each group that the true rule gets wrong.
        group_robustness : Series of shape (n_groups,)
            Rob(P) of the true rule in L2.
        classifier_robustness : float
            Rob(f) of the true rule: the unweighted mean of Rob(P).
        robustness_variance : float
            V_f of the true rule: the variance of Rob(P) over the groups, with ``ddof=0``.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or a sequence does not have one value per group.

    Notes
    -----
    In group :math:`P` the correct samples lie on an even grid around the margin :math:`m_P`, and
    so do the others, on a grid of their own. The mean distance of the correct samples is thus
    :math:`m_P` whatever the error :math:`e_P`, and Definition 2 of the paper, Rob(P) =
    accuracy times mean distance of the correct samples, gives

    .. math:: \mathrm{Rob}(P) = (1 - e_P) \, m_P .

    It holds up to the rounding of float64. Rob(P) in L-infinity is the same divided by
    ``sum(abs(coef))``.

    Examples
    --------
    >>> from robfair.datasets import make_group_margins
    >>> problem = make_group_margins(600, margins=(0.5, 2.0), flip=(0.0, 0.25), random_state=0)
    >>> problem.X.shape
    (600, 10)
    >>> problem.group_robustness.to_dict()
    {0: 0.5, 1: 1.5}
    >>> problem.classifier_robustness, problem.robustness_variance
    (1.0, 0.25)

    The distance of each sample is known too:

    >>> import numpy as np
    >>> to_boundary = np.abs(problem.X @ problem.coef + problem.intercept)
    >>> bool(np.allclose(problem.distance, to_boundary))
    True
    """
    margin = _margins(margins)
    n_groups = len(margin)
    sizes = _group_sizes(n_samples, n_groups)
    flip_share = _shares("flip", flip, n_groups)
    positive_share = _shares("class_balance", class_balance, n_groups)
    _check_numbers(n_features, spread, scale)

    # The draws below keep their order, so that a seed gives the same data in every version.
    rng = _generator(random_state)
    normal = rng.standard_normal(n_features)
    coef = normal / np.linalg.norm(normal)
    intercept = float(rng.standard_normal())

    n_flipped = np.rint(flip_share * sizes).astype(np.int64)
    n_positive = np.rint(positive_share * sizes).astype(np.int64)
    groups = np.repeat(np.arange(n_groups), sizes)
    # The flipped samples of a group come first, and both kinds lie on a grid of their own.
    kinds = np.column_stack([n_flipped, sizes - n_flipped])
    distance = np.concatenate(
        [_grid(m, spread, n) for m, row in zip(margin, kinds, strict=True) for n in row]
    )
    flipped = np.concatenate([np.arange(n) < k for n, k in zip(sizes, n_flipped, strict=True)])
    positive = np.concatenate(
        [rng.permutation(n) < k for n, k in zip(sizes, n_positive, strict=True)]
    )

    along = scale * rng.standard_normal((len(groups), n_features))
    along -= np.outer(along @ coef, coef)  # within the hyperplane: distances stay exact
    signed = np.where(positive, distance, -distance)
    X = along + np.outer(signed - intercept, coef)

    order = rng.permutation(len(groups))
    labels = pd.RangeIndex(n_groups, name="group")
    # In this order of operations round shares of round counts give round numbers.
    robustness = (sizes - n_flipped) * margin / sizes
    return Bunch(
        X=X[order],
        y=(positive ^ flipped).astype(np.int64)[order],
        groups=groups[order],
        coef=coef,
        intercept=intercept,
        distance=distance[order],
        distance_linf=distance[order] / np.abs(coef).sum(),  # by the dual norm, L1, of the normal
        group_error=pd.Series(n_flipped / sizes, index=labels, name="error"),
        group_robustness=pd.Series(robustness, index=labels, name="group_robustness"),
        classifier_robustness=float(robustness.mean()),
        robustness_variance=float(robustness.var()),
    )


def _check_numbers(n_features: int, spread: float, scale: float) -> None:
    """Raise ValueError unless each parameter that is one number is in its range."""
    if n_features < 1 or n_features != int(n_features):
        raise ValueError(f"n_features must be an integer >= 1; got {n_features!r}.")
    if not 0 <= spread < 1:
        raise ValueError(f"spread must be in [0, 1), so that distances are > 0; got {spread!r}.")
    if not (np.isfinite(scale) and scale >= 0):
        raise ValueError(f"scale must be a finite number >= 0; got {scale!r}.")


def _grid(margin: float, spread: float, n: int) -> _Floats:
    """Return `n` even points, symmetric about `margin`, whose mean is therefore `margin`."""
    # linspace(-1, 1, 1) is [-1], which is not symmetric.
    steps = np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(n)
    return margin * (1.0 + spread * steps)


def _margins(margins: Sequence[float]) -> _Floats:
    """Return `margins` as an array, or raise ValueError."""
    values = np.asarray(margins, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"margins must be a sequence of finite numbers > 0, one per group; got {margins!r}."
        )
    return values


def _shares(name: str, value: float | Sequence[float], n_groups: int) -> _Floats:
    """Return one share in [0, 1] per group."""
    values = np.asarray(value, dtype=np.float64)
    if values.shape not in {(), (n_groups,)}:
        raise ValueError(
            f"{name} must be one number, or one per group ({n_groups}, the length of margins); "
            f"got {value!r}."
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"{name} must be in [0, 1]; got {value!r}.")
    return np.broadcast_to(values, (n_groups,))


def _group_sizes(n_samples: int | Sequence[int], n_groups: int) -> _Ints:
    """Return the number of samples of each group, at least one."""
    given = np.asarray(n_samples)
    if given.dtype.kind not in "iu" or given.shape not in {(), (n_groups,)}:
        raise ValueError(
            f"n_samples must be an integer, or one per group ({n_groups}, the length of margins); "
            f"got {n_samples!r}."
        )
    if given.ndim:
        sizes = given.astype(np.int64)
    else:
        sizes = np.full(n_groups, given // n_groups, dtype=np.int64)
        sizes[: given % n_groups] += 1  # the first groups take the rest
    if (sizes < 1).any():
        raise ValueError(
            f"Each of the {n_groups} groups needs a sample; got n_samples={n_samples!r}."
        )
    return sizes


def _generator(random_state: _Seed) -> np.random.Generator:
    """Return a Generator; from a RandomState it is seeded by a draw of that state."""
    if isinstance(random_state, np.random.RandomState):
        # numpy < 2.2 does not take one in default_rng.
        return np.random.default_rng(random_state.randint(2**31 - 1, size=4))
    return np.random.default_rng(random_state)
