"""Rob(P) of the groups: the numbers, and what their marks and words say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit
from robfair.datasets import make_group_margins
from robfair.plotting import GroupRobustnessDisplay

TRUE, PRED = [0, 1, 0, 1, 1], [0, 1, 0, 0, 1]
DISTANCE, GROUPS = [1.0, 2.0, 3.0, np.nan, 0.3], ["a", "a", "b", "b", "b"]
LOWER = [0.5, 2.0, 1.5, np.nan, 0.0]


def words(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def ticks(display):
    return [tick.get_text() for tick in display.ax_.get_yticklabels()]


def test_numbers_by_hand():
    display = GroupRobustnessDisplay.from_predictions(
        TRUE, PRED, distance=DISTANCE, lower=LOWER, sensitive_features=GROUPS
    )
    table = display.by_group
    assert table["size"].tolist() == [2, 3]
    assert table["robustness"].tolist() == pytest.approx([1.5, 1.1])
    assert table["vulnerable"].tolist() == [False, False]  # of so few rows nothing is sure
    assert table["low"].tolist() == pytest.approx([1.25, 0.5])
    assert table["high"].tolist() == pytest.approx([1.5, 1.1])
    assert (table["lower"] <= table["robustness"]).all()
    assert display.overall["value"]["Rob(f)"] == pytest.approx(1.3)
    capped = GroupRobustnessDisplay.from_predictions(
        TRUE, PRED, distance=DISTANCE, sensitive_features=GROUPS, tau_max=1.0, confidence=None
    )
    assert capped.by_group["robustness"].tolist() == pytest.approx([1.0, 1.3 / 3])
    assert "lower" not in capped.by_group
    assert "low" not in capped.by_group


def test_takes_the_frames_of_an_audit_and_agrees_with_it():
    data = make_group_margins(90, random_state=0)
    model = LogisticRegression(C=1e6).fit(data.X, data.y)
    options = {"sensitive_features": data.groups, "certify": True, "tau_max": 2.0}
    result = audit(model, data.X, data.y, **options)
    shown = GroupRobustnessDisplay(result.by_group, result.overall).plot()
    assert len(ticks(shown)) == 3
    own = GroupRobustnessDisplay.from_estimator(model, data.X, data.y, **options)
    columns = list(own.by_group)
    pd.testing.assert_frame_equal(own.by_group, result.by_group[columns])
    assert own.overall["value"]["Rob(f)"] == result.overall["value"]["Rob(f)"]
    assert own.name == "LogisticRegression"
    plain = GroupRobustnessDisplay.from_estimator(
        model, data.X, data.y, sensitive_features=data.groups, confidence=None, method="linear"
    )
    assert "low" not in plain.by_group


def test_vulnerable_and_small_groups_differ_by_shape_and_filling(made):
    frames = made([0.6, 0.3, 0.4], [1411, 12, 300])
    display = GroupRobustnessDisplay(*frames, name="a model").plot()
    assert ticks(display) == ["b (n=12)", "c (n=300)", "a (n=1,411)"]  # least robust first
    marks = {
        (x, y): (dots.get_marker(), dots.get_markerfacecolor() == "white")
        for dots in display.dots_
        for x, y in zip(*dots.get_data(), strict=True)
    }
    assert marks == {(0.3, 0): ("v", True), (0.4, 1): ("v", False), (0.6, 2): ("o", False)}
    bottom, top = display.ax_.get_ylim()
    assert bottom > top  # the first row is on top
    assert words(display) == [
        "Rob(f) = 0.5", "80 % of the greatest", "vulnerable: surely below Rob(f)",
        "not vulnerable", "hollow: n < 30",
    ]  # fmt: skip
    (mean,) = [line for line in display.ax_.lines if line.get_label().startswith("Rob(f)")]
    assert set(mean.get_xdata()) == {0.5}
    assert display.ax_.get_title() == "a model"


@pytest.mark.parametrize(("tolerance", "at"), [(0.8, 0.48), (0.5, 0.3), (None, None)])
def test_the_line_of_tolerance_is_a_share_of_the_greatest(made, tolerance, at):
    by_group, overall = made([0.6, 0.3, 0.4], [90, 90, 90])
    display = GroupRobustnessDisplay(by_group, overall).plot(tolerance=tolerance)
    lines = [x for x in display.ax_.lines if str(x.get_label()).endswith("of the greatest")]
    assert [x.get_xdata()[0] for x in lines] == ([] if at is None else [pytest.approx(at)])
    # Of all groups, also where only the lowest are drawn.
    overall = pd.concat([overall, pd.DataFrame({"value": {"worst group": 0.3, "gap": 0.7}})])
    lowest = GroupRobustnessDisplay(by_group, overall).plot(tolerance=0.8)
    assert 0.8 in [line.get_xdata()[0] for line in lowest.ax_.lines if len(line.get_xdata())]
    with pytest.raises(ValueError, match="tolerance must be between 0 and 1, or None; got 1"):
        display.plot(tolerance=1)


def test_without_rob_f_nobody_is_called_vulnerable_or_not(made):
    display = GroupRobustnessDisplay(*made([0.6, np.nan], [90, 90], overall=np.nan)).plot()
    assert words(display) == ["Rob(P)"]


def test_the_figure_grows_with_the_groups(samples):
    heights = []
    for n in (2, 40):
        y_true, y_pred, distance, _, groups = samples(n)
        display = GroupRobustnessDisplay.from_predictions(
            y_true, y_pred, distance=distance, sensitive_features=groups, confidence=None
        ).plot()
        assert tuple(display.figure_.get_size_inches()) == display.figsize
        heights.append(display.figsize[1])
    assert heights[1] > heights[0] + 38 * 0.2


def test_draws_into_given_axes_without_pyplot(made):
    figure = plt.Figure(layout="constrained")
    ax = figure.subplots()
    display = GroupRobustnessDisplay(*made([0.6], [90])).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == []


def test_frames_of_another_kind_are_refused(made):
    by_group, overall = made([0.6], [90])
    with pytest.raises(ValueError, match=r"lacks the columns \['vulnerable'\]"):
        GroupRobustnessDisplay(by_group.drop(columns="vulnerable"), overall)
    with pytest.raises(ValueError, match="must have a row"):
        GroupRobustnessDisplay(by_group, overall.T)
    with pytest.raises(ValueError, match="confidence must be between 0 and 1; got 95"):
        GroupRobustnessDisplay.from_predictions(
            TRUE, PRED, distance=DISTANCE, sensitive_features=GROUPS, confidence=95
        )
