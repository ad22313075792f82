"""The robustness curves that are drawn are those of the definition."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import NaturalClassifier, boundary_distance
from robfair.datasets import make_group_margins
from robfair.exceptions import GroupsWarning
from robfair.plotting import RobustnessCurveDisplay

TRUE, PRED = [0, 1, 0, 1, 1], [0, 1, 0, 0, 1]
DISTANCE, GROUPS = [1.0, 2.0, 3.0, np.nan, 1.5], ["a", "a", "b", "b", "b"]


@pytest.fixture
def display():
    return RobustnessCurveDisplay.from_predictions(
        TRUE, PRED, distance=DISTANCE, sensitive_features=GROUPS, name="a model"
    )


def drawn(line, tau):
    """The height of a step line at tau, read off what matplotlib holds."""
    x, y = line.get_data()
    return y[np.searchsorted(x, tau, side="right") - 1]


def test_heights_are_fractions_of_correct_samples_beyond_tau(display):
    lines = display.plot(tau_max=4.0).lines_
    by_label = {line.get_label(): line for line in lines}
    for tau in (0.0, 0.5, 1.2, 1.7, 2.5, 3.5):
        for group in "ab":
            rows = [i for i in range(5) if GROUPS[i] == group]
            beyond = sum(TRUE[i] == PRED[i] and DISTANCE[i] > tau for i in rows)
            assert drawn(by_label[group], tau) == pytest.approx(beyond / len(rows))
        mean = np.mean([drawn(by_label[group], tau) for group in "ab"])
        assert drawn(by_label["mean, $I_f$"], tau) == pytest.approx(mean)


def test_labels_and_axes(display):
    display.plot()
    assert display.ax_.get_title() == "a model"
    assert display.ax_.get_xlim()[0] == 0
    assert r"\tau" in display.ax_.get_xlabel()
    assert [t.get_text() for t in display.ax_.get_legend().get_texts()] == ["a", "b", "mean, $I_f$"]


def test_draws_into_given_axes(display):
    figure, ax = plt.subplots()
    display.plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_forty_groups_are_grey_but_for_the_most_and_the_least_robust():
    n = 40
    display = RobustnessCurveDisplay.from_predictions(
        np.zeros(2 * n), np.zeros(2 * n), distance=np.arange(2 * n) + 1.0,
        sensitive_features=np.repeat(np.arange(n), 2),
    ).plot()  # fmt: skip
    named = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert named == ["39", "38", "37", "2", "1", "0", "34 others", "mean, $I_f$"]
    assert len(display.lines_) == n + 1
    assert len({line.get_color() for line in display.lines_[6:-1]}) == 1  # the others


def test_the_end_of_the_axis_decides_which_group_is_least_robust():
    mixed, near = [0.1] * 9 + [9.0], [0.5] * 10  # areas: 0.19 up to 1 and 0.99 up to 10; 0.5
    groups = np.repeat([f"{i:02}" for i in range(13)], 10)
    distance = np.concatenate([mixed, near, *[[0.6] * 10] * 11])
    labels = np.zeros(130)
    display = RobustnessCurveDisplay.from_predictions(
        labels, labels, distance=distance, sensitive_features=groups
    )
    for end, best, worst in ((1.0, "02", "00"), (10.0, "00", "01")):
        names = [t.get_text() for t in display.plot(tau_max=end).ax_.get_legend().get_texts()]
        assert (names[0], names[5]) == (best, worst)


LOWER = [0.5, np.nan, 2.5, np.nan, 1.5]


def test_the_band_lies_between_the_bounds():
    display = RobustnessCurveDisplay.from_predictions(
        TRUE, PRED, distance=DISTANCE, lower=LOWER, sensitive_features=GROUPS
    ).plot(tau_max=4.0)
    assert [c.area() for c in display.curves.values()] == pytest.approx([1.5, 1.5])
    # An unknown bound counts as 0.
    assert [c.area() for c in display.lower_curves.values()] == pytest.approx([0.25, 4 / 3])
    assert display.lower_mean.area() == pytest.approx((0.25 + 4 / 3) / 2)
    assert len(display.bands_) == 3
    for band, area in zip(display.bands_, (1.5 - 0.25, 1.5 - 4 / 3), strict=False):
        x, y = band.get_paths()[0].vertices.T
        shoelace = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
        assert shoelace == pytest.approx(area)
    assert "certified" in display.ax_.get_legend().get_texts()[-1].get_text()


def test_of_many_bands_only_the_named_are_drawn(samples):
    y_true, y_pred, distance, lower, groups = samples(40)
    display = RobustnessCurveDisplay.from_predictions(
        y_true, y_pred, distance=distance, lower=lower, sensitive_features=groups
    ).plot()
    assert len(display.bands_) == 6 + 1


def test_a_lower_bound_above_its_distance_is_refused():
    with pytest.raises(ValueError, match="lower exceeds distance for 1 of 4"):
        RobustnessCurveDisplay.from_predictions(
            TRUE, PRED, distance=DISTANCE, lower=[1.1, 2, 3, 0, 1], sensitive_features=GROUPS
        )


def test_an_unused_category_is_left_out_and_told_once():
    groups = pd.Categorical(GROUPS, categories=["a", "b", "none"])
    with pytest.warns(GroupsWarning, match="none") as record:
        display = RobustnessCurveDisplay.from_predictions(
            TRUE, PRED, distance=DISTANCE, sensitive_features=groups
        )
    assert len(record) == 1
    assert list(display.curves) == ["a", "b"]


@pytest.mark.parametrize("end", [0, -1.0, np.inf, np.nan])
def test_a_senseless_end_of_the_axis_is_refused(display, end):
    with pytest.raises(ValueError, match="tau_max must be a positive"):
        display.plot(tau_max=end)


def test_no_legend(display):
    assert display.plot(legend=False).ax_.get_legend() is None


def test_all_wrong_is_drawn_as_zero():
    display = RobustnessCurveDisplay.from_predictions(
        [0, 0], [1, 1], distance=[np.nan, np.nan], sensitive_features=["a", "b"]
    ).plot()
    assert all(np.all(line.get_ydata() == 0) for line in display.lines_)


def test_from_estimator_agrees_with_from_predictions():
    data = make_group_margins(200, random_state=0)
    model = NaturalClassifier(max_epochs=2, random_state=0).fit(data.X, data.y)
    display = RobustnessCurveDisplay.from_estimator(
        model, data.X, data.y, sensitive_features=data.groups, batch_size=16
    )
    found = boundary_distance(model, data.X, y=data.y)
    expected = np.where(found.predicted == data.y, found.distance, 0)
    areas = [expected[data.groups == g].mean() for g in np.unique(data.groups)]
    np.testing.assert_allclose([c.area() for c in display.curves.values()], areas)
    assert display.name == "NaturalClassifier"
    assert display.lower_curves is None


def test_from_estimator_draws_what_is_certified():
    data = make_group_margins(60, random_state=0)
    model = LogisticRegression(C=1e6).fit(data.X, data.y)
    display = RobustnessCurveDisplay.from_estimator(
        model, data.X, data.y, sensitive_features=data.groups, certify=True
    )
    # The distance of a linear model is exact: the two bounds meet.
    for group, curve in display.curves.items():
        assert display.lower_curves[group].area() == pytest.approx(curve.area(), rel=1e-5)
    assert len(display.plot().bands_) == len(display.curves) + 1


def test_lines_take_matplotlibs_keywords():
    y = np.array([0, 0, 1, 1])
    display = RobustnessCurveDisplay.from_predictions(
        y, y, distance=np.arange(1.0, 5.0), sensitive_features=np.array(list("abab"))
    )
    display.plot(curve_kwargs={"color": "blue"}, mean_kwargs={"color": "red", "linewidth": 5})
    assert [line.get_color() for line in display.lines_] == ["blue", "blue", "red"]
    assert display.lines_[-1].get_linewidth() == 5
