"""Success rates of an attack against its budget, for every class or group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._groups import encode_groups
from robfair._validation import Population, check_correct, to_array
from robfair._warnings import each_once
from robfair.attacks import attack_success
from robfair.metrics import class_robustness
from robfair.plotting._predictions import predictions
from robfair.plotting._style import MARKERS, add_legend, axes_for, looks, name_others, text

__all__ = ["AttackSuccessDisplay"]

YLABELS = {"correct": "fooled, of those classified correctly", "all": "wrong, or fooled"}


class AttackSuccessDisplay:
    """Success of an attack against its budget eps, a line per class or group (fig. 3, 4 of [1]_).

    A point is the fraction of a group for which the attack found a perturbation no larger than eps
    that the model gets wrong: SR(y, eps). By default it is a fraction of the samples that are
    classified correctly. The vertical distance between the highest and the lowest line is CRU_s at
    that eps. An attack can overlook a perturbation, so each point is a lower bound of what a
    stronger attack would find.

    Parameters
    ----------
    rates : mapping of label to Series
        Success rate of each class or group, indexed by eps.
    sizes : mapping of label to int, default=None
        Number of samples behind each line, shown in the legend.
    steps : bool, default=False
        Whether to draw steps: a rate then holds up to the next eps, as for least eps. Otherwise
        rates are known only at these eps, and lines join their markers.
    population : {"correct", "all"}, default="correct"
        The samples that count. "correct": those classified correctly. "all": the others too, as
        successes.
    name : str, default=None
        Name of the model, the title of the figure.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the lines were drawn.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        The lines, in the order of the legend.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 2.

    Examples
    --------
    >>> from robfair.plotting import AttackSuccessDisplay
    >>> display = AttackSuccessDisplay.from_predictions(
    ...     ["cat", "cat", "dog", "dog"], ["cat", "cat", "dog", "cat"],
    ...     least_eps=[1.0, 3.0, 2.0, 0.0], eps_max=4.0,
    ... )
    >>> display.rates["cat"]
    eps
    0.0    0.0
    1.0    0.5
    3.0    1.0
    4.0    1.0
    Name: cat, dtype: float64
    """

    def __init__(
        self,
        *,
        rates: Mapping[Any, pd.Series],
        sizes: Mapping[Any, int] | None = None,
        steps: bool = False,
        population: Population = "correct",
        name: str | None = None,
    ) -> None:
        self.rates = dict(rates)
        self.sizes = None if sizes is None else dict(sizes)
        self.steps = steps
        self.population = population
        self.name = name

    @classmethod
    @each_once()
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        success: pd.DataFrame | None = None,
        least_eps: ArrayLike | None = None,
        eps_max: float | None = None,
        sensitive_features: Any = None,
        population: Population = "correct",
        name: str | None = None,
    ) -> AttackSuccessDisplay:
        """Make a display from the results of attacks; call its `plot` to draw.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted labels, the latter without an attack.
        success : DataFrame of bool, of shape (n_samples, n_eps), default=None
            Whether an attack succeeded, a column for each eps and named so:
            :func:`robfair.attacks.attack_success` of a grid.
        least_eps : array-like of shape (n_samples,), default=None
            Instead of `success`, the least eps at which an attack succeeded, inf where none did:
            `eps` of :func:`robfair.attacks.least_eps`. It gives the whole step curve.
        eps_max : float, default=None
            With `least_eps`, the greatest eps that was tried, where the lines end.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns), \
