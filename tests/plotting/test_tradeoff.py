"""Models by two measures: the front by brute force, and what the picture says of it."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from robfair import compare
from robfair.datasets import make_group_margins
from robfair.metrics import AUDIT_MEASURES
from robfair.plotting import TradeoffDisplay

LARGER = {m.symbol: 1 if m.greater_is_better else -1 for m in AUDIT_MEASURES}


def words(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.mark.parametrize(("x", "y"), list(itertools.permutations(LARGER, 2)))
def test_the_front_is_what_nobody_beats(x, y):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, size=(14, 2)) / 5.0  # with ties
    values[3, 0] = np.nan
    table = pd.DataFrame(values, columns=[x, y], index=[f"m{i}" for i in range(14)])
    expected = []
    for i, (a, b) in enumerate(values):
        p, q = a * LARGER[x], b * LARGER[y]
        others = [(c * LARGER[x], d * LARGER[y]) for c, d in values]
        beaten = any((c >= p and d > q) or (c > p and d >= q) for c, d in others)
        if not beaten and not np.isnan(a):
            expected.append(f"m{i}")
    display = TradeoffDisplay(table, x=x, y=y)
    assert display.front == expected
    # No model lies beyond the line: each of its corners is equalled or beaten by some of the front.
    best = table.loc[expected].to_numpy() * [LARGER[x], LARGER[y]]
    corners = display.plot().front_.get_path().vertices * [LARGER[x], LARGER[y]]
    assert all((best >= corner).all(axis=1).any() for corner in corners)


def test_points_and_words():
    table = pd.DataFrame(
        {"Rob(f)": [1.0, 2.0, 0.5, np.nan], "V_f": [0.1, 0.3, 0.2, 0.1]},
        index=["a", "b", "$c$", "d"],
    )
    display = TradeoffDisplay(table).plot()
    at = [tuple(np.ravel(point.get_data())) for point in display.points_]
    assert at[:3] == [(1.0, 0.1), (2.0, 0.3), (0.5, 0.2)]
    assert words(display) == [
        "Pareto front\n(black edges)", "a", "b", r"\$c\$", "d (not defined)"
    ]  # fmt: skip
    assert [p.get_markeredgecolor() for p in display.points_] == ["black", "black", "none", "none"]
    assert len({p.get_marker() for p in display.points_}) == 4
    assert display.ax_.get_xlabel() == "Rob(f) (larger is better)"
    assert display.ax_.get_ylabel() == "V_f (smaller is better)"
    bare = TradeoffDisplay(table).plot(front=False, legend=False)
    assert bare.front_ is None
    assert bare.ax_.get_legend() is None
    assert {p.get_markeredgecolor() for p in bare.points_} == {"none"}


def test_of_forty_models_the_front_is_named():
    place = np.arange(40)
    table = pd.DataFrame({"CV": place / 40, "accuracy": np.minimum(place, 4) / 4})
    display = TradeoffDisplay(table, x="accuracy", y="CV").plot()
    assert display.front == [0, 1, 2, 3, 4]
    assert words(display)[1:] == ["0", "1", "2", "3", "4", "35 others"]
    assert len({p.get_color() for p in display.points_[5:]}) == 1
    assert len({p.get_marker() for p in display.points_[:5]}) == 5


def test_from_estimators_agrees_with_compare():
    data = make_group_margins(90, random_state=0)
    models = {"logistic": LogisticRegression(), "ridge": RidgeClassifier()}
    models = {name: model.fit(data.X, data.y) for name, model in models.items()}
    options = {"sensitive_features": data.groups, "tau_max": 2.0}
    comparison = compare(models, data.X, data.y, **options)
    for x, y in itertools.combinations(LARGER, 2):
        display = TradeoffDisplay.from_estimators(
            models, data.X, data.y, x=x, y=y, confidence=0.95, **options
        )
        pd.testing.assert_frame_equal(display.measures, comparison.overall[[x, y]])
        for side, ends in (("lower", display.lower), ("upper", display.upper)):
            for name, result in comparison.audits.items():
                expected = result.overall[side][[x, y]].tolist()
                np.testing.assert_equal(ends.loc[name].tolist(), expected)


def test_intervals_are_drawn_across_the_points():
    table = pd.DataFrame({"Rob(f)": [1.0, 2.0], "V_f": [0.1, 0.3]}, index=["a", "b"])
    # In another order, and without an interval of V_f for one.
    lower = pd.DataFrame({"Rob(f)": [1.5, 0.5], "V_f": [np.nan, 0.05]}, index=["b", "a"])
    upper = pd.DataFrame({"Rob(f)": [2.5, 1.5], "V_f": [np.nan, 0.15]}, index=["b", "a"])
    display = TradeoffDisplay(table, lower=lower, upper=upper).plot()
    across, along = (lines.get_segments() for lines in display.ax_.collections)
    assert [s.tolist() for s in across] == [[[0.5, 0.1], [1.5, 0.1]], [[1.5, 0.3], [2.5, 0.3]]]
    assert along[0].tolist() == [[1.0, 0.05], [1.0, 0.15]]


def test_what_cannot_be_drawn_is_refused():
    table = pd.DataFrame({"Rob(f)": [1.0], "V_f": [0.1]})
    for options in ({"x": "V"}, {"x": "V_f", "y": "V_f"}):
        with pytest.raises(ValueError, match="x and y must be two of"):
            TradeoffDisplay(table, **options)
    with pytest.raises(TypeError, match="overall of a comparison; got a dict"):
        TradeoffDisplay({"a": 1.0})
    with pytest.raises(ValueError, match=r"measures has no column \['CV'\]"):
        TradeoffDisplay(table, y="CV")
    with pytest.raises(ValueError, match="pass both, or neither"):
        TradeoffDisplay(table, lower=table)
    with pytest.raises(ValueError, match="same names of models"):
        TradeoffDisplay.from_predictions(
            [0, 1], {"a": [0, 1]}, distance={"b": [1, 1]}, sensitive_features=[0, 1]
        )
    with pytest.raises(TypeError, match="must map names to models"):
        TradeoffDisplay.from_estimators([1], [[0]], [0], sensitive_features=[0])
