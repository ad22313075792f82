import itertools
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from fairlearn.metrics import MetricFrame
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_series_equal

from robfair import metrics
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics import classifier_robustness, group_robustness, robustness_score

# Of ten samples that hypothesis draws none may be right.
pytestmark = pytest.mark.filterwarnings("ignore:no prediction of")

SAMPLES = st.lists(
    st.tuples(st.booleans(), st.floats(0.0, 100.0), st.sampled_from("abc")),
    min_size=1,
    max_size=25,
)
MEASURES = [
    metrics.classifier_robustness,
    metrics.robustness_variance,
    metrics.robustness_dispersion,
    metrics.worst_group_robustness,
    metrics.robustness_gap,
]


def arrays(samples):
    right, distance, group = (list(column) for column in zip(*samples, strict=True))
    return [0] * len(samples), [0 if ok else 1 for ok in right], distance, group


def area_by_sorting(y_true, y_pred, distance):
    """Definition 2: the step function I_P, integrated between neighbouring distances."""
    ends = sorted({0.0, *distance})
    area = 0.0
    for left, right in itertools.pairwise(ends):
        beyond = 0
        for true, pred, d in zip(y_true, y_pred, distance, strict=True):
            beyond += true == pred and d > left
        area += beyond / len(y_true) * (right - left)
    return area


def brute_force(y_true, y_pred, distance, group):
    robs = {}
    for name in sorted(set(group)):
        at = [i for i in range(len(group)) if group[i] == name]
        robs[name] = area_by_sorting(
            [y_true[i] for i in at], [y_pred[i] for i in at], [distance[i] for i in at]
        )
    return robs


@given(SAMPLES)
def test_definitions_2_and_3(samples):
    y_true, y_pred, distance, group = arrays(samples)
    expected = brute_force(y_true, y_pred, distance, group)
    found = group_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    assert dict(found) == pytest.approx(expected)
    rob = classifier_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    assert rob == pytest.approx(sum(expected.values()) / len(expected))
    assert rob == pytest.approx(found.mean())
    assert robustness_score(y_true, y_pred, distance=distance) == pytest.approx(
        area_by_sorting(y_true, y_pred, distance)
    )


@given(SAMPLES)
def test_definition_5_splits_the_groups(samples):
    y_true, y_pred, distance, group = arrays(samples)
    robs = brute_force(y_true, y_pred, distance, group)
    mean = sum(robs.values()) / len(robs)
    margins = {name: value - mean for name, value in robs.items() if abs(value - mean) > 1e-9}
    found = group_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    rob = classifier_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    vulnerable = set(found.index[found < rob])
    assert {name for name in margins if name in vulnerable} == {
        name for name, margin in margins.items() if margin < 0
    }


@given(SAMPLES, st.data())
def test_a_mistake_never_raises_robustness(samples, data):
    y_true, y_pred, distance, group = arrays(samples)
    before = group_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    y_pred[data.draw(st.integers(0, len(samples) - 1))] = 1
    after = group_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    assert (after <= before).all()


@given(SAMPLES, st.floats(0.01, 100.0))
def test_scale(samples, scale):
    y_true, y_pred, distance, group = arrays(samples)
    one = group_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    scaled = group_robustness(
        y_true, y_pred, distance=[scale * d for d in distance], sensitive_features=group
    )
    assert_allclose(scaled, scale * one, atol=1e-12)


@given(SAMPLES, st.floats(0.01, 100.0))
def test_tau_max_caps(samples, tau_max):
    y_true, y_pred, distance, _ = arrays(samples)
    expected = np.mean([ok * min(d, tau_max) for ok, d, _ in samples])
    assert robustness_score(y_true, y_pred, distance=distance, tau_max=tau_max) == pytest.approx(
        expected
    )


def test_decomposition():
    y, pred = np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0])
    distance = np.array([1.0, 2.0, 6.0, 9.0])
    assert robustness_score(y, pred, distance=distance) == 0.75 * 3.0


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        lambda values: pd.Series(values, index=[5, 5, 1, 0]),
        pl.Series,
        torch.tensor,
    ],
)
def test_result_does_not_depend_on_the_container(container):
    y, pred, distance, group = [0, 1, 1, 0], [0, 1, 0, 0], [1.0, 2.0, 3.0, 4.0], [7, 8, 7, 8]
    found = group_robustness(
        container(y),
        container(pred),
        distance=container(distance),
        sensitive_features=container(group),
    )
    assert_series_equal(found, pd.Series([0.5, 3.0], index=[7, 8], name="robustness"))


