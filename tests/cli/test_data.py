"""Tables from files, and the columns and rows that an audit takes from them."""

import numpy as np
import pandas as pd
import pytest

from robfair.cli._data import read_table, sample_rows


def table(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "name", "parts"),
    [
        (b"", "table.csv", ["is empty"]),
        (b"\n\n", "table.csv", ["is empty"]),
        (b"age,hours,job,race,income\n", "table.csv", ["5 columns and no rows"]),
        (b"age,race\n1,a\n2,\xe9\n", "table.csv", ["byte 0xe9 in line 3", "--encoding latin-1"]),
        ("age,race\n1,a\n".encode("utf-16"), "table.csv", ["in line 1", "--encoding utf-16"]),
        (b"age,race\n1,a\n2,b,c,d\n", "table.csv", ["is not a CSV file", "line 3"]),
        (b"age,race\n1,a,x\n2,b,y\n", "table.csv", ["is not a CSV file", "line 2 has 3 cells"]),
        (b"PK\x03\x04rest", "table.csv", ["zip archive that cannot be read"]),
        (b"age,race\n1,a\n", "table.parquet", ["is not a Parquet file"]),
        (b"PAR1" + bytes(40), "table.csv", ["damaged Parquet"]),
    ],
)
def test_tables_that_are_none(refused, tmp_path, content, name, parts):
    text = refused("logistic.skops", table(tmp_path, content, name))
    for part in parts:
        assert part in text


def test_a_parquet_file_that_is_cut_off(refused, files, tmp_path):
    content = (files / "people.parquet").read_bytes()
    assert "damaged Parquet" in refused("plain.skops", table(tmp_path, content[:-200]))


def test_columns_that_do_not_fit(refused, written, people, tmp_path):
    rows = np.arange(len(people))
    text = refused("plain.skops", written(income="high"))
    assert "'income' holds one class only, 'high'" in text
    text = refused("plain.skops", written(income=np.where(rows == 3, "medium", people["income"])))
    assert "labels that the model does not know: 'medium'. Its classes are 'high', 'low'" in text
    text = refused("plain.skops", written(race="a"))
    assert "one group only, 'a'" in text
    text = refused("plain.skops", written(race=rows))
    assert "240 groups in 240 rows" in text
    text = refused("plain.skops", written(race=np.where(rows == 7, None, "a")))
    assert "'race' is missing in 1 of 240 rows, first in row 8" in text
    text = refused("plain.skops", written(income=np.where(rows > 9, people["income"], None)))
    assert "'income' is missing in 10 of 240 rows, first in row 1" in text
    for model in ("plain.skops", "logistic.skops"):
        text = refused(model, written(age=np.where(rows < 4, np.nan, 30)))
        assert "there are missing values in 'age' (4 rows)" in text
    text = refused("plain.skops", written(age="old"))
    assert "column 'age' holds 'old' in row 1, and the model takes numbers. Save the" in text
    people.drop(columns="hours").to_csv(tmp_path / "narrow.csv", index=False)
    assert "names 'hours', which is not a column" in refused("plain.skops", tmp_path / "narrow.csv")


def test_5000_groups(refused, tmp_path):
    rows = np.arange(6000)
    frame = pd.DataFrame({"age": rows % 60, "hours": rows % 50, "zip": rows % 5000})
    frame.assign(income=np.where(rows % 2, "low", "high")).to_csv(tmp_path / "zip.csv", index=False)
    text = refused("plain.skops", tmp_path / "zip.csv", by="zip")
    assert "--sensitive zip has 5,000 groups in 6,000 rows" in text


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_a_byte_order_mark(tmp_path, separator):
    text = "\ufeff" + separator.join("ab") + "\n" + separator.join("12") + "\n"
    path = table(tmp_path, text.encode())
    pd.testing.assert_frame_equal(read_table(path)[0], pd.DataFrame({"a": [1], "b": [2]}))


def test_columns_that_are_read_as_text(tmp_path):
    path = table(tmp_path, b"zip,age\n007,30\n010,40\n")
    assert read_table(path, text=lambda columns: {"zip": [""]})[0]["zip"].tolist() == ["007", "010"]
    assert read_table(path)[0]["zip"].tolist() == [7, 10]


def test_csv_and_parquet_hold_the_same(tmp_path):
    frame = pd.DataFrame({"age": [30, 40], "job": ["pilot", "nurse"], "7": [0.5, 1.5]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        pd.testing.assert_frame_equal(read_table(tmp_path / name)[0], frame, check_dtype=False)


def test_rows_are_drawn_without_replacement_and_in_order():
    rows = sample_rows(240, 200, seed=0)
    assert len(np.unique(rows)) == 200
    assert (np.diff(rows) > 0).all()
    assert 0 <= rows.min() < rows.max() < 240
    assert sample_rows(240, None, seed=0).tolist() == list(range(240))
    assert rows.tolist() == sample_rows(240, 200, seed=0).tolist()
    assert rows.tolist() != sample_rows(240, 200, seed=1).tolist()
