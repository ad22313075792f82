import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from robfair import BoundaryDistance, ThreatModel

STATUS = np.array(["found", "censored", "skipped", "found", "exact"])


def result(distance=(1.0, np.inf, np.nan, 2.0, 6.0), status=STATUS):
    n = len(distance)
    return BoundaryDistance(
        distance=np.array(distance),
        lower=None,
        predicted=np.zeros(n, dtype=int),
        status=np.array(status),
        adversarial=None,
        method="deepfool",
        threat_model=ThreatModel(norm=np.inf),
        n_forward=np.ones(n, dtype=np.int32),
        n_backward=np.ones(n, dtype=np.int32),
    )


def test_len_is_the_number_of_samples():
    assert len(result()) == 5


def test_counts_leave_out_what_does_not_occur():
    assert result().counts() == {"found": 2, "exact": 1, "censored": 1, "skipped": 1}
    assert result([np.inf], ["censored"]).counts() == {"censored": 1}


def test_repr_says_how_the_mean_came_about():
    assert repr(result()) == (
        "BoundaryDistance(5 samples: 2 found, 1 exact, 1 censored, 1 skipped; "
        "mean distance 3; method='deepfool', ThreatModel(norm=inf))"
    )
    assert "mean distance none" in repr(result([np.inf], ["censored"]))


def test_frozen_pickled_and_copied():
    original = result()
    with pytest.raises(AttributeError):
        original.method = "linear"
    for other in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
        assert_array_equal(other.distance, original.distance)
        assert other.threat_model == original.threat_model
