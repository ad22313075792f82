"""The fields of a threat model: what is refused, compared and shown."""

import pickle

import numpy as np
import pytest

from customers import SIZE, table
from robfair import ThreatModel
from robfair.threat import Block


@pytest.mark.parametrize("norm", [1, 0, 3, -np.inf, np.nan, "2", None])
def test_norm_must_be_2_or_inf(norm):
    with pytest.raises(ValueError, match=r"norm must be 2 or numpy\.inf"):
        ThreatModel(norm=norm)


@pytest.mark.parametrize(
    ("bounds", "error", "match"),
    [
        ((1, 0), ValueError, "bounds cross: low is greater than high at 1 place"),
        (([0, 2, 0], [1, 1, 1]), ValueError, "first at feature 1"),
        (([0, 2, 3], 1), ValueError, "at 2 place"),
        ((np.nan, 1), ValueError, "NaN"),
        (([0, 0], [1, np.nan]), ValueError, "NaN"),
        (3, TypeError, "pair"),
        ((0, 1, 2), TypeError, "pair"),
        (([0, 0], [1, 1, 1]), ValueError, "shape"),
    ],
)
def test_bad_bounds(bounds, error, match):
    with pytest.raises(error, match=match):
        ThreatModel(bounds=bounds)


@pytest.mark.parametrize("mutable", [[0, 1], np.ones(3), ["age"]])
def test_mutable_must_be_bool(mutable):
    with pytest.raises(TypeError, match="mutable must be an array of bool"):
        ThreatModel(mutable=mutable)


def test_something_must_be_mutable():
    with pytest.raises(ValueError, match="no feature may change"):
        ThreatModel(mutable=[False, False])


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"categories": [[0, 1], [1, 2]]}, ValueError, "blocks overlap: column 1 is in two"),
        ({"categories": [[0, 0]]}, ValueError, "different indices"),
        ({"categories": [3]}, TypeError, "sequence of column indices"),
        ({"category_cost": 0}, ValueError, "category_cost must be a positive number; got 0"),
        ({"category_cost": np.inf}, ValueError, "category_cost must be a positive"),
        ({"unit": [1, 0]}, ValueError, "unit must be positive and finite; got array of 2"),
        ({"unit": np.nan}, ValueError, "unit must be positive and finite; got nan"),
        ({"integer": [1.0, -1.0]}, ValueError, "integer must be a mask, or spacings"),
        ({"integer": [True], "bounds": (0, 1.5)}, ValueError, "fractional box.*by 1.5"),
        (
            {"integer": [False, True, True], "bounds": ([0.5, 0, 0.25], 3)},
            ValueError,
            "fractional box: feature 2 is bounded by 0.25",
        ),
        ({"bounds": "dat"}, TypeError, "must be a pair"),
    ],
)
def test_bad_fields(changes, error, match):
    with pytest.raises(error, match=match):
        ThreatModel(**changes)


def test_open_and_scaled_integers_may_have_any_box():
    ThreatModel(integer=[True, False], bounds=([-np.inf, 0.5], [np.inf, 0.7]))
    ThreatModel(integer=[0.3, 0], bounds=(0.5, 0.7))


def test_what_is_mixed():
    assert table().is_mixed
    for field in ({"categories": [[0, 1]]}, {"integer": True}, {"unit": 2}):
        assert ThreatModel(**field).is_mixed
    assert not ThreatModel(np.inf, (0, 1), [True, False], category_cost=2).is_mixed


def test_repr_is_short():
    assert repr(ThreatModel()) == "ThreatModel(norm=2)"
    model = ThreatModel(norm=np.inf, bounds=(0, np.ones(50)), mutable=[True, False, True])
    assert repr(model) == "ThreatModel(norm=inf, bounds=(0, array of 50), mutable=2 of 3)"


def test_equality_is_by_value():
    def make(norm=2, high=1.0, mutable=(True, False)):
        return ThreatModel(norm, (np.zeros(2), np.full(2, high)), np.array(mutable))

    assert make() == make()
    assert hash(make()) == hash(make())
    assert ThreatModel(2) == ThreatModel(2.0)
    assert len({make(), make()}) == 1
    for other in (make(np.inf), make(high=2.0), make(mutable=(False, True)), ThreatModel(), 2):
        assert make() != other
    # A box and a mask with the same bytes are not the same threat model.
    assert ThreatModel(bounds=(0, 1)) != ThreatModel(mutable=[True, False])


def test_equality_and_repr_of_tables():
    assert repr(table(category_cost=2)) == (
        "ThreatModel(norm=2, bounds=(array of 6, array of 6), categories=2, integer=1 of 6, "
        "unit=array of 6, category_cost=2)"
    )
    same = table(categories=[Block((2, 3, 4)), SIZE], integer=[1.0, 0, 0, 0, 0, 0])
    assert table() == same == pickle.loads(pickle.dumps(table()))
    assert hash(table()) == hash(same)
    for change in (
        {"categories": [[2, 3, 4]]},
        {"categories": None},
        {"integer": [2, 0, 0, 0, 0, 0]},
        {"integer": None},
        {"unit": None},
        {"category_cost": 2},
        {"bounds": "data"},
        {"bounds": None},
    ):
        assert table() != table(**change)
