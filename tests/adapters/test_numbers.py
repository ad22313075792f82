"""What holds no numbers is refused by the names of its columns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from robfair import ThreatModel, audit, boundary_distance

RNG = np.random.default_rng(0)
N = 60
FRAME = pd.DataFrame({"x": RNG.normal(size=N), "job": RNG.choice(list("uvw"), N)})
Y = (FRAME["x"] > 0).astype(int)
GAPS = FRAME[["x"]].mask(FRAME["x"] > 1)


def native(X):
    return HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(X, Y)


def wrapped():
    encode = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    return CalibratedClassifierCV(make_pipeline(encode, LogisticRegression()), cv=2).fit(FRAME, Y)


CATEGORICAL = FRAME.astype({"job": "category"})
CASES = {
    "text in a wrapper": (wrapped, FRAME, "column 'job' holds text"),
    "categories": (lambda: native(CATEGORICAL), CATEGORICAL, "column 'job' holds text"),
    "gaps": (lambda: native(GAPS), GAPS, "NaN in column 'x'.*imputer"),
    "gaps in an array": (lambda: native(GAPS), GAPS.to_numpy(), "NaN in column 0"),
    "nullable": (lambda: native(GAPS), GAPS.astype("Float64"), "NaN in column 'x'"),
    "infinity": (lambda: native(GAPS), FRAME[["x"]].replace({"x": {FRAME["x"][3]: np.inf}}), "inf"),
    "made by a transformer": (
        lambda: make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression()).fit(
            FRAME[["x"]].abs(), Y
        ),
        FRAME[["x"]].assign(x=np.where(FRAME["x"] > 0, 1, np.nan)),
        "the input of the last step of the Pipeline",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_columns_are_named(case):
    make, X, match = CASES[case]
    model = make()
    with pytest.raises(ValueError, match=match):
        boundary_distance(model, X, threat_model=ThreatModel())
    with pytest.raises(ValueError, match=match):
        audit(model, X, Y, sensitive_features=FRAME["job"], threat_model=ThreatModel())
