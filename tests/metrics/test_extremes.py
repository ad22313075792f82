import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import group_robustness, robustness_gap, worst_group_robustness

Y, P = [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]
KEYWORDS = {"distance": [1.0, 2.0, 4.0, 6.0, 8.0], "sensitive_features": list("abbcc")}


def test_by_hand():
    assert worst_group_robustness(Y, P, **KEYWORDS) == 1.0
    assert robustness_gap(Y, P, **KEYWORDS) == 2.0
    assert robustness_gap(Y, P, tau_max=2.0, **KEYWORDS) == 1.0


@given(
    st.lists(st.tuples(st.floats(0.0, 10.0), st.integers(0, 2)), min_size=1, max_size=20).filter(
        lambda samples: len({group for _, group in samples}) > 1
    )
)
def test_extremes_of_the_groups(samples):
    distance, group = zip(*samples, strict=True)
    keywords = {"distance": distance, "sensitive_features": group}
    y = [0] * len(samples)
    robs = group_robustness(y, y, **keywords)
    assert worst_group_robustness(y, y, **keywords) == robs.min()
    assert robustness_gap(y, y, **keywords) == robs.max() - robs.min()


def test_one_group():
    keywords = {"distance": [1.0, 2.0], "sensitive_features": ["a", "a"]}
    assert worst_group_robustness([0, 0], [0, 0], **keywords) == 1.5
    with pytest.warns(UndefinedMetricWarning, match="^The gap .* only one") as record:
        assert np.isnan(robustness_gap([0, 0], [0, 0], **keywords))
    assert len(record) == 1


def test_intervals_are_those_of_the_extremes():
    # Two groups far apart: the gap's interval is the one of a difference of means.
    rng = np.random.default_rng(0)
    near, far = rng.uniform(0, 1, 300), rng.uniform(5, 6, 300)
    keywords = {
        "distance": np.concatenate([near, far]),
        "sensitive_features": np.repeat([0, 1], 300),
        "confidence_level": 0.95,
    }
    y = np.zeros(600)
    worst, gap = worst_group_robustness(y, y, **keywords), robustness_gap(y, y, **keywords)
    half = 1.96 * near.std() / np.sqrt(300)
    assert worst.interval == pytest.approx((worst - half, worst + half), abs=half / 8)
    half = 1.96 * np.sqrt((near.var() + far.var()) / 300)
    assert gap.interval == pytest.approx((gap - half, gap + half), abs=half / 8)
