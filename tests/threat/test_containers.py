from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from robfair import ThreatModel


def test_polars_frames_come_back_as_they_were():
    frame = pl.DataFrame(
        {
            "f": [0.5, None, 2.0],
            "i": [1, None, 3],
            "j": [1, 2, 3],
            "b": [True, False, None],
            "s": ["x", None, "y"],
            "c": pl.Series(["u", "v", None], dtype=pl.Categorical),
            "e": pl.Series(["hi", "lo", "hi"], dtype=pl.Enum(["lo", "mid", "hi"])),
            "d": [date(2026, 1, 1)] * 3,
        },
        schema_overrides={"f": pl.Float32, "i": pl.Int16},
    )
    codec = ThreatModel.from_frame(frame).table
    assert_frame_equal(codec.decode(codec.encode(frame)), frame)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, object])
def test_arrays_come_back_as_they_were(dtype):
    array = np.array([[1, 2], [3, 5]], dtype=dtype)
    codec = ThreatModel.from_frame(array).table
    again = codec.decode(codec.encode(array))
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
