"""The parts of Rob(P) - Rob(f): they add up, and each is 0 where its cause is absent."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics import classifier_robustness, group_robustness, robustness_decomposition

PARTS = ["label_mix", "accuracy", "distance"]
ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(0, 2), st.booleans(), st.floats(0.0, 100.0, width=32)
    ),
    min_size=1,
    max_size=40,
)


def columns(rows, rename=str):
    group, label, right, distance = (np.array(column) for column in zip(*rows, strict=True))
    true = np.array([rename(each) for each in label])
    predicted = np.where(right, true, [rename((each + 1) % 3) for each in label])
    # One row that is right for certain: labels that match nowhere are another error.
    return np.append(true, rename(0)), np.append(predicted, rename(0)), {
        "distance": np.append(distance, 1.0), "sensitive_features": np.append(group, "a")
    }  # fmt: skip


@given(ROWS)
def test_the_parts_add_up_to_the_difference(rows):
    true, predicted, arguments = columns(rows)
    table = robustness_decomposition(true, predicted, **arguments)
    rob = group_robustness(true, predicted, **arguments)
    size = max(rob.max(), 1.0)
    assert_allclose(table["difference"], rob - rob.mean(), atol=1e-12 * size)
    assert_allclose(table[PARTS].sum(axis=1), table["difference"], atol=1e-12 * size)
    assert_allclose(table.mean()[PARTS].sum(), 0, atol=1e-12 * size)


@given(ROWS)
def test_names_of_labels_do_not_matter_and_a_constant_has_no_mix(rows):
    true, predicted, arguments = columns(rows)
    table = robustness_decomposition(true, predicted, **arguments)
    others = columns(rows, rename=lambda label: "zyx"[label])
    assert_allclose(robustness_decomposition(*others[:2], **others[2]), table, atol=1e-9)
    constant = robustness_decomposition(
        true, predicted, **arguments, control_features=["all"] * len(true)
    )
    assert_allclose(constant["label_mix"], 0, atol=1e-12)


def by_definition(true, predicted, distance, group):
    """Kitagawa's formula, cell by cell, where every cell has a row that is right."""
    frame = pd.DataFrame(
        {"y": true, "g": group, "ok": np.equal(true, predicted), "d": distance}
    ).assign(n=1.0)
    frame["v"] = np.where(frame["ok"], frame["d"], 0.0)
    cells = frame.groupby(["g", "y"])[["n", "ok", "v"]].sum().unstack()
    size = cells["n"].sum(axis=1)
    p, c, r = (cells[name].div(size, axis=0).to_numpy() for name in ("n", "ok", "v"))
    p0, c0, r0 = p.mean(axis=0), c.mean(axis=0), r.mean(axis=0)
    rows = []
    for i in range(len(size)):
        mix = accuracy = far = 0.0
        for y in range(p.shape[1]):
            a, d, a0, d0 = c[i, y] / p[i, y], r[i, y] / c[i, y], c0[y] / p0[y], r0[y] / c0[y]
            mix += (p[i, y] - p0[y]) * (a * d + a0 * d0) / 2
            accuracy += (a - a0) * (d + d0) * (p[i, y] + p0[y]) / 4
            far += (d - d0) * (a + a0) * (p[i, y] + p0[y]) / 4
        rows.append((mix, accuracy, far))
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_the_parts_are_those_of_the_formula(seed):
    rng = np.random.default_rng(seed)
    group = rng.choice(list("abc"), 300, p=[0.2, 0.3, 0.5])
    true = (rng.random(300) < np.where(group == "a", 0.3, 0.6)).astype(int)
    predicted = np.where(rng.random(300) < 0.8, true, 1 - true)
    distance = rng.exponential(1 + (group == "b") + true)
    table = robustness_decomposition(true, predicted, distance=distance, sensitive_features=group)
    assert_allclose(table[PARTS], by_definition(true, predicted, distance, group))


def test_groups_that_differ_in_one_thing():
    # Two labels at distances 1 and 3; the third row of four is wrong.
    one = {"y": [0, 0, 0, 0], "ok": [1, 1, 0, 1], "d": [1.0] * 4}
    two = {"y": [1, 1, 1, 1], "ok": [1, 1, 0, 1], "d": [3.0] * 4}

    def table(*groups):
        parts = [pd.concat([pd.DataFrame(rows) for rows in group]) for group in groups]
        frame = pd.concat(parts, keys=range(len(parts)), names=["g"]).reset_index("g")
        return robustness_decomposition(
            frame["y"].to_numpy(), frame["y"].to_numpy() ^ (1 - frame["ok"].to_numpy()),
            distance=frame["d"].to_numpy(), sensitive_features=frame["g"].to_numpy(),
        )  # fmt: skip

    mix = table([one, one, one, two], [one, two, two, two])
    assert_allclose(mix["label_mix"], mix["difference"])
    assert mix["difference"].iloc[1] == pytest.approx(0.75 * 0.5 * 2 / 2)
    far = table([one, two], [one, two | {"d": [5.0] * 4}])
    assert_allclose(far["distance"], far["difference"])
    right = table([one, two], [one, two | {"ok": [1, 1, 1, 1]}])
    assert_allclose(right["accuracy"], right["difference"])
    # A group with one label only, and a group of which no row of a label is right.
    alone = table([one], [one, two])
    assert_allclose(alone["label_mix"], alone["difference"])
    wrong = table([one, two], [one, two | {"ok": [0, 0, 0, 0]}])
    assert_allclose(wrong["accuracy"], wrong["difference"])


def test_columns_are_crossed_and_caps_hold():
    true = np.array([0, 1] * 20)
    frame = pd.DataFrame({"race": ["a", "a", "b", "b"] * 10, "sex": list("fm") * 20})
    arguments = {"distance": np.linspace(0.1, 4, 40), "sensitive_features": frame}
    capped = robustness_decomposition(true, true, **arguments, tau_max=2.0)
    assert capped.index.names == ["race", "sex"]
    arguments["distance"] = np.minimum(arguments["distance"], 2.0)
    assert_frame_equal(capped, robustness_decomposition(true, true, **arguments))
    mean = classifier_robustness(true, true, **arguments)
    rob = group_robustness(true, true, **arguments)
    assert_allclose(capped["difference"], rob - mean)


def test_an_unknown_distance_leaves_nothing_known():
    true = [0, 1, 0, 1]
    with pytest.warns(CensoredDistanceWarning):
        table = robustness_decomposition(
            true, true, distance=[1.0, np.inf, 1.0, 1.0], sensitive_features=list("aabb")
        )
    assert table.isna().all(axis=None)


def test_a_control_feature_with_a_value_per_row_is_refused():
    true = np.arange(60) % 2
    with pytest.raises(ValueError, match=r"control_features has 60 groups .* pd\.cut"):
        robustness_decomposition(
            true, true, distance=np.ones(60), sensitive_features=true,
            control_features=np.arange(60.0),
        )  # fmt: skip
