"""What a classifier is wrapped around, and whether a Pipeline is inside of it."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair.adapters.trees._wrappers import decides, holds_steps, wrapped_by

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
FOREST = RandomForestClassifier(3, random_state=0)
WRAPPERS = {
    "frozen": lambda inner: FrozenEstimator(inner.fit(X, Y)),
    "threshold": lambda inner: FixedThresholdClassifier(inner, threshold=0.4),
    "calibration": lambda inner: CalibratedClassifierCV(inner, ensemble=False),
    "both": lambda inner: FixedThresholdClassifier(CalibratedClassifierCV(inner, ensemble=False)),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_one_wrapper_around_a_forest_or_a_pipeline(name):
    around = WRAPPERS[name](FOREST).fit(X, Y)
    assert isinstance(wrapped_by(around), RandomForestClassifier)
    assert not holds_steps(around)
    through = WRAPPERS[name](make_pipeline(StandardScaler(), FOREST)).fit(X, Y)
    assert holds_steps(through)


def test_nothing_is_around_a_forest():
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    assert wrapped_by(forest) is None
    assert decides(forest) is forest
    assert not holds_steps(forest)


def test_members_are_looked_into():
    pipeline = make_pipeline(StandardScaler(), FOREST)
    for members, expected in (([FOREST, pipeline], True), ([FOREST, FOREST], False)):
        named = [(str(k), member) for k, member in enumerate(members)]
        assert holds_steps(VotingClassifier(named, voting="soft").fit(X, Y)) is expected


def test_the_last_step_of_a_pipeline_decides():
    pipeline = make_pipeline(StandardScaler(), FrozenEstimator(FOREST.fit(X, Y))).fit(X, Y)
    assert isinstance(decides(pipeline), RandomForestClassifier)
    search = GridSearchCV(pipeline, {"standardscaler__with_mean": [True]}, cv=2)
    assert isinstance(decides(search.fit(X, Y)), RandomForestClassifier)
