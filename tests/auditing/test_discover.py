"""`discover_groups`: distances of a model, columns from anywhere, and bad input in one sentence."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from robfair import ThreatModel, audit, boundary_distance, discover_groups
from robfair.datasets import make_group_margins
from robfair.exceptions import GroupsWarning, LabelsWarning

DATA = make_group_margins(600, n_features=3, flip=(0.1, 0.1, 0.1), random_state=0)
CLF = LogisticRegression(C=1e6).fit(DATA.X, DATA.y)
# Group 0, whose margins are the smallest, is the north's people from 50.
PEOPLE = pd.DataFrame(
    {
        "site": np.where(DATA.groups < 2, "north", "south"),
        "age": np.where(DATA.groups == 1, 30, 50) + np.arange(600) % 20,
        "shoe": np.arange(600) % 7,
    }
)


def run(model=CLF, X=DATA.X, y=DATA.y, columns=PEOPLE, **options):
    return discover_groups(model, X, y, columns=columns, **options)


def test_numbers_are_those_of_the_distances():
    table = run()
    found = boundary_distance(CLF, DATA.X)
    value = np.where(found.predicted == DATA.y, found.distance, 0.0)
    row = table[table["condition"].str.contains("site = north and age >= 5")].iloc[0]
    inside = PEOPLE.eval(row["condition"].replace("site = north", "site == 'north'")).to_numpy()
    assert row["confirmed"]
    assert row["size"] + row["found_size"] == inside.sum()
    both = row["size"] * row["robustness"] + row["found_size"] * row["found_robustness"]
    assert both / inside.sum() == pytest.approx(value[inside].mean())
    assert table.attrs["n_searched"] > 50


def test_columns_are_those_of_X_or_others():
    frame = PEOPLE.assign(x=DATA.X[:, 0], y=DATA.X[:, 1], z=DATA.X[:, 2])
    model = LogisticRegression(C=1e6).fit(frame[["x", "y", "z"]], DATA.y)
    features = frame[["x", "y", "z"]]
    expected = run()
    for columns in (PEOPLE, PEOPLE.to_dict("list"), pl.from_pandas(PEOPLE)):
        pd.testing.assert_frame_equal(run(model, features, columns=columns), expected)
    by_name = run(model, features, columns=["y", "z"])
    assert not by_name["condition"].str.contains("x").any()
    pd.testing.assert_frame_equal(by_name, run(model, features, columns=features[["y", "z"]]))
    assert run(columns=PEOPLE["site"])["condition"].tolist() == ["site = north"]


def test_a_subgroup_is_not_found_for_its_labels():
    # Label 1 is harder to attack, and the north has less of it; within labels nothing differs.
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 3000)
    x = np.where(y == 1, 3.0, -1.0) * rng.uniform(0.5, 1.5, 3000)
    north = rng.random(3000) < np.where(y == 1, 0.3, 0.7)
    model = DecisionTreeClassifier(max_depth=1).fit(x[:, None], y)
    columns = pd.DataFrame({"site": np.where(north, "north", "south")})
    assert not run(model, x[:, None], y, columns)["confirmed"].any()
    table = run(model, x[:, None], y, columns, standardize_by=None)
    assert table["condition"].tolist() == ["site = north"]
    assert table["confirmed"].all()
    by_hand = run(model, x[:, None], y, columns, standardize_by=y)
    pd.testing.assert_frame_equal(by_hand, run(model, x[:, None], y, columns))


def test_one_pass_serves_an_audit_too(monkeypatch):
    audit(CLF, DATA.X, DATA.y, sensitive_features=DATA.groups, examples=0, n_check=0)
    monkeypatch.delattr("robfair._cache.measure_distance")
    assert run()["confirmed"].any()


def test_missing_values_are_a_category():
    columns = PEOPLE.assign(site=PEOPLE["site"].mask(DATA.groups == 0))
    table = run(columns=columns)
    assert table.loc[table["confirmed"], "condition"].tolist()[0] == "site is missing"


def test_useless_columns_are_told():
    odd = PEOPLE.assign(constant=1, name=[f"row {i}" for i in range(600)])
    with pytest.warns(GroupsWarning, match="nothing is searched in 'constant', 'name': none has"):
        table = run(columns=odd)
    pd.testing.assert_frame_equal(table, run())


def test_wrong_for_all_rows():
    with pytest.warns(LabelsWarning):
        table = run(DummyClassifier(strategy="constant", constant=2).fit([[0.0]] * 2, [1, 2]),
                    y=np.ones(600, dtype=int), tau_max=1.0)  # fmt: skip
    assert len(table) == 0


def test_rows_that_no_adversarial_was_found_for():
    model = DummyClassifier(strategy="constant", constant=1).fit([[0.0]] * 2, [0, 1])
    with pytest.raises(ValueError, match=r"rows no adversarial was found.*Pass tau_max="):
        run(model, method="decision")
    run(model, method="decision", tau_max=1.0)


def test_inputs_and_global_state_are_left_as_found():
    before, state = PEOPLE.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    run(threat_model=ThreatModel(norm=np.inf), random_state=np.random.default_rng(0))
    pd.testing.assert_frame_equal(PEOPLE, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"columns": None}, ValueError, "X is a ndarray, which does not name its columns"),
        ({"columns": ["site"]}, ValueError, "X is a ndarray, which does not name its columns"),
        ({"columns": PEOPLE[:10]}, ValueError, "columns has 10 samples and y_true has 600"),
        ({"columns": PEOPLE.set_axis(["a", "b", "a"], axis=1)}, ValueError, "two columns are"),
        ({"columns": PEOPLE.to_numpy()}, ValueError, "columns is a ndarray, which does not name"),
        ({"columns": DATA.X.reshape(600, 3, 1)}, ValueError, "columns is a ndarray"),
        ({"min_size": 151}, ValueError, "600 rows are too few to search on 300 and test on 300"),
        ({"min_sise": 9}, TypeError, "discover_groups has no option 'min_sise'. Did you mean 'min"),
        ({"eps": 0.1}, TypeError, "discover_groups has no option 'eps'"),
        ({"tau_max": -1}, ValueError, "tau_max must be a positive"),
        ({"budget": 0}, ValueError, "budget must be at least 1"),
        ({"n_bins": 200, "columns": pd.DataFrame(DATA.X)}, ValueError, "conditions, and 2,000"),
    ],
)  # fmt: skip
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        run(min_size=arguments.pop("min_size", 2), **arguments)


def test_ten_rows_are_refused():
    with pytest.raises(ValueError, match="10 rows are too few to search on 5 and test on 5"):
        run(X=DATA.X[:10], y=DATA.y[:10], columns=PEOPLE[:10])


def test_columns_in_another_order_of_rows_are_refused():
    frame = pd.DataFrame(DATA.X, index=[f"p{i}" for i in range(600)])
    model = LogisticRegression().fit(frame.to_numpy(), DATA.y)
    with pytest.raises(ValueError, match="the same labels in another order"):
        run(model, frame, columns=PEOPLE.set_index(frame.index)[::-1])
