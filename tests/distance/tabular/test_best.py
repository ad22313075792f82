"""The best rows of samples, and the cheapest changes against all of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mixed_rows import BLOCKS, FEW, NORMS, rules, samples
from robfair.distance.tabular._best import BestRows, CheapestChanges
from robfair.distance.tabular._space import TableSpace


@FEW
@given(norm=st.sampled_from(NORMS), n=st.integers(1, 400), cost=st.floats(0.1, 3))
def test_the_cheapest_changes_against_all_of_them(norm, n, cost):
    X = np.array([[0, 0, 0, 1, 0, 4.0], [2, 1, 0, 1, 0, 4]])
    space = TableSpace(rules(norm, category_cost=cost), X, float)
    changes = CheapestChanges(space, n)
    steps = [range(-3, 4), range(-6, 7)]  # as far as any of the samples can go
    parts = [
        ([cost * (a > 0), cost * (b > 0), i / 2, j / 2 / 0.7], (a, b, i, j))
        for a, b, i, j in product(range(3), range(3), *steps)
    ]
    every = sorted(np.linalg.norm(part, norm) for part, _ in parts)[1:]
    found = np.concatenate([changes.turns, changes.steps], axis=1)
    assert len(np.unique(found, axis=0)) == len(found)
    mine = np.linalg.norm(
        np.concatenate([cost * (changes.turns > 0), changes.steps * space.step_cost], axis=1),
        norm, axis=1,
    )  # fmt: skip
    assert_allclose(mine, every[: len(mine)], rtol=1e-12)
    assert len(mine) == min(n, len(every))
    assert changes.limit == (np.inf if n >= len(every) else pytest.approx(every[n - 1]))


@pytest.mark.parametrize("norm", NORMS)
def test_few_changes_are_all_tried(norm):
    rng, threat_model = np.random.default_rng(0), rules(norm)
    X = samples(rng, 6)
    space = TableSpace(threat_model, X, float)
    best, asked = BestRows(space), []

    def ask(rows):
        asked.append(np.column_stack([rows.sample, rows.points]))
        best.offer(rows, rows.points[:, 0] + rows.points[:, 1] + rows.points[:, 5] > 1)

    CheapestChanges(space, 10**4).try_on(np.arange(6), best, ask)
    every = np.concatenate(asked)
    assert len(np.unique(every, axis=0)) == len(every)
    for i, x in enumerate(X):
        values = product(range(-1, 3), np.arange(-2, 1.5, 0.5), range(3), [-1.5, 0, 4])
        every = np.array([[a, b, x[2], *BLOCKS[0].codes[c], d] for a, b, c, d in values])
        flipped = every[every[:, [0, 1, 5]].sum(axis=1) > 1]
        costs = threat_model.cost(np.repeat(x[None], len(flipped), axis=0), flipped)
        assert_allclose(best.cost[i], costs[costs > 0].min())


def test_the_best_row_is_kept():
    X = samples(np.random.default_rng(1), 2)
    X[:, 2] = 0
    space = TableSpace(rules(), X, float)
    best = BestRows(space)
    rows = space.unperturbed(np.array([0, 0, 0, 1]))
    rows.points[:, 2] += [0.75, 0.375, -0.375, 0.0]
    assert_array_equal(best.offer(rows, np.array([True, True, True, True])), [0])
    assert_allclose(best.cost, [0.125, np.inf])  # the sample itself is no change
    assert_allclose(best.rows.points[0, 2], 0.375)  # the first of two equals
    rows.points[:, 2] = 0.03
    assert_array_equal(best.offer(rows, np.zeros(4, dtype=bool)), [])
