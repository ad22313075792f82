"""Success of attacks against eps: shares by brute force, for a grid and for least eps."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from robfair.exceptions import UndefinedMetricWarning
from robfair.plotting import AttackSuccessDisplay

TRUE = np.array(["cat", "cat", "cat", "dog", "dog"])
PRED = np.array(["cat", "cat", "dog", "dog", "dog"])
LEAST = np.array([1.0, 3.0, np.nan, 2.0, np.inf])
SEX = np.array(["f", "m", "f", "m", "f"])
GRID = [0.5, 1.0, 2.5]


def share(rows, eps, population):
    """By definition, a sample at a time; a wrong one counts as fooled."""
    fooled = [TRUE[i] != PRED[i] or LEAST[i] <= eps for i in rows
              if population == "all" or TRUE[i] == PRED[i]]  # fmt: skip
    return sum(fooled) / len(fooled)


@pytest.mark.parametrize("population", ["correct", "all"])
@pytest.mark.parametrize("groups", [None, SEX])
def test_rates_are_those_of_the_definition(population, groups):
    options = {"sensitive_features": groups, "population": population}
    success = pd.DataFrame({eps: (eps >= LEAST) | (TRUE != PRED) for eps in GRID})
    grid = AttackSuccessDisplay.from_predictions(TRUE, PRED, success=success, **options)
    steps = AttackSuccessDisplay.from_predictions(
        TRUE, PRED, least_eps=LEAST, eps_max=2.5, **options
    )
    names = TRUE if groups is None else groups
    assert list(grid.rates) == list(steps.rates) == sorted(set(names))
    for name in set(names):
        rows = np.flatnonzero(names == name)
        expected = {eps: share(rows, eps, population) for eps in GRID}
        assert grid.rates[name].to_dict() == pytest.approx(expected)
        assert steps.rates[name].index[[0, -1]].tolist() == [0.0, 2.5]
        for eps, rate in steps.rates[name].items():
            assert rate == pytest.approx(share(rows, eps, population))
        counted = [i for i in rows if population == "all" or TRUE[i] == PRED[i]]
        assert grid.sizes[name] == steps.sizes[name] == len(counted)


def test_lines_and_words():
    success = pd.DataFrame({eps: eps >= LEAST for eps in GRID})
    display = AttackSuccessDisplay.from_predictions(TRUE, PRED, success=success, name="a").plot()
    cat, dog = display.lines_
    assert cat.get_xdata().tolist() == GRID
    assert cat.get_ydata().tolist() == [0, 0.5, 0.5]
    assert cat.get_marker() != dog.get_marker() not in ("None", None)
    assert cat.get_drawstyle() == "default"
    assert [t.get_text() for t in display.ax_.get_legend().get_texts()] == [
        "cat (n=2)",
        "dog (n=2)",
    ]
    assert display.ax_.get_ylabel() == "fooled, of those classified correctly"
    assert display.ax_.get_title() == "a"
    steps = AttackSuccessDisplay.from_predictions(TRUE, PRED, least_eps=LEAST, eps_max=4).plot()
    assert {line.get_drawstyle() for line in steps.lines_} == {"steps-post"}


def test_of_forty_groups_the_extremes_are_named(samples):
    y_true, y_pred, distance, _, groups = samples(40)
    display = AttackSuccessDisplay.from_predictions(
        y_true, y_pred, least_eps=distance, eps_max=2, sensitive_features=groups
    ).plot()
    names = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert len(names) == 7
    assert names[-1] == "34 others"
    mean = {g: np.minimum(distance[(groups == g) & (y_true == y_pred)], 2).mean() for g in groups}
    easiest = min(mean, key=mean.get)  # the area above a line is the mean least eps
    assert names[0].startswith(f"{easiest} (")


def test_an_unordered_grid_is_drawn_in_order():
    success = pd.DataFrame({2.5: [True] * 5, 0.5: [False] * 5})
    display = AttackSuccessDisplay.from_predictions(TRUE, TRUE, success=success)
    assert display.rates["dog"].to_dict() == {0.5: 0.0, 2.5: 1.0}
    assert display.rates["dog"].index.is_monotonic_increasing


def test_from_estimator_attacks_at_each_eps():
    X, y = np.array([[0.0], [1.0], [3.0], [4.0], [0.5]]), [0, 0, 1, 1, 1]
    model = LogisticRegression(C=1e6).fit(X[:4], y[:4])  # the boundary is at 2
    display = AttackSuccessDisplay.from_estimator(model, X, y, eps=[0.5, 1.5, 3])
    assert display.rates[0].tolist() == [0, 0.5, 1]
    assert display.sizes == {0: 2, 1: 2}
    assert display.name == "LogisticRegression"
    by_group = AttackSuccessDisplay.from_estimator(
        model, X, y, eps=1.5, sensitive_features=list("abaab"), population="all",
        transfer_from=("the other", model),
    )  # fmt: skip
    assert by_group.rates["a"].to_dict() == pytest.approx({1.5: 1 / 3})
    assert by_group.rates["b"].to_dict() == {1.5: 1.0}
    assert by_group.name == "LogisticRegression (examples made for the other)"


def test_a_class_without_a_correct_sample_is_blank():
    pred = np.where(TRUE == "dog", "cat", PRED)
    with pytest.warns(UndefinedMetricWarning, match="dog"):
        display = AttackSuccessDisplay.from_predictions(TRUE, pred, least_eps=LEAST, eps_max=2)
    assert display.rates["dog"].isna().all()
    display.plot()


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TypeError, match="needs eps_max"):
        AttackSuccessDisplay.from_predictions(TRUE, PRED, least_eps=LEAST)
    with pytest.raises(TypeError, match="must be a DataFrame"):
        AttackSuccessDisplay.from_predictions(TRUE, PRED, success=LEAST > 1)
    with pytest.raises(TypeError, match="got neither"):
        AttackSuccessDisplay.from_predictions(TRUE, PRED)
    with pytest.raises(ValueError, match="population must be"):
        AttackSuccessDisplay.from_predictions(
            TRUE, PRED, least_eps=LEAST, eps_max=2, population="some"
        )
