"""What all measures do with rows in another order, and with groups in other containers."""

import inspect
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from robfair import metrics
from robfair.exceptions import UndefinedMetricWarning

N = 24
RNG = np.random.default_rng(0)
Y = np.arange(N) % 2
PER_SAMPLE = {
    "y_true": Y,
    "y_pred": np.where(np.arange(N) % 5, Y, 1 - Y),
    "y_proba": RNG.uniform(size=N),
    "distance": RNG.uniform(0.5, 1, N),
    "lower": RNG.uniform(0, 0.5, N),
    "least_eps": RNG.uniform(size=N),
    "sensitive_features": np.array(["a", "b", "c"])[np.arange(N) // 2 % 3],
}
# LUF compares models, and has no values of the samples but the confidences themselves.
MEASURES = {
    name: function
    for name in metrics.__all__
    if inspect.isfunction(function := getattr(metrics, name))
    and "y_true" in inspect.signature(function).parameters
}


def arguments(measure):
    """Return what a measure takes of each sample."""
    return {k: v for k, v in PER_SAMPLE.items() if k in inspect.signature(measure).parameters}


def numbers(result):
    if isinstance(result, dict):
        return np.concatenate([[curve.area(), *curve.tau] for curve in result.values()])
    if hasattr(result, "area"):
        return np.array([result.area(), *result.tau])
    return np.asarray(result, dtype=float)


def test_the_measures_are_found():
    assert {"robustness_variance", "class_robustness", "group_confidence"} < set(MEASURES)
    assert len(MEASURES) >= 17


@pytest.mark.parametrize("name", list(MEASURES))
def test_an_index_in_another_order_is_refused(name):
    measure, given = MEASURES[name], arguments(MEASURES[name])
    series = {key: pd.Series(values) for key, values in given.items()}
    order = np.random.default_rng(1).permutation(N)
    for key in given:
        with pytest.raises(ValueError, match=rf"indexes of .*\b{key}\b.* another order.*\.loc"):
            measure(**{**series, key: series[key].iloc[order]})
    together = measure(**{key: values.iloc[order] for key, values in series.items()})
    assert_allclose(numbers(together), numbers(measure(**given)), atol=1e-12)


FEATURES = [
    (name, feature)
    for name, measure in MEASURES.items()
    for feature in ("control_features", "standardize_by")
    if feature in inspect.signature(measure).parameters
]


@pytest.mark.parametrize(("name", "feature"), FEATURES)
def test_a_feature_in_another_order_is_refused(name, feature):
    given = {key: pd.Series(values) for key, values in arguments(MEASURES[name]).items()}
    given[feature] = pd.Series(np.repeat(["m", "w"], N // 2))[::-1]
    with pytest.raises(ValueError, match=rf"indexes of .*\b{feature}\b.* another order.*\.loc"):
        MEASURES[name](**given)


@settings(max_examples=8)
@given(order=st.permutations(range(N)))
@pytest.mark.parametrize("name", list(MEASURES))
def test_the_order_of_the_rows_changes_nothing(name, order):
    measure, given = MEASURES[name], arguments(MEASURES[name])
    shuffled = {key: values[order] for key, values in given.items()}
    assert_allclose(numbers(measure(**shuffled)), numbers(measure(**given)), atol=1e-12)


CONTAINERS = {
    "list": list,
    "array": np.array,
    "objects": lambda names: np.array(names, dtype=object),
    "series": pd.Series,
    "category": lambda names: pd.Series(names, dtype="category"),
    "string": lambda names: pd.Series(names, dtype="string"),
    "string[pyarrow]": lambda names: pd.Series(names, dtype="string[pyarrow]"),
    "pyarrow": pa.array,
    "dictionary": lambda names: pa.array(names).dictionary_encode().cast(pa.string()),
    "polars": pl.Series,
    "polars category": lambda names: pl.Series(names, dtype=pl.Categorical),
    "polars enum": lambda names: pl.Series(names, dtype=pl.Enum(["a", "b", "c"])),
    "frame": lambda names: pd.DataFrame({"race": names}),
    "polars frame": lambda names: pl.DataFrame({"race": names}),
    "numbers": lambda names: np.array(["abc".index(name) for name in names]),
    "nullable": lambda names: pd.Series(["abc".index(name) for name in names], dtype="Int64"),
    "floats": lambda names: [float("abc".index(name)) for name in names],
    "bytes": lambda names: np.array(names, dtype="S1"),
    "masked": lambda names: np.ma.masked_array(names, mask=False),
}


@settings(max_examples=12)
@given(data=st.data(), names=st.lists(st.sampled_from("abc"), min_size=N, max_size=N))
@pytest.mark.parametrize("kind", list(CONTAINERS))
def test_the_container_of_the_groups_changes_nothing(kind, data, names):
    measure = MEASURES[data.draw(st.sampled_from(sorted(MEASURES)))]
    given = arguments(measure)
    if "sensitive_features" not in given:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # of one group, or an empty cell
        plain = measure(**{**given, "sensitive_features": names})
        wrapped = measure(**{**given, "sensitive_features": CONTAINERS[kind](names)})
    np.testing.assert_array_equal(numbers(wrapped), numbers(plain))
