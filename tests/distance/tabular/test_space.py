"""Rows of a table: how edits make them, and what they cost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mixed_rows import FEW, NORMS, rules, samples
from robfair.distance.tabular._space import TableSpace


@FEW
@given(seed=st.integers(0, 2**16), norm=st.sampled_from(NORMS), dtype=st.sampled_from("fd"))
def test_edits_are_valid_rows_at_their_cost(seed, norm, dtype):
    rng, threat_model = np.random.default_rng(seed), rules(norm)
    X = samples(rng)
    space = TableSpace(threat_model, X, dtype)
    rows = space.unperturbed(np.repeat(np.arange(len(X)), 3))
    for _ in range(4):
        allowed = space.allowed_edits(rows)
        edits = np.array([rng.choice(np.flatnonzero(row)) for row in allowed])
        after = space.build(space.apply_edits(rows, edits))
        assert (after.points != rows.points).any(axis=1).all()
        after.points[:, 2] = rng.uniform(-3, 3, len(after))
        start = X[after.sample]
        assert threat_model.valid(start, after.points).all()
        rtol = 1e-6 if dtype == "f" else 1e-12
        assert_allclose(space.cost(after), threat_model.cost(start, after.points), rtol=rtol)
        assert_allclose(
            space.combine(space.discrete_cost(after), space.move_cost(after, space.continuous)),
            space.cost(after),
        )
        rows = after


def test_edits_stop_at_the_walls_and_at_what_is_immutable():
    X = np.array([[2, -2, 0, 1, 0, 4.0]])
    space = TableSpace(rules(), X, float)
    rows = space.unperturbed(np.array([0]))
    # Categories 0 and 2 of the first block, 0 and 1 of the second, down in the first, up in the
    # second: the others are what the sample is, or leave the box.
    assert_array_equal(space.allowed_edits(rows)[0], [1, 0, 1, 1, 1, 0, 1, 0, 0, 1])
    fixed = TableSpace(rules(mutable=[False, True, True, True, True, False]), X, float)
    assert_array_equal(fixed.edit_feature, [0, 0, 0, 1, 1])
