import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robfair.metrics import (
    leave_one_out_summary,
    leave_one_out_table,
    leave_one_out_unfairness,
)


@st.composite
def models(draw):
    """Confidences of one model and of some others; ties between classes are frequent."""
    m, n, k = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.integers(2, 4))
    weights = draw(arrays(float, (m + 1, n, k), elements=st.sampled_from([0.5, 1.0, 1.0, 2.0])))
    proba = weights / weights.sum(axis=2, keepdims=True)
    return proba[0], proba[1:]


def luf_of(x, full, left_out):
    """Definition 3, pair by pair."""
    worst = 0.0
    for model in left_out:
        for y in range(full.shape[1]):
            worst = max(worst, abs(full[x][y] - model[x][y]))
    return worst


def flips(x, full, left_out):
    return [list(model[x]).index(max(model[x])) != list(full[x]).index(max(full[x]))
            for model in left_out]  # fmt: skip


@given(models())
def test_definition_3(pair):
    full, left_out = pair
    each = [luf_of(x, full, left_out) for x in range(len(full))]
    found = leave_one_out_unfairness(full, left_out)
    assert found == pytest.approx(sum(each) / len(each))
    assert 0 <= found <= 1
    assert leave_one_out_table(full, left_out)["luf"].tolist() == pytest.approx(each)


@given(models())
def test_changed_predictions(pair):
    full, left_out = pair
    m, n = left_out.shape[:2]
    changed = np.array([flips(x, full, left_out) for x in range(n)])  # n, m
    assert leave_one_out_table(full, left_out)["n_flipped"].tolist() == changed.sum(1).tolist()
    summary = leave_one_out_summary(full, left_out)
    assert summary["luf"] == pytest.approx(leave_one_out_unfairness(full, left_out))
    assert summary["luf_t"] == pytest.approx(np.mean([sum(row) for row in changed]))
    assert summary["luf_l"] == pytest.approx(np.mean([sum(column) for column in changed.T]))
    assert summary["luf_l"] == pytest.approx(n / m * summary["luf_t"])


def test_table_3_of_the_paper():
    """100 left-out models and 10,000 test samples: both counts are one number."""
    for luf_t, luf_l in ((29.26, 2926.1), (29.35, 2934.89)):
        assert luf_l == pytest.approx(10_000 / 100 * luf_t, abs=0.6)


@given(models(), st.randoms(use_true_random=False))
def test_order_makes_no_difference(pair, random):
    full, left_out = pair
    found = leave_one_out_unfairness(full, left_out)
    by_model, by_sample, by_class = (list(range(size)) for size in left_out.shape)
    for order in (by_model, by_sample, by_class):
        random.shuffle(order)
    mixed = left_out[by_model][:, by_sample][:, :, by_class]
    assert leave_one_out_unfairness(full[by_sample][:, by_class], mixed) == pytest.approx(found)


@given(models())
def test_more_models_never_lower_it(pair):
    full, left_out = pair
    each = [leave_one_out_unfairness(full, left_out[: m + 1]) for m in range(len(left_out))]
    assert each == sorted(each)


def test_models_that_are_the_same():
    full = np.array([[0.5, 0.5], [0.25, 0.75]])
    summary = leave_one_out_summary(full, [full, full])
    assert summary.tolist() == [0.0, 0.0, 0.0]


@given(models().filter(lambda pair: pair[0].shape[1] == 2))
def test_the_positive_class_is_enough(pair):
    full, left_out = pair
    one = leave_one_out_table(full[:, 1], left_out[:, :, 1])
    two = leave_one_out_table(full, left_out)
    assert one["luf"].tolist() == pytest.approx(two["luf"].tolist())
    assert one["n_flipped"].tolist() == two["n_flipped"].tolist()


def test_a_tie_goes_to_the_first_class():
    tie = [0.5, 0.5]
    assert leave_one_out_table([tie], [[[0.9, 0.1]]])["n_flipped"].tolist() == [0]
    assert leave_one_out_table([tie], [[[0.1, 0.9]]])["n_flipped"].tolist() == [1]
    assert leave_one_out_table([0.5], [[0.1], [0.9]])["n_flipped"].tolist() == [1]


@pytest.mark.parametrize("container", [np.ndarray.tolist, np.asarray, torch.tensor, pd.DataFrame,
                                       pl.DataFrame])  # fmt: skip
def test_containers(container):
    full, others = np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([[0.5, 0.5], [1.0, 0.0]])
    found = leave_one_out_unfairness(container(full), [container(others)])
    assert found == 0.375
    assert leave_one_out_unfairness(pd.Series([0.5, 0.75], index=[7, 7]), [[0.5, 0.0]]) == 0.375


def test_interval():
    rng = np.random.default_rng(0)
    full, left_out = rng.random(400), rng.random((3, 400))
    found = leave_one_out_unfairness(full, left_out, confidence_level=0.95)
    each = np.abs(left_out - full).max(axis=0)
    half = 1.96 * each.std() / 20
    assert found.interval == pytest.approx((each.mean() - half, each.mean() + half), abs=half / 8)
    assert leave_one_out_unfairness(full, left_out).interval is None


@pytest.mark.parametrize(
    "measure", [leave_one_out_unfairness, leave_one_out_table, leave_one_out_summary]
)
@pytest.mark.parametrize(
    ("full", "left_out", "error", "message"),
    [
        (0.5, [0.5], ValueError, r"y_proba must have shape .*float of shape \(\)"),
        ([[0.5], [0.7]], [[[0.5], [0.7]]], ValueError, r"y_proba must .*shape \(2, 1\)"),
        (np.ones((1, 1, 2)), np.ones((1, 1, 1, 2)), ValueError, "y_proba must have shape"),
        ([0.5, 0.7], [0.5, 0.7], ValueError, r"shape \(n_models, 2\), .*list of shape \(2,\)"),
        (np.eye(2), np.eye(2), ValueError, r"shape \(n_models, 2, 2\)"),
        (np.eye(2), np.ones((3, 2, 3)), ValueError, r"\(n_models, 2, 2\).*shape \(3, 2, 3\)"),
        ([0.5, 0.7], [[0.5, 0.7], [0.5]], ValueError, "some of different shapes"),
        ([0.5, 0.7], np.ones((0, 2)), ValueError, "nothing to compare"),
        ([], np.ones((3, 0)), ValueError, "nothing to compare"),
        ([0.5, 1.5], [[0.5, 0.5]], ValueError, r"y_proba must lie in \[0, 1\]; 1 of 2"),
        ([0.5, 0.5], [[0.5, np.nan]], ValueError, r"y_proba_left_out must lie in .* 1 of 2"),
        (["a", "b"], [["a", "b"]], TypeError, "y_proba must hold numbers"),
    ],
)
def test_wrong_arguments(measure, full, left_out, error, message):
    with pytest.raises(error, match=message):
        measure(full, left_out)
