import numpy as np
import pytest
from numpy.testing import assert_array_equal

from robfair import ThreatModel


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


def test_box_and_mask_broadcast_to_one_sample():
    low = np.zeros((3, 1, 1))
    high = np.arange(1, 4).reshape(3, 1, 1)
    model = ThreatModel(bounds=(low, high), mutable=[True, False])
    box = model.box((3, 2, 2))
    assert_array_equal(box[0], np.zeros(12))
    assert_array_equal(box[1], np.repeat([1, 2, 3], 4))
    assert_array_equal(model.mask((3, 2, 2)), np.tile([True, False], 6))
    assert ThreatModel().box((3,)) is None
    assert ThreatModel().mask((3,)) is None
    assert ThreatModel(mutable=[True, True]).mask((2,)) is None


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (ThreatModel(bounds=(np.zeros(4), 1)), r"bounds of shape \(4,\) do not fit"),
        (ThreatModel(mutable=[True, False]), r"mutable of shape \(2,\) do not fit"),
    ],
)
def test_shapes_must_fit_the_samples(model, match):
    with pytest.raises(ValueError, match=match):
        model.check(np.zeros((5, 3)))


def test_check_names_the_feature_that_leaves_the_box():
    X = np.array([[0.0, 0.5, 1.0], [0.2, 3.0, -1.0]])
    with pytest.raises(ValueError, match=r"in 2 feature\(s\); the first is feature 1.*0.5 to 3"):
        ThreatModel(bounds=(0, 1)).check(X)
    with pytest.raises(ValueError, match="feature 2"):
        ThreatModel(bounds=([0, 0, 0], np.inf)).check(X)
    ThreatModel(bounds=([0, 0, -1], [0.2, 3, 1])).check(X)  # the walls belong to the box
    ThreatModel(bounds=(-np.inf, np.inf)).check(X)


def test_float32_samples_may_define_their_own_box():
    X = np.array([[0.1, -0.3], [0.7, 0.9]], dtype=np.float32)
    ThreatModel(bounds=([0.1, -0.3], [0.7, 0.9])).check(X)  # float32(0.1) > 0.1
    with pytest.raises(ValueError, match="feature 0"):
        ThreatModel(bounds=(0.1 + 1e-6, 1)).check(X[:, :1])
