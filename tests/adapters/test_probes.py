"""Points close to a boundary that is known."""

import numpy as np
import pytest

from robfair.adapters._probes import near_boundary

X = np.random.default_rng(0).normal(size=(50, 3))


@pytest.mark.parametrize("data", [X, X[:1], np.abs(X) + 1, X.astype(np.float32)])
def test_points_lie_on_both_sides_and_close(data):
    def codes(points):
        return (points[:, 0] > 0.1).astype(int)

    points = near_boundary(codes, data)
    before, after = np.split(points, 2)
    assert len(before)
    assert points.dtype == data.dtype
    assert (codes(before) != codes(after)).all()
    # Eight halvings of a segment; one that was searched for may be long.
    gap = np.linalg.norm(after - before, axis=1)
    assert np.median(gap) < 0.05
    assert (np.abs(before[:, 0] - 0.1) <= gap + 1e-6).all()


def test_a_constant_has_no_boundary():
    assert len(near_boundary(lambda points: np.zeros(len(points), dtype=np.intp), X)) == 0


def test_images():
    images = X[:48].reshape(12, 3, 2, 2)
    points = near_boundary(lambda x: (x[:, 0, 0, 0] > 0).astype(int), images)
    assert points.shape[1:] == (3, 2, 2)
