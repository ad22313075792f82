import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import (
    classifier_robustness,
    group_robustness,
    robustness_dispersion,
    robustness_gap,
    robustness_variance,
)

# Of ten samples that hypothesis draws none may be right.
pytestmark = pytest.mark.filterwarnings("ignore:no prediction of")

SAMPLES = st.lists(
    st.tuples(st.booleans(), st.floats(0.0, 100.0), st.sampled_from("abc")),
    min_size=2,
    max_size=25,
).filter(lambda samples: len({group for _, _, group in samples}) > 1)


def arrays(samples):
    right, distance, group = (list(column) for column in zip(*samples, strict=True))
    return [0] * len(samples), [0 if ok else 1 for ok in right], distance, group


def brute_force(samples, ddof):
    robs = []
    for name in sorted({group for _, _, group in samples}):
        total = count = 0
        for right, distance, group in samples:
            if group == name:
                count += 1
                total += distance if right else 0.0
        robs.append(total / count)
    mean = sum(robs) / len(robs)
    return mean, sum((rob - mean) ** 2 for rob in robs) / (len(robs) - ddof)


@pytest.mark.parametrize("ddof", [0, 1])
@given(samples=SAMPLES)
def test_definition_4(samples, ddof):
    y_true, y_pred, distance, group = arrays(samples)
    keywords = {"distance": distance, "sensitive_features": group, "ddof": ddof}
    mean, variance = brute_force(samples, ddof)
    assert robustness_variance(y_true, y_pred, **keywords) == pytest.approx(variance, abs=1e-9)
    if mean > 1e-3:
        assert robustness_dispersion(y_true, y_pred, **keywords) == pytest.approx(
            np.sqrt(variance) / mean, abs=1e-6
        )


@given(SAMPLES, st.randoms(use_true_random=False))
def test_order_and_names_do_not_matter(samples, random):
    before = robustness_variance(
        *arrays(samples)[:2], distance=arrays(samples)[2], sensitive_features=arrays(samples)[3]
    )
    random.shuffle(samples)
    renamed = {"a": "z", "b": "y", "c": "m"}
    y_true, y_pred, distance, group = arrays(samples)
    after = robustness_variance(
        y_true, y_pred, distance=distance, sensitive_features=[renamed[name] for name in group]
    )
    assert after == pytest.approx(before, abs=1e-9)


@pytest.mark.filterwarnings("ignore::robfair.exceptions.LabelsWarning")  # of rows all wrong
@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 100.0)), min_size=1, max_size=10))
def test_identical_groups(samples):
    twice = [(*sample, name) for name in "abc" for sample in samples]
    y_true, y_pred, distance, group = arrays(twice)
    keywords = {"distance": distance, "sensitive_features": group}
    assert robustness_variance(y_true, y_pred, **keywords) == pytest.approx(0.0, abs=1e-20)


@given(SAMPLES, st.floats(0.1, 10.0))
def test_scale(samples, scale):
    y_true, y_pred, distance, group = arrays(samples)
    scaled = [scale * d for d in distance]
    before = {"distance": distance, "sensitive_features": group}
    after = {"distance": scaled, "sensitive_features": group}
    assert robustness_variance(y_true, y_pred, **after) == pytest.approx(
        scale**2 * robustness_variance(y_true, y_pred, **before), rel=1e-6, abs=1e-9
    )
    if classifier_robustness(y_true, y_pred, **before) > 1e-3:
        assert robustness_dispersion(y_true, y_pred, **after) == pytest.approx(
            robustness_dispersion(y_true, y_pred, **before), abs=1e-6
        )


def test_notes_say_what_the_variance_hides():
    assert "misleads" in robustness_variance.__doc__
    everyone_wrong = {"distance": [1.0, 2.0], "sensitive_features": ["a", "b"]}
    assert robustness_variance([0, 0], [1, 1], **everyone_wrong) == 0


@pytest.mark.parametrize("ddof", [0, 1])
def test_bias_correction_by_hand(ddof):
    distance, group = np.array([1.0, 3.0, 2.0, 4.0, 9.0]), list("aabbb")
    y = np.zeros(5)
    plain, corrected = (
        robustness_variance(
            y, y, distance=distance, sensitive_features=group, ddof=ddof, bias_corrected=flag
        )
        for flag in (False, True)
    )
    noise = np.mean([distance[:2].var(ddof=1) / 2, distance[2:].var(ddof=1) / 3])
    assert plain - corrected == pytest.approx(noise * (0.5 if ddof == 0 else 1.0))


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("apart", [6.0, 0.5])
def test_the_corrected_cv_is_that_of_the_corrected_variance(ddof, apart):
    distance, group = np.array([1.0, 3.0, 2.0, 4.0, 3.0 + apart]), list("aabbb")
    keywords = {"distance": distance, "sensitive_features": group}
    more = {"ddof": ddof, "bias_corrected": True}
    variance = robustness_variance(np.zeros(5), np.zeros(5), **keywords, **more)
    cv = robustness_dispersion(np.zeros(5), np.zeros(5), **keywords, **more)
    rob = classifier_robustness(np.zeros(5), np.zeros(5), **keywords)
    assert cv == pytest.approx(max(variance, 0) ** 0.5 / rob)
    assert (variance > 0) is (apart == 6)  # of which there is no root


