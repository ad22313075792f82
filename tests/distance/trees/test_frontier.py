"""The frontier against a plain list of boxes."""

import numpy as np
from numpy.testing import assert_allclose

from robfair.distance.trees._bounds import Boxes
from robfair.distance.trees._frontier import Frontier


def boxes_of(row, cost, bins):
    n = len(row)
    alive = bins[:, 0, :2].astype(np.uint8)
    return Boxes(row, cost, bins, alive, bins[:, 1, 2] / 2, np.arange(n), np.full(n, None))


def test_the_cheapest_of_each_row_come_first():
    rng = np.random.default_rng(0)
    none = np.zeros(0, dtype=np.intp)
    empty = boxes_of(none, np.zeros(0), np.zeros((0, 2, 3), dtype=np.int32))
    frontier, plain = Frontier(empty, np.full(5, 2.0)), []
    for turn in range(30):
        n = 20 if turn < 20 else 0
        row, cost = rng.integers(0, 5, n), rng.random(n) * 3
        boxes = rng.integers(0, 99, (n, 2, 3)).astype(np.int32)
        frontier.push(boxes_of(row, cost, boxes))
        plain += [(r, c, tuple(b.ravel())) for r, c, b in zip(row, cost, boxes, strict=True)]
        assert len(frontier) == len(plain)
        least = [min([c for r, c, _ in plain if r == k], default=np.inf) for k in range(5)]
        assert_allclose(frontier.least(), least)
        popped = frontier.pop(4)
        assert (popped.alive == popped.bins[:, 0, :2]).all()
        assert_allclose(popped.base, popped.bins[:, 1, 2] / 2)
        columns = zip(popped.row, popped.cost, popped.bins, strict=True)
        popped = [(r, c, tuple(b.ravel())) for r, c, b in columns]
        right = [entry for k in range(5) for entry in sorted(e for e in plain if e[0] == k)[:4]]
        # Costs beyond the scale of a row come in any order.
        within = [entry for entry in right if entry[1] < 2]
        assert within == [entry for entry in sorted(popped) if entry[1] < 2][: len(within)]
        plain = [entry for entry in plain if entry not in popped]
        dear = frontier.cost > 2.5
        frontier.drop(dear)
        plain = [entry for entry in plain if entry[1] <= 2.5]
