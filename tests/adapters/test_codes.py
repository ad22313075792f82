"""Columns of codes are not perturbed by fractions, unless they are declared or held."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from robfair import ThreatModel, boundary_distance
from robfair.threat import Block

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": RNG.normal(size=200), "c": RNG.choice([10, 20, 30], 200)})
Y = (FRAME["x"] + np.where(FRAME["c"] == 20, 2.5, -1.0) > 0).astype(int).to_numpy()
DECLARED = ThreatModel(categories=[Block((1,), codes=[[10], [20], [30]])])
HELD = ThreatModel(mutable=[True, False])


def wrapped(encoder):
    """A Pipeline with an encoder, inside of a classifier that hides it."""
    encode = make_column_transformer((encoder, ["c"]), remainder="passthrough")
    return CalibratedClassifierCV(make_pipeline(encode, LogisticRegression()), cv=2).fit(FRAME, Y)


def function():
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["c"]))
    pipeline = make_pipeline(encode, LogisticRegression()).fit(FRAME, Y)
    return lambda X: pipeline.predict(pd.DataFrame(X, columns=["x", "c"]))


CODED = {
    "native": lambda: HistGradientBoostingClassifier(
        max_iter=20, categorical_features=[1], min_samples_leaf=5
    ).fit(FRAME, Y),
    "unknown ignored": lambda: wrapped(OneHotEncoder(handle_unknown="ignore")),
    "unknown refused": lambda: wrapped(OneHotEncoder()),
    "ordinal": lambda: wrapped(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-9)
    ),
    "function": function,
}


@pytest.mark.parametrize("case", CODED)
def test_codes(case):
    model = CODED[case]()
    with pytest.raises(ValueError, match=r"takes column ('c'|1) for codes.*codes=\[\[10\], \[20\]"):
        boundary_distance(model, FRAME)
    result = boundary_distance(model, FRAME[:3], threat_model=DECLARED, budget=10)
    points = result.adversarial[np.isfinite(result.distance)]
    assert set(points[:, 1]) <= {10, 20, 30}
    result = boundary_distance(model, FRAME[:3], threat_model=HELD, budget=10)
    moved = result.adversarial - FRAME[:3].to_numpy()
    assert (moved[np.isfinite(result.distance), 1] == 0).all()


def test_whole_numbers_are_not_codes():
    data = np.rint(3 * RNG.normal(size=(200, 3)))
    y = (data[:, 0] + data[:, 1] > 0).astype(int)
    for model in (RandomForestClassifier(5, random_state=0), HistGradientBoostingClassifier()):
        result = boundary_distance(model.fit(data, y), data[:5], budget=20)
        assert result.warnings_ == ()
