"""Bad input: exit code 2, one line that says what was wrong, nothing on stdout."""

import os
import resource

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def refused(shell_audit):
    """Run an audit that must be refused, and return its line."""

    def audit(*words, **options):
        code, out, err = shell_audit(*words, **options)
        assert (code, out) == (2, "")
        assert err.startswith("robfair")
        assert err.count("\n") == 1
        return err

    return audit


@pytest.fixture
def written(people, tmp_path):
    """Write the table of people with some columns replaced."""

    def write(**columns):
        people.assign(**columns).to_csv(tmp_path / "changed.csv", index=False)
        return tmp_path / "changed.csv"

    return write


@pytest.mark.parametrize(
    ("words", "options", "parts"),
    [
        ((), {"target": "incom"}, ["--target names 'incom'", "Did you mean 'income'?"]),
        ((), {"by": "Race"}, ["--sensitive names 'Race'", "Did you mean 'race'?"]),
        ((), {"by": "race,xyz"}, ["'xyz'", "There are 'age', 'hours', 'job'"]),
        ((), {"by": "race,,sex"}, ["names separated by commas"]),
        (("--cross",), {}, ["--cross needs several"]),
        (("--mutable", "hour"), {}, ["--mutable names 'hour'", "Did you mean 'hours'?"]),
        (
            ("--immutable", "income"),
            {},
            ["--immutable names 'income', which the model does not take"],
        ),
        (("--mutable", "age", "--immutable", "job"), {}, ["not allowed with argument"]),
        (("--mutable", "age", "--certify"), {}, ["--certify is not for --mutable behind"]),
        (("--features", "age"), {}, ["--features is for models that know no column names"]),
        (("--classes", "a,b"), {}, ["--classes is for weights"]),
        (("--fail-if", "vf > 1"), {}, ["Did you mean 'v_f'?"]),
        (("--tau-max", "0"), {}, ["above 0"]),
        (("--max-rows", "0"), {}, ["at least 1"]),
        (("--seed", "-1"), {}, ["at least 0"]),
        (("--html", "none/audit.html"), {}, ["there is no folder none"]),
        (("--html", "."), {}, ["is a folder"]),
        (("--encoding", "klingon"), {}, ["there is no encoding 'klingon'"]),
    ],
)
def test_options_that_do_not_fit(refused, words, options, parts):
    text = refused("logistic.skops", "people.csv", *words, **options)
    for part in parts:
        assert part in text


@pytest.mark.parametrize("place", ["model", "data"])
def test_files_that_cannot_be_read(refused, tmp_path, place):
    def given(path):
        return (path, "people.csv") if place == "model" else ("logistic.skops", path)

    assert "No such file" in refused(*given(tmp_path / "none"))
    assert "is a folder" in refused(*given(tmp_path))
    closed = tmp_path / "closed"
    closed.write_text("age\n1\n")
    closed.chmod(0)
    if os.access(closed, os.R_OK):
        pytest.skip("run as root, who may read every file")
    assert "Permission denied" in refused(*given(closed))


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
        (b"age,race\n1,a,x\n2,b,y\n", "table.csv", ["is not a CSV file", "Length of header"]),
        (b"PK\x03\x04rest", "table.csv", ["zip archive", "Excel"]),
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
    assert "column 'age' holds 'old', and the model takes numbers" in text
    people.drop(columns="hours").to_csv(tmp_path / "narrow.csv", index=False)
    assert "names 'hours', which is not a column" in refused("plain.skops", tmp_path / "narrow.csv")


def test_a_category_that_the_encoder_has_not_seen(refused, written, people):
    rows = np.arange(len(people))
    pilots = written(job=np.where(rows == 5, "pilot", people["job"]))
    for options in ((), ("--mutable", "job")):
        assert "pilot" in refused("logistic.skops", pilots, *options)


def test_5000_groups(refused, tmp_path):
    rows = np.arange(6000)
    frame = pd.DataFrame({"age": rows % 60, "hours": rows % 50, "zip": rows % 5000})
    frame.assign(income=np.where(rows % 2, "low", "high")).to_csv(tmp_path / "zip.csv", index=False)
    text = refused("plain.skops", tmp_path / "zip.csv", by="zip")
    assert "--sensitive zip has 5,000 groups in 6,000 rows" in text


def test_a_model_without_names(refused):
    text = refused("bare.skops", "people.csv")
    assert "takes 2 columns and got 5: 'age', 'hours', 'job', 'race', 'sex'" in text
    assert "--features" in text
    assert "Did you mean 'hours'?" in refused("bare.skops", "people.csv", "--features", "age,hour")
    text = refused("bare.skops", "people.csv", "--features", "age,job")
    assert "column 'job' holds" in text


def test_a_full_disk_leaves_the_old_report(shell_audit, tmp_path):
    report = tmp_path / "audit.html"
    report.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        code, out, err = shell_audit("plain.skops", "people.csv", "--quiet", "--html", str(report))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, out) == (2, "")
    assert err == (
        f"robfair: the report {report} could not be written: File too large. If there was one, it "
        "is as it was.\n"
    )
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
