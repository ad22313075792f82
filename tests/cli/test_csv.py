"""CSV files are read as the same table in Parquet would be, or refused with the place."""

import bz2
import gzip
import io
import json
import lzma
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from robfair.cli._csv import CsvForm, as_numbers
from robfair.cli._data import read_table
from robfair.cli._errors import BadInput

N = 60


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=N), "b": rng.normal(size=N)})
    return frame.assign(g=list("AB") * (N // 2), y=(frame["a"] + frame["b"] > 0).astype(int))


@pytest.fixture
def by_group(shell_audit, table, tmp_path):
    """Audit a model of a and b on a file, and return what is found for each group, or the error."""
    path = tmp_path / "model.skops"
    skops.io.dump(LogisticRegression().fit(table[["a", "b"]], table["y"]), path)

    def audit(content, *options, by="g", name="c.csv", model=path):
        if isinstance(content, str | bytes):
            content = content.encode() if isinstance(content, str) else content
            (tmp_path / name).write_bytes(content)
        else:
            name = "c.parquet"
            content.to_parquet(tmp_path / name)
        words = ("--json", "--quiet", "--no-rows", *options)
        code, out, err = shell_audit(model, tmp_path / name, *words, target="y", by=by)
        if code:
            assert (code, out, err.count("\n")) == (2, "", 1)
            return err
        (found,) = json.loads(out)["audits"].values()
        return found["by_group"]

    return audit


def zipped(content, *names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names or ("c.csv", "__MACOSX/._c.csv"):
            archive.writestr(name, content)
    return buffer.getvalue()


FORMS = {
    "commas": (str, ()),
    "CRLF": (lambda t: t.replace("\n", "\r\n"), ()),
    "CR alone": (lambda t: t.replace("\n", "\r"), ()),
    "BOM": (lambda t: "\ufeff" + t, ()),
    "Excel's separator": (lambda t: "\ufeffsep=;\r\n" + t.replace(",", ";"), ()),
    "blank lines": (lambda t: "\n" + t.replace("\n", "\n  \n\n"), ()),
    "quoted": (lambda t: '"' + t.replace(",", '","').replace("\n", '"\n"')[:-1], ()),
    "tabs": (lambda t: t.replace(",", "\t"), ("--sep", r"\t")),
    "bars": (lambda t: t.replace(",", "|"), ("--sep", "|")),
    "UTF-16": (lambda t: t.encode("utf-16"), ("--encoding", "utf-16")),
    "gzip": (lambda t: gzip.compress(t.encode()), ()),
    "bzip2": (lambda t: bz2.compress(t.encode()), ()),
    "xz": (lambda t: lzma.compress(t.encode()), ()),
    "zip": (lambda t: zipped(t), ()),
}


@pytest.mark.parametrize(("form", "options"), FORMS.values(), ids=FORMS)
def test_each_form_of_a_table_gives_the_same(by_group, table, form, options):
    assert by_group(form(table.to_csv(index=False)), *options) == by_group(table)


def test_a_table_from_a_pipe(by_group, table, tmp_path, shell_audit):
    expected = by_group(table)
    os.mkfifo(tmp_path / "pipe")
    text = table.to_csv(index=False)
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=[text])
    writer.start()
    words = (tmp_path / "model.skops", tmp_path / "pipe", "--json", "--quiet", "--no-rows")
    code, out, _ = shell_audit(*words, target="y", by="g")
    writer.join()
    assert code == 0
    assert json.loads(out)["audits"]["g"]["by_group"] == expected


@pytest.mark.parametrize(
    "names",
    [
        ["01", "1", "2"],
        ["1e3", "1000", "2000"],
        ["12345678901234567", "12345678901234568", "12345678901234569"],
        ["NA", "None", "null"],
        ["nan", "inf", "1"],
        ["1.0", "1", "1.00"],
        ["True", "TRUE", "true"],
        ["a,b", 'a"b', "a;b"],
        ["2020-01-01", "2020-1-1", "1/1/2020"],
        ["10", "9", "2"],
        [10, 9, 2],
        [0.5, 10.0, 9.0],
    ],
)
def test_groups_are_named_as_they_stand_in_the_file(by_group, table, names):
    changed = table.assign(g=np.array(names, dtype=object)[np.arange(N) % 3])
    changed["g"] = changed["g"].infer_objects()
    found = by_group(changed.to_csv(index=False))
    assert found == by_group(changed)
    assert {str(group["group"]) for group in found} == set(map(str, names))
    assert [group["size"] for group in found] == [N // 3] * 3


@pytest.mark.parametrize("name", [" g", "g ", "g, or a, b, c, d", 'a "g"', "gruppe ä"])
@pytest.mark.parametrize("mark", [",", ";"])
def test_names_of_columns_are_used_as_they_stand(by_group, table, name, mark):
    changed = table.rename(columns={"g": name})
    quoted = '"' + name.replace('"', '""') + '"'
    found = by_group(changed.to_csv(index=False, sep=mark), by=quoted)
    assert found == by_group(table)
    assert "which is not a column" in by_group(changed.to_csv(index=False), by="G")


DAMAGED = {
    "two columns": (lambda t: t.replace("a,b,g,y", "a,b,g,g", 1), ["2 columns of the name 'g'"]),
    "a long row": (lambda t: t.replace("A,", "A,x,", 1), ["line 2 has 5 cells", "names 4"]),
    "a short row": (lambda t: t.replace("B,", "B", 1), ["line 3 has 3 cells", "names 4"]),
    "an open quote": (lambda t: t.replace("A,", '"A,', 1) + "x" * 200_000, ["a quote not closed"]),
    "one column": (lambda t: t.replace(",", "|"), ["one column only, 'a|b|g|y'", "--sep"]),
    "a tie": (lambda t: t.replace("a,b,g,y", "a,b,g;x;y", 1), ["name the right one by --sep"]),
    "a byte 0": (lambda t: t.replace("A", "\0", 1), ["a byte 0 in line 2"]),
    "UTF-16": (lambda t: t.encode("utf-16"), ["--encoding utf-16"]),
    "half a gzip": (lambda t: gzip.compress(t.encode())[:-20], ["damaged gzip"]),
    "half an xz": (lambda t: lzma.compress(t.encode())[:-20], ["damaged xz"]),
    "half a zip": (lambda t: zipped(t)[:-20], ["zip archive that cannot be read"]),
    "two in a zip": (lambda t: zipped(t, "a.csv", "b.csv"), ["a zip archive of 2 files"]),
    "a sheet": (lambda t: zipped(t, "[Content_Types].xml", "b"), ["an Excel sheet"]),
    "a pickle": (lambda t: b"\x80\x05rest", ["is a pickle, not a CSV"]),
    "Feather": (lambda t: b"ARROW1rest", ["is a Feather"]),
    "nothing in a gzip": (lambda t: gzip.compress(b""), ["is empty"]),
    "no rows": (lambda t: t.splitlines()[0], ["4 columns and no rows"]),
}


@pytest.mark.parametrize(("damage", "parts"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_damaged_is_refused_with_the_place(by_group, table, damage, parts):
    text = by_group(damage(table.to_csv(index=False)))
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("?", ["'?' in row 30", "Correct the cell"]),
        ('"1,5"', ["'1,5' in row 30", "Write 1234.5"]),
        ('"1.234,5"', ["'1.234,5' in row 30", "Write 1234.5"]),
        ('"1,234.5"', ["'1,234.5' in row 30", "Write 1234.5"]),
        ("12 %", ["'12 %' in row 30"]),
        ("", ["missing values in 'a' (1 rows)"]),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_bad_number_is_named_with_its_place(by_group, table, cell, parts, wrapped, tmp_path):
    lines = table.to_csv(index=False).splitlines()
    lines[30] = cell + lines[30][lines[30].index(",") :]
    model = tmp_path / "pipeline.skops"
    through = make_column_transformer(("passthrough", ["a", "b"]))
    pipeline = make_pipeline(through, LogisticRegression()).fit(table[["a", "b"]], table["y"])
    skops.io.dump(pipeline, model)
    options = {"model": model} if wrapped else {}
    text = by_group("\n".join(lines), **options)
    for part in parts:
        assert part in text
    assert "'a'" in text


def test_na_is_a_category_where_the_model_knows_it(by_group, tmp_path):
    rng = np.random.default_rng(0)
    n = 120
    X = pd.DataFrame({"x": rng.normal(size=n), "country": rng.choice(["NA", "DE", "07"], n)})
    y = (X["x"] + np.where(X["country"] == "NA", -2, 1) > 0).astype(int)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["country"]), ("passthrough", ["x"])),
        LogisticRegression(),
    ).fit(X, y)
    skops.io.dump(model, tmp_path / "m.skops")
    frame = X.assign(y=y, g=rng.choice(["A", "B"], n))
    found = by_group(frame.to_csv(index=False), model=tmp_path / "m.skops")
    assert found == by_group(frame, model=tmp_path / "m.skops")
    right = pd.Series(model.predict(X) == y).groupby(frame["g"]).mean()
    assert [group["accuracy"] for group in found] == pytest.approx(right.tolist())


def test_columns_of_parquet_are_checked(by_group, table, tmp_path):
    several = table.assign(g=[["x"], ["z"]] * (N // 2))
    assert "'g' holds ndarrays, first in row 1" in by_group(several)
    assert by_group(table.set_index("g")) == by_group(table)
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [pa.array(table[name]) for name in "abggy"]
    pq.write_table(pa.table(arrays, names=list("abggy")), tmp_path / "two.parquet")
    content = (tmp_path / "two.parquet").read_bytes()
    assert "name 'g'" in by_group(content, name="two.parquet")


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)
rows = st.tuples(
    cells | st.sampled_from(["NA", "None", "01", "1e3", " x", '"', ",", ";", "nan", "-0", "TRUE"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**62), 2**62),
    st.booleans(),
    st.sampled_from(["NA", "07", "1", " blank"]),
)


@pytest.mark.slow
@given(rows=st.lists(rows, min_size=1, max_size=8), mark=st.sampled_from(",;\t|"))
def test_any_table_is_read_as_from_parquet(rows, mark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    frame = pd.DataFrame(rows, columns=["g", "float", "int", "bool", "text"])
    frame.to_csv(folder / "t.csv", index=False, sep=mark)
    frame.to_parquet(folder / "t.parquet")
    read = [
        read_table(folder / name, form, text=lambda _: {"text": ()}, names=["g"])
        for name, form in (("t.csv", CsvForm(separator=mark)), ("t.parquet", None))
    ]
    (table, names), (expected, expected_names) = read
    pd.testing.assert_frame_equal(table.drop(columns="g"), expected.drop(columns="g"))
    pd.testing.assert_frame_equal(names, expected_names)
    pd.testing.assert_frame_equal(table[["float"]], frame[["float"]], rtol=0, atol=0)


@given(st.lists(cells | st.integers().map(str) | st.floats().map(str), min_size=1))
def test_names_keep_their_text_as_numbers(texts):
    assert as_numbers(pd.Series(texts, dtype="str")).map(str).tolist() == texts


def test_bad_separators_are_refused(refused):
    for mark in ("", "ab", '"', "a"):
        assert "must be one character" in refused("plain.skops", "people.csv", "--sep", mark)


def test_blanks_that_an_encoder_would_ignore_are_refused(refused, written, people):
    jobs = people["job"].where(people.index != 4, " " + people["job"])
    text = refused("logistic.skops", written(job=jobs))
    assert "column 'job' holds ' " in text
    assert "first in row 5" in text


def test_unknown_encodings():
    with pytest.raises(BadInput, match="there is no encoding"):
        read_table(Path(__file__), CsvForm(encoding="klingon"))
