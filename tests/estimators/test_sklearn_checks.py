"""scikit-learn's own checks, on the real networks: no failure and no expected failure."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier

ESTIMATORS = [
    NaturalClassifier(max_epochs=30, batch_size=32),
    AdversarialClassifier(max_epochs=30, batch_size=32, n_steps=3),
    FarmurClassifier(max_epochs=25, retrain_epochs=5, batch_size=32, n_steps=3),
]


# sklearn's parametrize_with_checks hands a generator to pytest.mark.parametrize, which pytest 9
# deprecates; a list of what it generates is the same set of checks.
@pytest.mark.parametrize(
    ("estimator", "check"),
    [pair for estimator in ESTIMATORS for pair in estimator_checks_generator(estimator)],
    ids=lambda value: getattr(getattr(value, "func", None), "__name__", type(value).__name__),
)
@pytest.mark.filterwarnings("ignore::robfair.exceptions.GroupsWarning")
@pytest.mark.filterwarnings("ignore::robfair.exceptions.CensoredDistanceWarning")
def test_sklearn_check(estimator, check):
    check(estimator)
