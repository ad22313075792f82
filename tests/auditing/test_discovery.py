"""Discovery on values of rows: what is planted is found, what is not there is not confirmed."""

import numpy as np
import pandas as pd
import pytest

from robfair.auditing._discovery import COLUMNS, Discovery, DiscoveryOptions


def people(n, seed):
    rng = np.random.default_rng([seed, 1])
    return pd.DataFrame(
        {
            "age": rng.normal(40, 12, n).round(),
            "race": rng.choice(["A", "B", "C"], n, p=[0.7, 0.2, 0.1]),
            "town": rng.integers(0, 6, n).astype(str),
            "hours": rng.exponential(30, n),
        }
    )


def run(frame, values, y=None, seed=0, **options):
    y = np.zeros(len(frame), dtype=int) if y is None else y
    return Discovery.of(frame, y, DiscoveryOptions(**options)).run(values, seed)


def test_a_planted_subgroup_is_confirmed_and_its_numbers_are_those_of_its_rows():
    n, rng = 6000, np.random.default_rng(0)
    frame, y = people(n, 0), rng.integers(0, 2, n)
    inside = (frame["race"] == "B") & (frame["age"] >= 50)  # 4 % of the rows
    values = rng.lognormal(0, 0.5, n) * np.where(y == 1, 0.5, 1.0) * np.where(inside, 0.4, 1.0)
    table = run(frame, values, y)
    assert table["confirmed"].tolist() == [True] + [False] * (len(table) - 1)
    row = table.iloc[0]
    assert (
        row["condition"] == "race = B and age >= 50" or row["condition"] == "age >= 50 and race = B"
    )
    assert row["size"] + row["found_size"] == inside.sum()
    both = row["size"] * row["robustness"] + row["found_size"] * row["found_robustness"]
    assert both / inside.sum() == pytest.approx(values[inside].mean())
    assert row["difference"] == pytest.approx(row["robustness"] - row["rest"])
    assert row["lower"] < row["difference"] < row["upper"] < 0
    assert table.attrs["search_rows"] == table.attrs["test_rows"] == 3000


def test_the_found_numbers_flatter_where_there_is_nothing():
    frame = people(4000, 1)
    table = run(frame, np.random.default_rng(1).exponential(1, 4000))
    assert len(table) > 0
    assert not table["confirmed"].any()
    assert (table["found_difference"] < np.minimum(table["difference"], 0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["lognormal", "half zero"])
def test_nothing_is_confirmed_where_there_is_nothing(shape):
    confirmed = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = rng.lognormal(0, 1, 1500) if shape == "lognormal" else rng.exponential(1, 1500)
        values *= rng.random(1500) < (0.85 if shape == "lognormal" else 0.5)
        confirmed.append(run(people(1500, seed), values, seed=seed)["confirmed"].any())
    assert np.mean(confirmed) <= 0.05


def test_the_split_is_drawn_and_keeps_the_labels():
    y = np.repeat([0, 1], [1000, 200])
    frame = people(1200, 0)
    values = np.random.default_rng(0).exponential(1, 1200)
    discovery = Discovery.of(frame, y, DiscoveryOptions(test_size=0.25))
    first, again, other = (discovery.run(values, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert (first.attrs["search_rows"], first.attrs["test_rows"]) == (900, 300)


def test_values_that_say_nothing_give_an_empty_table():
    table = run(people(500, 0), np.zeros(500))
    assert len(table) == 0
    assert list(table) == list(COLUMNS)
    assert table["confirmed"].dtype == bool
    assert table["size"].dtype.kind == "i"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_conditions": 0}, "max_conditions must be at least 1; got 0"),
        ({"min_size": 1}, "min_size must be at least 2; got 1"),
        ({"n_bins": 1}, "n_bins must be at least 2"),
        ({"test_size": 1.0}, "test_size must be between 0 and 1; got 1.0"),
        ({"confidence": 95}, "confidence must be between 0 and 1; got 95"),
        ({"min_size": 200}, "500 rows are too few to search on 250 and test on 250"),
        ({"test_size": 0.01}, "500 rows are too few to search on 495 and test on 5"),
        ({"standardize_by": "race"}, "standardize_by must be 'y_true', None or a value for each"),
        ({"standardize_by": [0, 1]}, "standardize_by has 2 samples"),
        ({"columns": []}, "columns is empty: name at least one column of X"),
        ({"columns": "town", "min_size": 60}, "searched: none of 'town' has a category"),
        (
            {"columns": ["Race"]},
            r"columns names 'Race', which X does not have. Did you mean 'race'",
        ),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        run(people(500, 0), np.ones(500), **options)


def test_min_size_must_be_a_whole_number():
    with pytest.raises(TypeError):
        DiscoveryOptions(min_size=30.5)