@pytest.mark.slow
@pytest.mark.parametrize("ddof", [0, 1])
def test_bias_corrected_variance_is_unbiased(ddof):
    rng = np.random.default_rng(0)
    sizes = np.array([4, 8, 16, 30])
    group = np.repeat(np.arange(4), sizes)
    accuracy, scale = np.array([0.6, 0.7, 0.9, 1.0]), np.array([1.0, 1.1, 0.9, 1.2])
    truth = (accuracy * scale).var(ddof=ddof)
    plain, corrected = [], []
    y = np.zeros(len(group))
    for _ in range(500):
        pred = (rng.random(len(group)) > accuracy[group]).astype(int)
        distance = rng.exponential(scale[group])
        keywords = {"distance": distance, "sensitive_features": group, "ddof": ddof}
        plain.append(robustness_variance(y, pred, **keywords))
        corrected.append(robustness_variance(y, pred, bias_corrected=True, **keywords))
    error = np.std(corrected) / np.sqrt(len(corrected))
    assert abs(np.mean(corrected) - truth) < 3.5 * error
    assert np.mean(plain) - truth > 6 * error
    assert min(corrected) < 0  # not clipped


def test_the_corrected_variance_lies_in_the_same_interval():
    rng = np.random.default_rng(0)
    group, scale = np.repeat([0, 1, 2, 3], 50), np.array([1.0, 1.1, 1.2, 1.0])
    keywords = {"distance": rng.exponential(scale[group]), "sensitive_features": group}
    plain, corrected = (
        robustness_variance(
            np.zeros(200), np.zeros(200), bias_corrected=flag, confidence_level=0.95, **keywords
        )
        for flag in (False, True)
    )
    assert corrected < plain
    assert corrected.interval[1] == plain.interval[1]
    for value in (plain, corrected):
        assert value.interval[0] <= value <= value.interval[1]


@pytest.mark.parametrize("measure", [robustness_variance, robustness_dispersion])
def test_ddof_scales_the_interval_as_the_value(measure):
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 50)
    keywords = {"distance": rng.exponential(1.0 + group), "sensitive_features": group}
    y = np.zeros(150)
    zero, one = (measure(y, y, ddof=ddof, confidence_level=0.9, **keywords) for ddof in (0, 1))
    assert one.interval == pytest.approx(np.array(zero.interval) * one / zero)


def test_intervals_of_two_groups_are_those_of_gap_and_ratio():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 80)
    keywords = {"distance": rng.exponential(1.0 + group), "sensitive_features": group}
    y = np.zeros(160)
    gap = robustness_gap(y, y, confidence_level=0.95, **keywords)
    v_f = robustness_variance(y, y, confidence_level=0.95, **keywords)
    assert v_f.interval == pytest.approx(np.array(gap.interval) ** 2 / 4)
    cv = robustness_dispersion(y, y, confidence_level=0.95, **keywords)
    assert cv.interval[0] < cv < cv.interval[1]
    assert cv.interval[1] <= 1  # one group at 0


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [2, 4, 20])
@pytest.mark.parametrize("measure", [robustness_variance, robustness_dispersion])
def test_intervals_hold_where_all_groups_are_equal(measure, n_groups):
    # The percentile bootstrap never does.
    group, hits = np.repeat(np.arange(n_groups), 100), []
    y = np.zeros(len(group))
    for seed in range(150):
        distance = np.random.default_rng(seed).exponential(size=len(group))
        value = measure(y, y, distance=distance, sensitive_features=group, confidence_level=0.95)
        assert value.interval[0] <= value <= value.interval[1]
        hits.append(value.interval[0] <= 0)
    assert np.mean(hits) >= 0.93


@pytest.mark.parametrize(
    ("measure", "symbol"), [(robustness_variance, "V_f"), (robustness_dispersion, "CV")]
)
@pytest.mark.parametrize("y_pred", [[0, 0], [1, 1]])  # all right, all wrong
def test_one_group(measure, symbol, y_pred):
    message = rf"^{symbol} is .* only one group \('a'\) to compare"
    with pytest.warns(UndefinedMetricWarning, match=message) as record:
        value = measure([0, 0], y_pred, distance=[1.0, 2.0], sensitive_features=["a", "a"], ddof=1)
    assert len(record) == 1
    assert np.isnan(value)


def test_bias_correction_of_one_group():
    with pytest.warns(UndefinedMetricWarning, match="only one group") as record:
        value = robustness_variance(
            [0], [0], distance=[1.0], sensitive_features=["a"], bias_corrected=True, ddof=1
        )
    assert len(record) == 1
    assert np.isnan(value)


@pytest.mark.parametrize("ddof", [0, 1])
def test_bias_correction_of_a_single_sample(ddof):
    keywords = {"distance": [1.0, 2.0, 3.0], "sensitive_features": list("abb"), "ddof": ddof}
    with pytest.warns(UndefinedMetricWarning, match=r"have one sample \('a'\)") as record:
        value = robustness_variance([0] * 3, [0] * 3, bias_corrected=True, **keywords)
    assert len(record) == 1
    assert np.isnan(value)
    assert np.isfinite(robustness_variance([0] * 3, [0] * 3, **keywords))


@pytest.mark.parametrize("level", [None, 0.9])
def test_dispersion_where_nothing_is_robust(level):
    with pytest.warns(UndefinedMetricWarning, match=r"CV .* Rob\(f\) is 0") as record:
        value = robustness_dispersion(
            [0, 0], [1, 1], distance=[1, 2], sensitive_features=["a", "b"], confidence_level=level
        )
    assert len(record) == 1
    assert np.isnan(value)
    assert value.interval is None if level is None else np.isnan(value.interval).all()


def test_dispersion_is_that_of_pandas():
    robs = group_robustness(
        [0] * 4, [0] * 4, distance=[1.0, 2.0, 4.0, 4.0], sensitive_features=list("abcc")
    )
    value = robustness_dispersion(
        [0] * 4, [0] * 4, distance=[1.0, 2.0, 4.0, 4.0], sensitive_features=list("abcc"), ddof=1
    )
    assert isinstance(robs, pd.Series)
    assert value == pytest.approx(robs.std() / robs.mean())