def test_crossed_groups():
    frame = pd.DataFrame({"race": list("aabb"), "sex": ["f", "m", "f", "m"]})
    found = group_robustness(
        [0] * 4, [0] * 4, distance=[1.0, 2.0, 3.0, 4.0], sensitive_features=frame
    )
    assert found.loc[("b", "f")] == 3.0
    assert found.index.names == ["race", "sex"]


def test_group_intervals():
    rng = np.random.default_rng(0)
    n = 600
    group = np.repeat(["a", "b"], [100, 500])
    distance = rng.exponential(size=n)
    table = group_robustness(
        np.zeros(n),
        np.zeros(n),
        distance=distance,
        sensitive_features=group,
        confidence_level=0.95,
    )
    assert list(table.columns) == ["robustness", "lower", "upper"]
    for name, row in table.iterrows():
        block = distance[group == name]
        half = 1.96 * block.std() / np.sqrt(len(block))
        assert row["robustness"] == pytest.approx(block.mean())
        assert_allclose(
            row[["lower", "upper"]].tolist(), block.mean() + np.array([-half, half]), atol=half / 3
        )


def test_censored_distance():
    y, distance, group = [0] * 5, [np.inf, 1.0, 2.0, 3.0, np.inf], list("aabbb")
    pred = [0, 0, 0, 0, 1]
    with pytest.warns(
        CensoredDistanceWarning, match=r"infinite for 1 of 4 correctly .*tau_max="
    ) as record:
        robs = group_robustness(y, pred, distance=distance, sensitive_features=group)
    assert len(record) == 1
    assert np.isnan(robs["a"])
    assert robs["b"] == pytest.approx(5 / 3)
    with pytest.warns(CensoredDistanceWarning) as record:
        table = group_robustness(
            y, pred, distance=distance, sensitive_features=group, confidence_level=0.95
        )
    assert len(record) == 1
    assert table.loc["a"].isna().all()
    assert table.loc["b"].notna().all()
    with pytest.warns(CensoredDistanceWarning):
        assert np.isnan(robustness_score(y, pred, distance=distance))
    assert robustness_score(y, pred, distance=distance, tau_max=4.0) == 2.0


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("level", [None, 0.9])
def test_censored_distance_across_groups(measure, level):
    keywords = {"distance": [np.inf, 1.0, 2.0, 3.0], "sensitive_features": list("aabb")}
    with pytest.warns(CensoredDistanceWarning, match="1 of 4") as record:
        value = measure([0] * 4, [0] * 4, confidence_level=level, **keywords)
    assert len(record) == 1
    assert np.isnan(value)
    assert value.interval is None if level is None else np.isnan(value.interval).all()
    assert np.isfinite(measure([0] * 4, [0] * 4, tau_max=5.0, **keywords))


def test_one_group_is_the_classifier():
    rob = classifier_robustness(
        [0, 0], [0, 0], distance=[1.0, 2.0], sensitive_features=["a", "a"], confidence_level=0.95
    )
    assert rob == 1.5
    assert rob.interval is not None


def test_metric_frame():
    rng = np.random.default_rng(0)
    n = 60
    y, pred, distance = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.random(n)
    race = pd.Series(rng.choice(["a", "b", "c"], n), name="race")
    frame = MetricFrame(
        metrics={"robustness": robustness_score},
        y_true=y,
        y_pred=pred,
        sensitive_features=race,
        sample_params={"robustness": {"distance": distance}},
    )
    found = group_robustness(y, pred, distance=distance, sensitive_features=race)
    assert_series_equal(frame.by_group["robustness"], found, check_dtype=False)
    single = MetricFrame(
        metrics=robustness_score,
        y_true=y,
        y_pred=pred,
        sensitive_features=race,
        sample_params={"distance": distance},
    )
    assert single.overall == pytest.approx(robustness_score(y, pred, distance=distance))
    assert single.difference() == pytest.approx(
        metrics.robustness_gap(y, pred, distance=distance, sensitive_features=race)
    )


@pytest.mark.parametrize("name", [name for name in metrics.__all__ if not name.isupper()])
def test_public_names_pickle(name):
    public = getattr(metrics, name)
    assert pickle.loads(pickle.dumps(public)) is public
    assert public.__name__ == name
    assert public.__doc__
