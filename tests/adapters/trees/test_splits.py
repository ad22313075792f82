import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.adapters.trees import last_left

LARGEST = float(np.finfo(np.float32).max)
SINGLES = st.floats(-(2.0**100), 2.0**100, width=32)


@pytest.mark.parametrize("strict", [False, True])
@given(threshold=st.one_of(st.floats(-1e30, 1e30), SINGLES))
def test_it_goes_left_and_the_next_number_does_not(threshold, strict):
    split = last_left(threshold, strict=strict)
    for x, left in ((split, True), (np.nextafter(split, np.inf), False)):
        single = np.float64(np.float32(x))
        assert (single < threshold if strict else single <= threshold) == left


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("threshold", [LARGEST, -LARGEST, np.inf, -np.inf])
def test_the_ends_of_float32(threshold, strict):
    """CatBoost splits missing values off at the greatest number."""
    split = last_left(threshold, strict=strict)
    with np.errstate(over="ignore"):
        near = [split, np.nextafter(split, np.inf), np.nextafter(split, -np.inf)]
        for x in (x for x in (*near, -1e300, 1e300) if np.isfinite(x)):
            single = np.float64(np.float32(x))
            assert (single < threshold if strict else single <= threshold) == (x <= split)
