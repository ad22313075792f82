import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.adapters.trees import last_left

SINGLES = st.floats(-(2.0**100), 2.0**100, width=32)


@pytest.mark.parametrize("strict", [False, True])
@given(threshold=st.one_of(st.floats(-1e30, 1e30), SINGLES))
def test_it_goes_left_and_the_next_number_does_not(threshold, strict):
    split = last_left(threshold, strict=strict)
    for x, left in ((split, True), (np.nextafter(split, np.inf), False)):
        single = np.float64(np.float32(x))
        assert (single < threshold if strict else single <= threshold) == left


def test_thresholds_at_the_end_of_float32():
    largest = float(np.finfo(np.float32).max)
    assert last_left([largest, np.inf]).tolist() >= [largest, np.inf]
    assert last_left(-np.inf, strict=True) == -np.inf
