import numpy as np
import pandas as pd
import pytest

from robfair.threat._resolution import written_step


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1.0, 2.0, 30.0], 1),
        ([1.5, 2.0], 0.1),
        ([0.01, 0.1, 2.35, 123456789.12], 0.01),
        ([np.nan, 0.25], 0.01),
        (np.array([0.1, 0.7, 1234.5], dtype=np.float32), 0.1),
        (np.random.default_rng(0).normal(size=20), 0),
        (np.array([1, 2], dtype=np.int8), 1),
        ([], 1),
    ],
    ids=str,
)
def test_the_last_decimal_place(values, step):
    assert written_step(pd.Series(values)) == pytest.approx(step)
