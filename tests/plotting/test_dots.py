"""Rows of dots: intervals where they are, unknown values, infinite ends and small groups."""

import numpy as np
import pytest

from robfair.plotting import ClassAccuracyDisplay, GroupRobustnessDisplay


def test_intervals_are_drawn_where_they_are(made):
    frames = made(
        [0.6, 0.3], [90, 90], lower=[0.5, 0.2], upper=[0.7, 0.5], low=[0.1, 0.25], high=[0.6, 0.3]
    )
    display = GroupRobustnessDisplay(*frames, confidence=0.9).plot(sort=False)
    segments = {
        lines.get_label(): [segment.tolist() for segment in lines.get_segments()]
        for lines in display.ax_.collections
    }
    assert segments == {
        "90 % interval": [[[0.5, 0], [0.7, 0]], [[0.2, 1], [0.5, 1]]],
        "certified: Rob(P) of\nthese samples is in it": [
            [[0.1, 0], [0.6, 0]],
            [[0.25, 1], [0.3, 1]],
        ],
    }


def test_unknown_values_are_said_to_be_so(made):
    frames = made([0.6, np.nan], [90, 0], lower=[0.5, np.nan], upper=[0.7, np.nan])
    display = GroupRobustnessDisplay(*frames).plot()
    assert [(t.get_text(), t.get_position()[1]) for t in display.ax_.texts] == [("not defined", 1)]


def test_an_infinite_end_is_an_arrow_inside_the_picture(made):
    frames = made([np.nan, 0.3], [90, 90], low=[0.4, 0.25], high=[np.inf, 0.3])
    display = GroupRobustnessDisplay(*frames).plot()
    (arrow,) = [line for line in display.ax_.lines if line.get_label() == "no upper end"]
    assert arrow.get_ydata().tolist() == [1]
    assert 0.4 < arrow.get_xdata()[0] < display.ax_.get_xlim()[1]


@pytest.mark.parametrize(("size", "hollow"), [(29, True), (30, False)])
def test_groups_below_thirty_are_hollow(made, size, hollow):
    display = GroupRobustnessDisplay(*made([0.6], [size])).plot()
    (dots,) = display.dots_
    assert (dots.get_markerfacecolor() == "white") == hollow


def test_both_displays_draw_the_first_row_on_top(made):
    classes = ClassAccuracyDisplay.from_predictions([0, 0, 1, 1], [0, 0, 1, 0]).plot(sort=False)
    groups = GroupRobustnessDisplay(*made([0.6, 0.3], [90, 90])).plot(sort=False)
    for display, first in ((classes, "0 (n=2)"), (groups, "a (n=90)")):
        bottom, top = display.ax_.get_ylim()
        assert bottom > top
        assert display.ax_.get_yticklabels()[0].get_text() == first
