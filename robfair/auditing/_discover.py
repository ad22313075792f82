"""`discover_groups`: subgroups that are easier to attack and that nobody has named."""

from __future__ import annotations

from typing import Any, Never

import pandas as pd
from numpy.typing import ArrayLike

from robfair._cache import shared_distance
from robfair._names import DistanceMethod
from robfair._problem import as_seed
from robfair._warnings import each_once
from robfair.auditing._discovery import Discovery, DiscoveryOptions
from robfair.auditing._unknown_options import refuse_unknown
from robfair.distance import DistanceOptions
from robfair.threat import ThreatModel


@each_once()
def discover_groups(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    columns: Any = None,
    max_conditions: int = 2,
    min_size: int = 30,
    n_bins: int = 5,
    test_size: float = 0.5,
    standardize_by: Any = "y_true",
    confidence: float = 0.95,
    method: DistanceMethod = "auto",
    threat_model: ThreatModel | None = None,
    tau_max: float | None = None,
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
) -> pd.DataFrame:
    """Find subgroups that are easier to attack than the other rows, and that nobody has named.

    A subgroup is a conjunction of categories and ranges of numbers. The rows are split into two
    parts: one is searched, and the few subgroups that stand out there are tested on the other, with
    a correction for their number. This does not replace an audit by groups that somebody has named.

    Parameters
    ----------
    model : object
        A fitted classifier; see `boundary_distance` for what is supported.
    X : array-like of shape (n_samples, n_features)
        Samples that the model was not trained on.
    y : array-like of shape (n_samples,)
        True labels.
    columns : str, list or DataFrame, default=None
        What conditions are about: some columns of X by name, or a DataFrame with a row for each row
        of X, whose columns need not be features of the model. None: all columns of X.
    max_conditions : int, default=2
        The most conditions of a subgroup. All pairs are looked at; a third condition is added to
        the best hundred.
    min_size : int, default=30
        The fewest rows of a subgroup, and of the other rows, in each of the two parts.
    n_bins : int, default=5
        Parts into which the values of a number are cut, near quantiles; a range is one part or
        several neighbouring ones.
    test_size : float, default=0.5
        Share of the rows that the subgroups are tested on.
    standardize_by : "y_true", array-like of shape (n_samples,) or None, default="y_true"
        What must be equal where rows are compared. By default a subgroup is compared with other
        rows of the same true labels, weighted to the labels that it has, so that it is not found
        for having more rows of a label that is easier to attack. None: with all other rows.
    confidence : float, default=0.95
        Level of the intervals, which hold together, and of the test: where there is nothing, it
        confirms nothing with this probability.
    method : str, default="auto"
        How distances are computed; see `boundary_distance`.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the split and of the random parts of the searches.
    budget, time_limit, max_iter, overshoot, n_candidates : int or float
        Options of `method`, as for `boundary_distance`.
    background, batch_size, n_jobs : array-like or int, default=None
        Options of all searches, as for `boundary_distance`.
    verbose : int, default=None
        1: a progress bar. 0: none. None: one for what takes more than five seconds, on a
        terminal or in a notebook.
    **unknown : Never
        Any other keyword is refused, with a hint.

    Returns
    -------
    pandas.DataFrame
        A row per subgroup that was tested, ten at most, the least `p_value` first; none if nothing
        stood out. Of the rows of the test: condition in words, size, robustness = Rob(P), rest (the
        same of the rows it is compared with), difference, its interval lower and upper, p_value
        (two-sided, corrected by Holm's method) and confirmed. Of the rows of the search:
        found_size, found_robustness, found_difference, which flatter, since the search has chosen
        the largest. `attrs` holds the numbers of rows and of conjunctions that were searched.

    Raises
    ------
    TypeError, ValueError
        As `boundary_distance` does; ValueError also if X does not name its columns and `columns`
        is not given, if there are too few rows, no condition that enough rows meet or more than
        2,000, if an option is out of its range, or if for some rows no adversarial was found and
        `tau_max` is None.

    Warns
    -----
    GroupsWarning
        If nothing can be searched in a column, such as one with a value for each row.

    See Also
    --------
    audit : Groups that are named, and with ``discover=`` these in the same report.

    Notes
    -----
    Missing values are a category. A conjunction is tested if it stands out more than its parts and
    adds to those before it. Its rows must be further below the rest than the spread of as many
    rows of the rest explains, and than its own spread does where that is larger. Conditions that
    hold for the same rows cannot be told apart, and a condition is not a cause. One split decides:
    another `random_state` may confirm others, and trying several until one confirms is not a test.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import discover_groups
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(600, random_state=0)
    >>> model = LogisticRegression(C=1e6).fit(data.X, data.y)
    >>> sites = pd.Series(data.groups).map({0: "north", 1: "east", 2: "south"})
    >>> people = pd.DataFrame({"site": sites, "age": [20 + i % 50 for i in range(600)]})
    >>> table = discover_groups(model, data.X, data.y, columns=people)
    >>> table.loc[table["confirmed"], ["condition", "robustness", "rest"]].round(1)
          condition  robustness  rest
    0  site = north         0.5   1.3
    """
    refuse_unknown(discover_groups, unknown)
    seed = as_seed(random_state)
    options = DiscoveryOptions(
        columns=columns,
        max_conditions=max_conditions,
        min_size=min_size,
        n_bins=n_bins,
        test_size=test_size,
        standardize_by=standardize_by,
        confidence=confidence,
        tau_max=tau_max,
    )
    discovery = Discovery.of(X, y, options)  # before the distances, which may take hours
    distances = shared_distance(
        model,
        X,
        discovery.y_true,
        method=method,
        threat_model=threat_model,
        options=DistanceOptions(
            budget=budget,
            time_limit=time_limit,
            max_iter=max_iter,
            overshoot=overshoot,
            n_candidates=n_candidates,
            background=background,
            batch_size=batch_size,
            n_jobs=n_jobs,
            random_state=seed,
        ),
        verbose=verbose,
    )
    return discovery.measure(distances, seed)
