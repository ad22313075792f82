"""make_group_margins against brute force on what it returns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.datasets import make_group_margins


def brute_force(problem):
    """Rob(P) by Definition 2, from X, y, groups and the hyperplane alone, sample by sample."""
    robustness = []
    for group in sorted(set(problem.groups.tolist())):
        total, size = 0.0, 0
        for x, y, g in zip(problem.X, problem.y, problem.groups, strict=True):
            if g != group:
                continue
            size += 1
            score = float(np.dot(x, problem.coef)) + problem.intercept
            if int(score > 0) == y:
                total += abs(score) / np.sqrt(np.dot(problem.coef, problem.coef))
        robustness.append(total / size)
    return robustness


@given(data=st.data())
def test_closed_form_equals_brute_force(data):
    n_groups = data.draw(st.integers(1, 4))
    per_group = st.lists(st.floats(0, 1), min_size=n_groups, max_size=n_groups)
    problem = make_group_margins(
        data.draw(st.lists(st.integers(1, 30), min_size=n_groups, max_size=n_groups)),
        n_features=data.draw(st.integers(1, 6)),
        margins=data.draw(st.lists(st.floats(0.01, 100), min_size=n_groups, max_size=n_groups)),
        spread=data.draw(st.floats(0, 0.99)),
        flip=data.draw(st.one_of(st.floats(0, 1), per_group)),
        class_balance=data.draw(st.one_of(st.floats(0, 1), per_group)),
        scale=data.draw(st.floats(0, 10)),
        random_state=data.draw(st.integers(0, 2**32 - 1)),
    )
    robustness = brute_force(problem)
    np.testing.assert_allclose(problem.group_robustness, robustness, rtol=1e-9, atol=1e-12)
    assert problem.classifier_robustness == pytest.approx(np.mean(robustness), abs=1e-12)
    mean = sum(robustness) / n_groups
    variance = sum((r - mean) ** 2 for r in robustness) / n_groups
    assert problem.robustness_variance == pytest.approx(variance, rel=1e-6, abs=1e-9)


def test_distance_is_that_of_each_sample():
    problem = make_group_margins(300, flip=0.1, random_state=1)
    score = problem.X @ problem.coef + problem.intercept
    np.testing.assert_allclose(problem.distance, np.abs(score), rtol=1e-12)
    # A step of that length along the normal ends on the boundary.
    nearest = problem.X - np.sign(score)[:, None] * problem.distance[:, None] * problem.coef
    np.testing.assert_allclose(nearest @ problem.coef, -problem.intercept, atol=1e-12)
    assert np.linalg.norm(problem.coef) == pytest.approx(1, abs=1e-15)


def test_distance_linf_reaches_the_boundary_and_no_less_does():
    problem = make_group_margins(200, n_features=5, random_state=2)
    score = problem.X @ problem.coef + problem.intercept
    step = np.sign(score)[:, None] * np.sign(problem.coef) * problem.distance_linf[:, None]
    np.testing.assert_allclose((problem.X - step) @ problem.coef + problem.intercept, 0, atol=1e-12)
    inside = (problem.X - 0.999 * step) @ problem.coef + problem.intercept
    assert (np.sign(inside) == np.sign(score)).all()


def test_counts_and_shares_are_exact():
    problem = make_group_margins(
        [40, 100, 10], flip=[0.25, 0.0, 1.0], class_balance=[0.5, 0.2, 0.7], random_state=3
    )
    wrong = (problem.X @ problem.coef + problem.intercept > 0) != problem.y
    positive = problem.X @ problem.coef + problem.intercept > 0
    for group, n_wrong, n_positive in [(0, 10, 20), (1, 0, 20), (2, 10, 7)]:
        assert wrong[problem.groups == group].sum() == n_wrong
        assert positive[problem.groups == group].sum() == n_positive
    assert problem.group_error.tolist() == [0.25, 0.0, 1.0]
    assert problem.group_robustness.tolist() == [0.375, 1.0, 0.0]


def test_samples_are_split_evenly():
    problem = make_group_margins(11, margins=(1, 2, 3), random_state=0)
    assert np.bincount(problem.groups).tolist() == [4, 4, 3]


def test_spread_bounds_the_distances():
    problem = make_group_margins(90, margins=(2.0,), spread=0.25, random_state=0)
    assert problem.distance.min() == pytest.approx(1.5)
    assert problem.distance.max() == pytest.approx(2.5)
    assert (make_group_margins(9, margins=(2.0,), spread=0.0).distance == 2.0).all()


def test_scale_is_the_standard_deviation_along_the_boundary():
    problem = make_group_margins(20_000, n_features=6, scale=3.0, random_state=0)
    along = problem.X - np.outer(problem.X @ problem.coef, problem.coef)
    # Five directions of variance 9 each.
    assert (along**2).sum(axis=1).mean() == pytest.approx(5 * 9, rel=0.03)


def test_groups_and_classes_come_in_no_order():
    problem = make_group_margins(300, random_state=0)
    for column in (problem.groups, problem.y, problem.distance):
        assert not (np.diff(column) >= 0).all()


def test_the_side_depends_on_neither_distance_nor_flip():
    problem = make_group_margins([4000], margins=(1.0,), flip=0.5, random_state=0)
    positive = problem.X @ problem.coef + problem.intercept > 0
    wrong = positive != problem.y
    # Five standard errors of a correlation of independent columns.
    for column in (problem.distance, wrong):
        assert abs(np.corrcoef(positive, column)[0, 1]) < 5 / np.sqrt(4000)


def test_same_seed_same_problem():
    first, again = (make_group_margins(60, flip=0.2, random_state=7) for _ in range(2))
    other = make_group_margins(60, flip=0.2, random_state=8)
    for name in ("X", "y", "groups", "coef", "distance"):
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first.coef, other.coef)
    assert not np.array_equal(make_group_margins(9).X, make_group_margins(9).X)


@pytest.mark.parametrize("seed", [np.random.RandomState, np.random.default_rng])
def test_generators_are_seeds_too(seed):
    first, again = (make_group_margins(30, random_state=seed(5)).X for _ in range(2))
    np.testing.assert_array_equal(first, again)
    shared = seed(5)
    two = [make_group_margins(30, random_state=shared).X for _ in range(2)]
    assert not np.array_equal(*two)


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_state_of_numpy_is_left_alone(random_state):
    before = np.random.get_state()  # noqa: NPY002 - the legacy state is what is tested
    make_group_margins(30, random_state=random_state)
    after = np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 2}, "groups needs a sample"),
        ({"n_samples": [5, 0, 5]}, "groups needs a sample"),
        ({"n_samples": [5, 5]}, "n_samples must be an integer, or one per group"),
        ({"n_samples": 10.5}, "n_samples must be an integer"),
        ({"n_features": 0}, "n_features must be"),
        ({"n_features": 2.5}, "n_features must be"),
        ({"margins": ()}, "margins must be"),
        ({"margins": 1.0}, "margins must be"),
        ({"margins": (1.0, 0.0)}, "margins must be"),
        ({"margins": (1.0, np.inf)}, "margins must be"),
        ({"spread": 1.0}, "spread must be"),
        ({"spread": -0.1}, "spread must be"),
        ({"spread": np.nan}, "spread must be"),
        ({"flip": 1.1}, r"flip must be in \[0, 1\]"),
        ({"flip": np.nan}, r"flip must be in \[0, 1\]"),
        ({"flip": [0.1, 0.2]}, "flip must be one number, or one per group"),
        ({"class_balance": -0.5}, r"class_balance must be in \[0, 1\]"),
        ({"class_balance": [0.5]}, "class_balance must be one number, or one per group"),
        ({"scale": -1.0}, "scale must be"),
        ({"scale": np.inf}, "scale must be"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_group_margins(**arguments)
