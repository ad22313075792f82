"""A classifier to audit, with names of groups that Markdown and HTML must escape."""

import json

import numpy as np
from sklearn.linear_model import LogisticRegression

from robfair.datasets import make_group_margins

DATA = make_group_margins(150, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)
GROUPS = np.array(["a|b", "<b>", "c_c"])[DATA.groups]


def strict(text):
    """Read JSON as other languages do, which know no NaN."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)
