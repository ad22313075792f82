"""Parquet files by row groups, and samples that show what all rows hold."""

import numpy as np
import pandas as pd
import pytest

from robfair.cli._errors import BadInput
from robfair.cli._parquet import ParquetFile, is_parquet


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    n = 1000
    frame = pd.DataFrame(
        {
            "step": np.round(rng.normal(size=n), 2),
            "whole": rng.integers(0, 9, n),
            "gaps": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 50, n)),
            "flag": rng.random(n) < 0.01,
            "kind": pd.Categorical(rng.choice(list("abcdefg"), n)),
            "one": 1.0,
        }
    )
    frame.loc[700, "gaps"] = 0.5
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=130)
    return frame, ParquetFile(tmp_path / "t.parquet")


@pytest.mark.parametrize("rows", [[0], [129, 130], [5, 400, 401, 999], range(1000), []])
def test_rows_are_those_of_the_file(table, rows):
    frame, file = table
    rows = np.array(rows, dtype=np.intp)
    names = ["kind", "step", "flag"]
    expected = frame.loc[rows, names].reset_index(drop=True).astype({"kind": object})
    found = file.read_rows(rows, names)[names].astype({"kind": object})
    pd.testing.assert_frame_equal(found, expected)
    pd.testing.assert_series_equal(file.read_columns(["whole"])["whole"], frame["whole"])


def test_a_sample_shows_what_all_rows_hold(table):
    frame, file = table
    facts = file.facts(list(frame))
    sample = file.read_rows(np.array(sorted(facts.rows)), list(frame))
    assert len(sample) < 60
    for name in ("step", "whole", "gaps", "one"):
        assert sample[name].min() == frame[name].min()
        assert sample[name].max() == frame[name].max()
        assert sample[name].isna().any() == frame[name].isna().any()
    for name in ("step", "whole", "gaps"):
        least = [np.diff(np.unique(t[name].dropna())).min() for t in (sample, frame)]
        assert least[0] == least[1]
        assert facts.unit[name] == frame[name].dropna().to_numpy().std()
    assert (sample["gaps"] == 0.5).any()  # the only fraction
    assert set(sample["kind"]) == set(frame["kind"])
    assert set(sample["flag"]) == {True, False}
    assert "one" not in facts.unit
    assert facts.missing == {"gaps": int(frame["gaps"].isna().sum())}


def test_an_index_with_a_name_is_a_column(table, tmp_path):
    frame, _ = table
    frame.set_index("step").to_parquet(tmp_path / "t.parquet", row_group_size=130)
    file = ParquetFile(tmp_path / "t.parquet")
    assert set(file.columns) == set(frame)
    pd.testing.assert_series_equal(file.read_columns(["step"])["step"], frame["step"])
    rows = np.array([129, 130, 999])
    expected = frame.loc[rows, ["step", "whole"]].reset_index(drop=True)
    found = file.read_rows(rows, ["step", "whole"])[["step", "whole"]]
    pd.testing.assert_frame_equal(found, expected)


def test_files_that_are_damaged_behind_their_first_bytes(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": np.random.default_rng(0).normal(size=2000)}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    for read in (lambda f: f.read_columns(["x"]), lambda f: f.read_rows(np.arange(9), ["x"])):
        with pytest.raises(BadInput, match="damaged Parquet"):
            read(ParquetFile(path))


def test_files_that_are_damaged(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1" + bytes(40))
    assert is_parquet(path)
    assert not is_parquet(tmp_path)
    with pytest.raises(BadInput, match="damaged Parquet"):
        ParquetFile(path)
