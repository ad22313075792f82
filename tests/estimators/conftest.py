"""Data and settings that the tests of the estimators share."""

import pytest

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.datasets import make_group_margins

TINY = {"hidden_layer_sizes": [6], "batch_size": 32, "max_epochs": 2, "lr": 0.02, "random_state": 0}
CLASSIFIERS = {
    "natural": (NaturalClassifier, TINY),
    "adversarial": (AdversarialClassifier, {**TINY, "n_steps": 2}),
    "farmur": (
        FarmurClassifier,
        {**TINY, "n_steps": 2, "retrain_epochs": 1, "validation_fraction": 0.3},
    ),
}


@pytest.fixture(scope="session")
def data():
    return make_group_margins(120, n_features=3, random_state=0)


@pytest.fixture(params=list(CLASSIFIERS))
def make(request):
    """Call it with parameters for a tiny, unfitted classifier; once for each of the three."""
    cls, settings = CLASSIFIERS[request.param]
    return lambda **changes: cls(**{**settings, **changes})
