import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import LinearConstraint, linprog, minimize

from oracles import smallest_step
from robfair._geometry import norms, step_to_hyperplane

NORMS = [2, np.inf]


@pytest.mark.parametrize("norm", NORMS)
def test_norms_are_of_rows(norm):
    delta = np.random.default_rng(0).normal(size=(5, 3))
    assert_allclose(norms(torch.from_numpy(delta), norm), np.linalg.norm(delta, norm, axis=1))


SIZE = st.floats(1e-3, 1e3)
NORMAL = st.just(0.0) | SIZE | SIZE.map(lambda x: -x)
ROOM = st.just(0.0) | SIZE | st.just(np.inf)
NUMBERS = st.lists(st.tuples(NORMAL, ROOM, ROOM), min_size=1, max_size=6)


def solve(w, gap, norm, down=None, up=None, dtype=np.float64):
    """step_to_hyperplane on one row of numpy arrays."""

    def row(a):
        return torch.from_numpy(np.array(a, dtype=dtype)[None])

    room = None if down is None else (row(down), row(up))
    gap = torch.tensor([gap], dtype=row(w).dtype)
    step, reached = step_to_hyperplane(row(w), gap, norm, room)
    return step[0].numpy().astype(float), bool(reached[0])


@pytest.mark.parametrize("norm", NORMS)
def test_the_oracle_agrees_with_mathematical_programming(norm):
    rng = np.random.default_rng(1)
    for _ in range(25):
        d = int(rng.integers(1, 6))
        w = rng.normal(size=d) * rng.integers(0, 2, d)
        down, up = np.where(rng.random((2, d)) < 0.3, np.inf, rng.exponential(1, (2, d)))
        gap = rng.exponential(2)
        if norm == np.inf:  # variables r and t: -t <= r <= t, minimise t
            eye, one = np.eye(d), np.ones((d, 1))
            sides = np.block([[eye, -one], [-eye, -one], [-w, np.zeros(1)]])
            found = linprog(
                np.r_[np.zeros(d), 1],
                A_ub=sides,
                b_ub=np.r_[np.zeros(2 * d), -gap],
                bounds=[*zip(-down, up, strict=True), (0, None)],
            )
            size = found.fun if found.status == 0 else np.inf
        else:
            wall = np.where(w > 0, up, down)
            feasible = np.where(w != 0, np.abs(w) * wall.clip(max=1e9), 0).sum() >= gap
            found = minimize(
                lambda r: r @ r,
                np.zeros(d),
                jac=lambda r: 2 * r,
                bounds=list(zip(-down, up, strict=True)),
                constraints=LinearConstraint(w, gap, np.inf),
                method="SLSQP",
                options={"ftol": 1e-14, "maxiter": 500},
            )
            size = np.sqrt(found.fun) if feasible else np.inf
        assert_allclose(smallest_step(w, gap, norm, down, up), size, rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("norm", NORMS)
@given(numbers=NUMBERS, gap=st.just(0.0) | SIZE)
def test_step_is_feasible_and_optimal(norm, scale, numbers, gap):
    w, down, up = np.array(numbers).T
    step, reached = solve(w * scale, gap * scale, norm, down, up)
    assert np.isfinite(step).all()
    assert (step >= -down).all()
    assert (step <= up).all()
    assert_array_equal(step[w == 0], 0)
    wall = np.where(w > 0, up, down)
    reachable = np.where(w == 0, 0, np.abs(w) * np.where(w == 0, 0, wall)).sum()
    if (w == 0).all():
        assert not reached
    elif reachable >= gap * (1 + 1e-9):
        assert reached
        assert w @ step >= gap * (1 - 1e-9)
        assert_allclose(
            np.linalg.norm(step, norm), smallest_step(w, gap, norm, down, up), rtol=1e-9, atol=0
        )
    elif reachable < gap * (1 - 1e-9):
        assert not reached
        corner = np.where(w == 0, 0, np.sign(w) * np.where(w == 0, 0, wall))
        assert_allclose(step, corner, rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_many_walls_on_the_way(norm):
    # Gaps close to the most that the room allows, so that one wall is met after the other.
    rng = np.random.default_rng(2)
    w, down, up = rng.normal(size=(200, 8)), *rng.exponential(size=(2, 200, 8)) ** 3
    most = (np.abs(w) * np.where(w > 0, up, down)).sum(axis=1)
    gap = most * rng.uniform(0.1, 0.999, 200)
    normal, gaps, *room = (torch.from_numpy(a) for a in (w, gap, down, up))
    steps, reached = step_to_hyperplane(normal, gaps, norm, tuple(room))
    assert reached.all()
    assert_allclose((normal * steps).sum(dim=1), gap, rtol=1e-9)
    expected = [
        smallest_step(*row[:2], norm, *row[2:]) for row in zip(w, gap, down, up, strict=True)
    ]
    assert_allclose(norms(steps, norm), expected, rtol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
@given(numbers=NUMBERS, gap=SIZE)
def test_an_open_room_is_no_room(norm, numbers, gap):
    w = np.array(numbers)[:, 0]
    step, reached = solve(w, gap, norm)
    infinite = np.full_like(w, np.inf)
    in_room, reached_in_room = solve(w, gap, norm, infinite, infinite)
    assert_allclose(step, in_room, rtol=1e-12)
    assert reached == reached_in_room == bool(w.any())
    dual = np.linalg.norm(w, 1 if norm == np.inf else 2)
    assert_allclose(np.linalg.norm(step, norm), gap / dual if dual else 0, rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@given(rows=st.lists(st.tuples(NUMBERS, SIZE), min_size=2, max_size=5))
def test_rows_do_not_disturb_each_other(norm, rows):
    d = min(len(numbers) for numbers, _ in rows)
    cube = torch.tensor([numbers[:d] for numbers, _ in rows], dtype=torch.float64)
    gaps = torch.tensor([gap for _, gap in rows], dtype=torch.float64)
    steps, reached = step_to_hyperplane(cube[..., 0], gaps, norm, (cube[..., 1], cube[..., 2]))
    for i, (numbers, gap) in enumerate(rows):
        w, down, up = np.array(numbers[:d]).T
        alone, alone_reached = solve(w, gap, norm, down, up)
        assert_allclose(steps[i], alone, rtol=1e-12)
        assert bool(reached[i]) == alone_reached


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-36, 1e-30, 1e-15, 1e20])
def test_squares_of_float32_normals_do_not_underflow(norm, scale):
    w, down, up = np.array([3.0, -1.0, 0.0]), np.array([1.0, 2.0, 1.0]), np.array([0.5, 9, 9])
    for room in ((), (down, up)):
        step, reached = solve(w * scale, 2 * scale, norm, *room, dtype=np.float32)
        expected, _ = solve(w, 2, norm, *room)
        assert reached
        assert_allclose(step, expected, rtol=1e-5)


def test_l2_by_hand():
    # Free, the step is (1.2, 1.6); the wall at 0.2 stops the first, and the second makes up for it.
    step, reached = solve([3, 4], 10, 2, [9, 9], [0.2, 9])
    assert reached
    assert_allclose(step, [0.2, (10 - 0.6) / 4])


def test_linf_by_hand():
    # One pace of 10 / 7 for both; the wall at 1 stops the first.
    step, reached = solve([3, -4], 10, np.inf, [9, 9], [1, 9])
    assert reached
    assert_allclose(step, [1, -7 / 4])
