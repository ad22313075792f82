"""A threat model of customers: numbers, a category and an ordinal code, and two of them."""

import numpy as np

from robfair import ThreatModel
from robfair.threat import Block

# An age in years, an income, a colour in three one-hot columns, an ordinal size.
SIZE = Block([5], [[0], [1], [2]])


def table(**changes):
    given = {
        "bounds": ([17, 0, 0, 0, 0, 0], [90, 1e5, 0, 0, 0, 0]),
        "categories": [[2, 3, 4], SIZE],
        "integer": [True, False, False, False, False, False],
        "unit": [10, 2e4, 1, 1, 1, 1],
    }
    return ThreatModel(**(given | changes))


X = np.array([[40, 3e4, 1, 0, 0, 1], [20, 1e4, 0, 0, 1, 0]])
