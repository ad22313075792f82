"""The robustness curves that are drawn are those of the definition."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt

from robfair import NaturalClassifier, boundary_distance
from robfair.datasets import make_group_margins
from robfair.plotting import RobustnessCurveDisplay

TRUE, PRED = [0, 1, 0, 1, 1], [0, 1, 0, 0, 1]
DISTANCE, GROUPS = [1.0, 2.0, 3.0, np.nan, 1.5], ["a", "a", "b", "b", "b"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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


def test_forty_groups_can_be_told_apart():
    n = 40
    display = RobustnessCurveDisplay.from_predictions(
        np.zeros(2 * n), np.zeros(2 * n), distance=np.arange(2 * n) + 1.0,
        sensitive_features=np.repeat(np.arange(n), 2),
    ).plot()  # fmt: skip
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_[:32]}
    assert len(looks) == 32
    assert len(display.ax_.get_legend().get_texts()) == n + 1


def test_all_wrong_is_drawn_as_zero():
    display = RobustnessCurveDisplay.from_predictions(
        [0, 0], [1, 1], distance=[np.nan, np.nan], sensitive_features=["a", "b"]
    ).plot()
    assert all(np.all(line.get_ydata() == 0) for line in display.lines_)


def test_from_estimator_agrees_with_from_predictions():
    data = make_group_margins(200, random_state=0)
    model = NaturalClassifier(max_epochs=2, random_state=0).fit(data.X, data.y)
    display = RobustnessCurveDisplay.from_estimator(
        model, data.X, data.y, sensitive_features=data.groups, n_candidates=1
    )
    found = boundary_distance(model, data.X, y=data.y)
    expected = np.where(found.predicted == data.y, found.distance, 0)
    areas = [expected[data.groups == g].mean() for g in np.unique(data.groups)]
    np.testing.assert_allclose([c.area() for c in display.curves.values()], areas)
    assert display.name == "NaturalClassifier"
