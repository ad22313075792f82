import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robfair import ThreatModel, boundary_distance
from robfair.distance.tabular._gaps import FlaggedRows
from robfair.distance.tabular._space import TableSpace

WEIGHTS, BIAS = np.array([1.0, -2.0, 0.5]), 0.3


def table(n=30):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    X[rng.random((n, 3)) < 0.3] = np.nan
    return X[~np.isnan(X).all(axis=1)]


def test_gaps_come_back_whatever_has_moved():
    X = table()
    space = TableSpace(ThreatModel.from_frame(X), X, np.float64)
    flagged = FlaggedRows(space, X)
    rows = flagged.write(X)
    assert np.isfinite(rows).all()
    assert_array_equal(flagged.mask, [True] * 3 + [False] * 3)
    assert_allclose(flagged.read(rows), X)
    rows[:, :3] += 1
    assert_allclose(flagged.read(rows), X + space.unit)


@pytest.mark.parametrize("norm", [2, np.inf])
def test_distances_within_gaps_are_those_of_the_other_columns(norm):
    X = table()

    def predict(X):
        return np.nan_to_num(X) @ WEIGHTS + BIAS > 0

    threat_model = ThreatModel.from_frame(X, norm=norm, unit=None, bounds=None)
    result = boundary_distance(predict, X, threat_model=threat_model)
    margin = np.abs(np.nan_to_num(X) @ WEIGHTS + BIAS)
    free = np.where(np.isnan(X), 0, WEIGHTS)
    dual = np.linalg.norm(free, 2 if norm == 2 else 1, axis=1)
    assert_allclose(result.distance, margin / dual, rtol=0.05)
    assert (result.distance >= margin / dual * (1 - 1e-9)).all()
    assert_array_equal(np.isnan(result.adversarial), np.isnan(X))
