"""Points of L-inf keep no move that the flip does not need, except for the longest."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from robfair import ThreatModel, boundary_distance
from robfair.threat import Block

RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=(150, 3)), np.eye(3)[RNG.integers(0, 3, 150)]])
Y = (X[:, 0] + X[:, 1] / 2 + X[:, 2] / 4 + X[:, 3:] @ [0.5, 0, -0.5] > 0.2).astype(int)
BLOCK = (3, 4, 5)
TABLE = ThreatModel(np.inf, bounds="data", categories=[Block(BLOCK)], category_cost=0.5)
MODELS = {
    "forest": RandomForestClassifier(20, max_depth=5, random_state=0),
    "linear": LogisticRegression(),
    "network": MLPClassifier((6,), max_iter=60, random_state=0),
}
UNITS = [[0], [1], [2], list(BLOCK)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("name", "method"), [*((name, "auto") for name in MODELS), ("linear", "decision")]
)
def test_no_move_is_in_vain(name, method):
    model, rows = MODELS[name].fit(X, Y), X[:15]
    found = boundary_distance(model, rows, method=method, threat_model=TABLE)
    alone = boundary_distance(
        model, rows, method=method, threat_model=TABLE, return_adversarial=False
    )
    assert_array_equal(found.distance, alone.distance)
    points = found.adversarial
    flipped = np.isfinite(found.distance)
    assert flipped.any()
    assert (model.predict(points[flipped]) != model.predict(rows[flipped])).all()
    unit = TABLE.units((6,))
    in_vain = 0
    for x, point in zip(rows[flipped], points[flipped], strict=True):
        moves = [np.abs(point - x)[u].max() / unit[u[0]] for u in UNITS]
        moves[3] = 0.5 * (moves[3] > 0)
        for j in np.flatnonzero(np.array(moves) > 0):
            back = point.copy()
            back[UNITS[j]] = x[UNITS[j]]
            flips = model.predict(back[None]) != model.predict(x[None])
            in_vain += bool(flips) and j != np.argmax(moves)
    if method == "auto":
        assert in_vain == 0
    assert (found.n_forward <= 1001).all()
