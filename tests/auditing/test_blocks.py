"""Rows of blocks, in whatever order they are asked for."""

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal

from robfair.auditing._blocks import take_rows
from row_blocks import Rows

X = np.arange(300.0).reshape(100, 3)


def test_rows_are_read_in_order_and_returned_as_asked():
    rows = np.array([7, 2, 99, 0])
    assert_array_equal(take_rows(Rows(X), rows), X[rows])
    assert_array_equal(take_rows(X, rows), X[rows])
    frame = pd.DataFrame(X)
    pd.testing.assert_frame_equal(take_rows(frame, rows), frame.iloc[rows])