default=None
            Group of each sample, matched by position; several columns are crossed. Categories that
            no sample has are left out, with a warning. None: the classes are the
            groups.
        population : {"correct", "all"}, default="correct"
            The samples that count; see the class.
        name : str, default=None
            Name of the model, the title of the figure.

        Returns
        -------
        AttackSuccessDisplay
            The display.

        Raises
        ------
        TypeError
            If both or neither of success and least_eps are passed, least_eps comes without eps_max,
            or success is not a DataFrame.
        ValueError
            If an argument has a wrong shape, length or value.
        """
        if least_eps is not None and success is None and eps_max is None:
            raise TypeError(
                "least_eps needs eps_max, the greatest eps that was tried: beyond it nothing is "
                "known of samples that no attack fooled."
            )
        if success is not None and not isinstance(success, pd.DataFrame):
            raise TypeError(
                "success must be a DataFrame with a column for each eps, as attack_success returns "
                f"for a grid of eps; got a {type(success).__name__}."
            )
        table = class_robustness(
            y_true,
            y_pred,
            success=success,
            least_eps=least_eps,
            eps_max=eps_max,
            sensitive_features=sensitive_features,
            population=population,
        )
        if least_eps is None:
            by_eps = table.drop(columns=["n", "n_population"]).rename_axis(columns="eps")
            rates = {label: row.sort_index() for label, row in by_eps.iterrows()}
        else:
            assert eps_max is not None  # as checked above
            correct = check_correct(y_true, y_pred)
            # A wrong prediction needs no attack.
            eps = np.where(correct, np.asarray(least_eps, dtype=float), 0.0)
            groups = (
                encode_groups(y_true, len(eps), "y_true")
                if sensitive_features is None
                else encode_groups(sensitive_features, len(eps))
            )
            counted = correct if population == "correct" else np.ones_like(correct)
            rates = {
                label: _share_up_to(eps[counted & (groups.codes == code)], eps_max).rename(label)
                for code, label in enumerate(groups.labels)
            }
        return cls(
            rates=rates,
            sizes=table["n_population"].to_dict(),
            steps=least_eps is not None,
            population=population,
            name=name,
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        eps: ArrayLike,
        sensitive_features: Any = None,
        population: Population = "correct",
        name: str | None = None,
        **attack_options: Any,
    ) -> AttackSuccessDisplay:
        """Attack a fitted classifier at each eps and make a display; call its `plot` to draw.

        Parameters
        ----------
        estimator : object
            A model with gradients that :func:`robfair.attacks.attack` takes.
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        eps : float or sequence of float
            Budgets, in increasing order.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns), \
default=None
            Group of each sample, matched by position; several columns are crossed. Categories that
            no sample has are left out, with a warning. None: the classes are the
            groups.
        population : {"correct", "all"}, default="correct"
            The samples that count; see the class.
        name : str, default=None
            Name of the model, the title of the figure. None: the name of its class, and with
            ``transfer_from=`` the model that the examples were made for.
        **attack_options
            Options of :func:`robfair.attacks.attack`, except `target`.

        Returns
        -------
        AttackSuccessDisplay
            The display.
        """
        check_aligned(X=X, y=y, sensitive_features=sensitive_features)
        success = attack_success(estimator, X, y, np.atleast_1d(eps), **attack_options)
        if name is None:
            name = type(estimator).__name__
            source = attack_options.get("transfer_from")
            if source is not None:
                made_for = source[0] if isinstance(source, tuple) else type(source).__name__
                name += f" (examples made for {made_for})"
        if sensitive_features is not None:
            sensitive_features = encode_groups(sensitive_features, len(success))
        return cls.from_predictions(
            to_array(y),  # as its rows have been compared with those of X
            predictions(estimator, X),
            success=pd.DataFrame(success),
            sensitive_features=sensitive_features,
            population=population,
            name=name,
        )

    def plot(self, *, ax: Any = None, legend: bool = True) -> AttackSuccessDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.
        legend : bool, default=True
            Whether to draw a legend. Of more than twelve lines it names the three highest and the
            three lowest, and the others are grey.

        Returns
        -------
        AttackSuccessDisplay
            The display itself.
        """
        ax = axes_for(ax, "AttackSuccessDisplay.plot", (7.5, 4.5))
        heights = {label: _height(rate, self.steps) for label, rate in self.rates.items()}
        self.lines_ = []
        styles = looks(heights)
        for i, (label, style) in enumerate(styles.items()):
            rate, named = self.rates[label], style["label"] is not None
            if named and self.sizes is not None:
                style["label"] += f" (n={self.sizes[label]:,})"
            if self.steps:
                style["drawstyle"] = "steps-post"  # a rate holds from its eps to the next
            elif named:
                style |= {"marker": MARKERS[i % len(MARKERS)], "markersize": 5}
            self.lines_ += ax.plot(rate.index, rate, **style)
        name_others(ax, styles)
        # Lines at 0 and 1 stay visible.
        ax.set(xlabel="eps", ylabel=YLABELS[self.population], ylim=(-0.03, 1.03))
        if self.name:
            ax.set_title(text(self.name, width=60))
        if legend:
            add_legend(ax, inside="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _share_up_to(least_eps: NDArray[np.float64], eps_max: float) -> pd.Series:
    """Return the share of samples fooled at each eps where it changes, at 0 and at the end."""
    ordered = np.sort(least_eps)
    eps = np.unique([0.0, *ordered[ordered <= eps_max], eps_max])
    fooled = np.searchsorted(ordered, eps, side="right")
    share = fooled / len(ordered) if len(ordered) else np.full(len(eps), np.nan)
    return pd.Series(share, index=pd.Index(eps, name="eps"))


def _height(rate: pd.Series, steps: bool) -> float:
    """Return the mean of the rates; steps are weighted by their lengths."""
    if not steps or len(rate) < 2:
        return float(rate.mean())
    # The last rate holds for no length.
    return float(np.average(rate[:-1], weights=np.diff(rate.index)))
