import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import (
    RobustnessCurve,
    classifier_robustness,
    group_robustness_curves,
    robustness_curve,
    robustness_score,
)

# Of ten samples that hypothesis draws none may be right.
pytestmark = pytest.mark.filterwarnings("ignore:no prediction of")

SAMPLES = st.lists(
    st.tuples(
        st.booleans(),
        st.one_of(st.just(0.0), st.sampled_from([0.5, 1.0, 2.0]), st.floats(1e-6, 100.0)),
        st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=25,
)


def arrays(samples):
    right, distance, group = (list(column) for column in zip(*samples, strict=True))
    return [0] * len(samples), [0 if ok else 1 for ok in right], distance, group


def brute_force(y_true, y_pred, distance, tau):
    count = 0
    for true, pred, d in zip(y_true, y_pred, distance, strict=True):
        if true == pred and d > tau:
            count += 1
    return count / len(y_true)


def test_by_hand():
    curve = robustness_curve([0, 0, 1, 1, 1], [0, 0, 1, 1, 0], distance=[1, 3, 1, 0, 9])
    assert_array_equal(curve.tau, [0, 1, 3])
    assert_array_equal(curve.fraction, [0.6, 0.2, 0.0])
    assert curve.area() == pytest.approx(1.0)
    assert curve(0) == 0.6
    assert curve(1) == 0.2
    assert curve(np.nextafter(1, 0)) == 0.6
    assert curve(100.0) == 0.0
    assert isinstance(curve(1), float)
    assert_array_equal(curve([[0, 1], [2, 3]]), [[0.6, 0.2], [0.2, 0.0]])


@given(SAMPLES)
def test_definition_1(samples):
    y_true, y_pred, distance, _ = arrays(samples)
    curve = robustness_curve(y_true, y_pred, distance=distance)
    for tau in [0.0, 0.7, *distance, *(d + 0.1 for d in distance)]:
        assert curve(tau) == brute_force(y_true, y_pred, distance, tau)


@given(SAMPLES)
def test_definition_3_curve(samples):
    y_true, y_pred, distance, group = arrays(samples)
    curve = robustness_curve(y_true, y_pred, distance=distance, sensitive_features=group)
    for tau in [0.0, 0.7, *distance]:
        parts = []
        for name in sorted(set(group)):
            at = [i for i, g in enumerate(group) if g == name]
            parts.append(
                brute_force(
                    [y_true[i] for i in at], [y_pred[i] for i in at], [distance[i] for i in at], tau
                )
            )
        assert curve(tau) == pytest.approx(sum(parts) / len(parts))


@given(SAMPLES)
def test_shape_of_the_curve(samples):
    y_true, y_pred, distance, group = arrays(samples)
    for more in ({}, {"sensitive_features": group}):
        curve = robustness_curve(y_true, y_pred, distance=distance, **more)
        assert curve.tau[0] == 0
        assert (np.diff(curve.tau) > 0).all()
        assert (np.diff(curve.fraction) <= 0).all()
        assert ((curve.fraction >= 0) & (curve.fraction <= 1)).all()
        assert curve.fraction[-1] == 0
        # Continuous from the right at every breakpoint, and a step up to the left of it.
        assert_array_equal(curve(curve.tau), curve.fraction)
        right = np.nextafter(curve.tau, np.inf)
        apart = ~np.isin(right, curve.tau)
        assert_array_equal(curve(right[apart]), curve.fraction[apart])
        assert_array_equal(curve(np.nextafter(curve.tau[1:], 0)), curve.fraction[:-1])


@given(SAMPLES)
def test_area_is_the_closed_form(samples):
    y_true, y_pred, distance, group = arrays(samples)
    curve = robustness_curve(y_true, y_pred, distance=distance)
    assert curve.area() == pytest.approx(robustness_score(y_true, y_pred, distance=distance))
    curve = robustness_curve(y_true, y_pred, distance=distance, sensitive_features=group)
    assert curve.area() == pytest.approx(
        classifier_robustness(y_true, y_pred, distance=distance, sensitive_features=group)
    )


@given(SAMPLES, st.floats(0.01, 50.0))
def test_tau_max_cuts_the_curve(samples, tau_max):
    y_true, y_pred, distance, _ = arrays(samples)
    full = robustness_curve(y_true, y_pred, distance=distance)
    cut = robustness_curve(y_true, y_pred, distance=distance, tau_max=tau_max)
    below = full.tau[full.tau < tau_max]
    assert_array_equal(cut(below), full(below))
    assert cut(tau_max) == 0
    assert cut.area() == pytest.approx(
        robustness_score(y_true, y_pred, distance=distance, tau_max=tau_max)
    )


def test_infinite_distance_never_drops():
    curve = robustness_curve([0, 0], [0, 0], distance=[1.0, np.inf])
    assert_array_equal(curve.tau, [0, 1])
    assert_array_equal(curve.fraction, [1.0, 0.5])
    assert curve(1e300) == 0.5
    assert curve.area() == np.inf
    assert robustness_curve([0, 0], [0, 0], distance=[1, np.inf], tau_max=3).area() == 2.0


def test_tau_max_cuts_the_curves_of_groups():
    given = {"distance": [1.0, 4.0, 2.0, np.inf], "sensitive_features": [0, 0, 1, 1]}
    curves = group_robustness_curves([0] * 4, [0] * 4, tau_max=3.0, **given)
    assert [curve.area() for curve in curves.values()] == [2.0, 2.5]
    assert robustness_curve([0] * 4, [0] * 4, tau_max=3.0, **given).area() == 2.25


def test_group_curves():
    frame = pd.DataFrame({"race": list("aabb"), "sex": [0, 1, 0, 0]})
    curves = group_robustness_curves(
        [0] * 4, [0] * 4, distance=[1.0, 2.0, 3.0, 5.0], sensitive_features=frame
    )
    assert list(curves) == [("a", 0), ("a", 1), ("b", 0)]
    assert [curve.area() for curve in curves.values()] == [1.0, 2.0, 4.0]


def by_label(n=90, seed=0):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({
        "y": rng.integers(0, 2, n), "sex": rng.choice(["f", "m"], n),
        "distance": rng.choice([0.0, 0.5, 1.0, 2.0, np.inf], n), "group": rng.choice(list("ab"), n),
    })  # fmt: skip
    rows["pred"] = np.where(rng.random(n) < 0.2, 1 - rows["y"], rows["y"])
    return rows


def call(function, rows, **keywords):
    return function(rows["y"], rows["pred"], distance=rows["distance"], **keywords)


@pytest.mark.parametrize("tau", [0.0, 0.7, 1.0, 9.0])
def test_control_and_standardised_against_pandas(tau):
    rows = by_label()
    groups = {"sensitive_features": rows["group"]}
    rows["beyond"] = (rows["pred"] == rows["y"]) & (rows["distance"] > tau)

    by_sex = call(group_robustness_curves, rows, control_features=rows["sex"], **groups)
    expected = rows.groupby(["sex", "group"])["beyond"].mean()
    assert {key: curve(tau) for key, curve in by_sex.items()} == pytest.approx(expected.to_dict())
    means = call(robustness_curve, rows, control_features=rows["sex"], **groups)
    of_groups = expected.groupby("sex").mean().to_dict()
    assert {key: curve(tau) for key, curve in means.items()} == pytest.approx(of_groups)
    alone = call(robustness_curve, rows, control_features=rows["sex"])
    of_rows = rows.groupby("sex")["beyond"].mean().to_dict()
    assert {key: curve(tau) for key, curve in alone.items()} == pytest.approx(of_rows)

    within = rows.groupby(["group", "y"])["beyond"].mean().unstack()
    expected = (within * rows["y"].value_counts(normalize=True)).sum(axis=1)
    curves = call(group_robustness_curves, rows, standardize_by="y_true", **groups)
    assert [curve(tau) for curve in curves.values()] == pytest.approx(expected.tolist())
    mean = call(robustness_curve, rows, standardize_by="y_true", **groups)
    assert mean(tau) == pytest.approx(expected.mean())
    area = call(classifier_robustness, rows, standardize_by="y_true", tau_max=3.0, **groups)
    mean = call(robustness_curve, rows, standardize_by="y_true", tau_max=3.0, **groups)
    assert mean.area() == pytest.approx(area)


@given(st.integers(0, 1000))
def test_one_value_or_stratum_changes_no_bit(seed):
    rows = by_label(20, seed)
    keywords = {"sensitive_features": rows["group"]}
    plain = call(robustness_curve, rows, **keywords)
    inside = call(robustness_curve, rows, control_features=["all"] * 20, **keywords)
    same = call(robustness_curve, rows, standardize_by=["all"] * 20, **keywords)
    for curve in (inside["all"], same):
        assert_array_equal(curve.tau, plain.tau)
        assert_array_equal(curve.fraction, plain.fraction)


def test_the_curve_of_an_empty_cell_is_unknown():
    rows = by_label()
    rows = rows[(rows["group"] != "b") | (rows["y"] == 0)]
    keywords = {"sensitive_features": rows["group"]}
    message = "I_P of the groups concerned is undefined .* 1 of 4 .* 'b' where y is 1"
    for more in ({"control_features": rows["y"]}, {"standardize_by": "y_true"}):
        with pytest.warns(UndefinedMetricWarning, match=message) as record:
            curves = call(group_robustness_curves, rows, **keywords, **more)
        assert len(record) == 1
        unknown = [key for key, curve in curves.items() if np.isnan(curve(1.0))]
        assert unknown == [key for key, curve in curves.items() if np.isnan(curve.area())]
        assert unknown == [(1, "b") if "control_features" in more else "b"]


@pytest.mark.parametrize("tau", [-0.1, np.nan, np.inf, [0.0, -1.0]])
def test_tau_outside_the_domain(tau):
    curve = robustness_curve([0], [0], distance=[1.0])
    with pytest.raises(ValueError, match="tau must be finite and not negative"):
        curve(tau)


def test_curve_is_frozen():
    curve = robustness_curve([0], [0], distance=[1.0])
    with pytest.raises(AttributeError):
        curve.tau = np.zeros(1)
    with pytest.raises(ValueError, match="read-only"):
        curve.tau[0] = 1


def test_a_curve_holds_arrays_of_floats():
    curve = RobustnessCurve([0, 1], [1, 0])
    for array in (curve.tau, curve.fraction):
        assert (array.dtype, array.flags.writeable) == (np.float64, False)


def test_curve_copies_its_arguments():
    tau = np.array([0.0, 1.0])
    RobustnessCurve(tau, np.array([1.0, 0.0]))
    tau[0] = 5.0
    assert_allclose(tau, [5.0, 1.0])


@pytest.mark.parametrize(
    ("tau", "fraction", "message"),
    [
        ([0.0, 1.0], [1.0], "of one length"),
        ([], [], "at least 1"),
        ([[0.0]], [[1.0]], "must be 1-D"),
        ([1.0, 2.0], [1.0, 0.0], "start at 0"),
        ([0.0, 2.0, 2.0], [1.0, 0.5, 0.0], "and increase"),
    ],
)
def test_wrong_curve(tau, fraction, message):
    with pytest.raises(ValueError, match=message):
        RobustnessCurve(tau, fraction)
