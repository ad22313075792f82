import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.exceptions import CensoredDistanceWarning, UndefinedMetricWarning
from robfair.metrics import (
    group_robustness,
    robustness_dispersion,
    robustness_gini,
    robustness_ratio,
)

MEASURES = [robustness_ratio, robustness_gini]
each_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda f: f.__name__)


def rows(distance, groups):
    y = np.zeros(len(distance), dtype=int)
    return (y, y), {"distance": distance, "sensitive_features": groups}


def test_by_hand():
    labels, keywords = rows([1.0, 3.0, 4.0, 4.0, 0.0, 0.0], list("aabbcc"))
    assert robustness_ratio(*labels, **keywords) == 0
    # |2-4| + |2-0| + |4-0|, twice, over 9 pairs; the mean is 2.
    assert robustness_gini(*labels, **keywords) == pytest.approx(16 / 9 / 4)


@given(st.lists(st.floats(0.01, 100.0), min_size=2, max_size=8), st.floats(0.1, 10.0))
def test_both_against_loops_and_scale(robs, unit):
    labels, keywords = rows(unit * np.repeat(robs, 2), np.repeat(np.arange(len(robs)), 2))
    rob = group_robustness(*labels, **keywords).tolist()
    assert robustness_ratio(*labels, **keywords) == pytest.approx(min(robs) / max(robs))
    differences = sum(abs(a - b) for a in rob for b in rob) / len(rob) ** 2
    expected = differences / (2 * sum(rob) / len(rob))
    gini, n = robustness_gini(*labels, **keywords), len(rob)
    assert gini == pytest.approx(expected, abs=1e-9)
    cv = robustness_dispersion(*labels, **keywords)
    assert cv * np.sqrt(n - 1) / n <= gini + 1e-9
    assert gini <= cv / np.sqrt(3) + 1e-9


@given(st.integers(2, 20))
def test_the_greatest_gini_is_that_of_one_group_with_everything(n_groups):
    distance = np.zeros(n_groups)
    distance[0] = 1.0
    labels, keywords = rows(distance, [f"g{g}" for g in range(n_groups)])
    if n_groups > 10:  # a group for each row
        labels, keywords = rows(np.repeat(distance, 2), np.repeat(np.arange(n_groups), 2))
    assert robustness_gini(*labels, **keywords) == pytest.approx(1 - 1 / n_groups)


@each_measure
@given(seed=st.integers(0, 10_000), n_groups=st.integers(2, 6), level=st.floats(0.5, 0.99))
def test_the_interval_holds_the_value(measure, seed, n_groups, level):
    rng = np.random.default_rng(seed)
    groups = np.arange(n_groups * 12) % n_groups
    labels, keywords = rows(rng.exponential(1.0, len(groups)), groups)
    value = measure(*labels, **keywords, confidence_level=level)
    assert 0 <= value.interval[0] <= value <= value.interval[1] <= 1


@each_measure
def test_undefined(measure):
    labels, keywords = rows([1.0, 2.0], ["a", "a"])
    with pytest.warns(UndefinedMetricWarning, match="only one"):
        assert np.isnan(measure(*labels, **keywords))
    labels, keywords = rows([1.0, np.inf, 2.0], ["a", "a", "b"])
    with pytest.warns(CensoredDistanceWarning):
        assert np.isnan(measure(*labels, **keywords))
    labels, keywords = rows([0.0, 0.0, 0.0], ["a", "b", "b"])
    with pytest.warns(UndefinedMetricWarning, match=r"Rob\(f\) is 0"):
        assert np.isnan(measure(*labels, **keywords))
