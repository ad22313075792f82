"""Large Parquet files: the same numbers in blocks, in bounded memory, and after an interrupt."""

import json
import re
import sys

import pytest

from robfair.auditing import _block_distances, _blocks
from robfair.cli import _large


@pytest.fixture
def blocks(monkeypatch):
    """Read the table of people, of 240 rows, in blocks of 100."""
    monkeypatch.setattr(_large, "LARGE", 200)
    monkeypatch.setattr(_large, "FIRST", 20)
    monkeypatch.setattr(_blocks, "BLOCK", 100)


def numbers(out):
    """The tables of an audit in JSON, with as many digits as the order of sums leaves."""
    audits = json.loads(out, parse_float=lambda text: round(float(text), 9))["audits"]
    kept = ("overall", "by_group", "by_label", "metrics", "examples", "warnings", "discovered")
    return {f"{by} {key}": audit.get(key) for by, audit in audits.items() for key in kept}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("plain.skops", ()),
        ("plain.skops", ("--norm", "inf", "--favorable", "high", "--cross")),
        ("bare.skops", ("--features", "age,hours", "--max-rows", "150")),
        ("logistic.skops", ("--discover",)),
        ("logistic.skops", ("--mutable", "hours,job", "--tau-max", "4")),
    ],
)
def test_the_numbers_are_those_of_one_go(shell_audit, request, model, words):
    words = (model, "people.parquet", *words, "--json", "--quiet")
    by = "race,sex"
    code, whole, err = shell_audit(*words, by=by)
    assert (code, err) == (0, "")
    request.getfixturevalue("blocks")
    code, found, err = shell_audit(*words, by=by)
    assert (code, err) == (0, "")
    assert numbers(found) == numbers(whole)


def test_time_is_told_first_and_an_interrupted_run_goes_on(
    shell_audit, blocks, monkeypatch, tmp_path
):
    words = ("plain.skops", "people.parquet", "--resume", str(tmp_path / "rows"))
    plain = shell_audit("plain.skops", "people.parquet")[1]
    measure, calls = _block_distances.measure_distance, []

    def interrupted(*arguments, **options):
        calls.append(len(arguments[1]))
        if len(calls) == 6:  # three to tell the time, two blocks
            raise KeyboardInterrupt
        return measure(*arguments, **options)

    monkeypatch.setattr(_block_distances, "measure_distance", interrupted)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # else nothing is told
    code, out, err = shell_audit(*words)
    assert (code, out) == (130, "")
    assert re.match(r"robfair: 240 rows in blocks of 100, about \d+ seconds\n", err)
    assert "200 of 240 rows are kept in" in err
    code, out, err = shell_audit(*words)
    assert calls[6:] == [40]
    assert "distance: 200 of 240 rows are done" in err
    assert (code, out) == (0, plain)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("plain.skops", "people.csv", "--resume", "x"), "--resume is for Parquet files"),
        (("plain.skops", "people.parquet", "--resume", "x", "--max-rows", "9"), "leave out --max"),
        (("plain.skops", "people.parquet", "--resume", "people.parquet"), "give another name"),
        (("plain.skops", "people.parquet", "--resume", "x", "--html", "./x"), "give another name"),
        (("plain.skops", "people.parquet", "--sep", ";"), "--encoding and --sep are for CSV"),
        (("plain.skops", "people.parquet", "--resume", "none/x"), "there is no folder none"),
        (("plain.skops", "people.parquet", "--resume", "people.csv"), "is damaged"),
    ],
)
def test_files_of_rows_that_do_not_fit(refused, blocks, words, part):
    assert part in refused(*words, "--quiet")


@pytest.mark.slow
def test_a_file_of_another_run(refused, shell_audit, blocks, tmp_path):
    words = ("people.parquet", "--quiet", "--resume", str(tmp_path / "rows"))
    assert shell_audit("plain.skops", *words)[0] == 0
    before = (tmp_path / "rows").read_bytes()
    text = refused("logistic.skops", *words)
    assert "is of another run, which differs in: MODEL." in text
    for option in (("--norm", "inf"), ("--space", "features"), ("--method", "linear")):
        text = refused("plain.skops", *words, *option)
        assert f"differs in: {option[0]}" in text
    assert shell_audit("plain.skops", *words, "--tau-max", "9", "--no-rows", "--jobs", "2")[0] == 0
    assert (tmp_path / "rows").read_bytes() == before


def test_bad_input_of_a_large_file(refused, blocks, people, tmp_path):
    path = tmp_path / "t.parquet"
    people.assign(job="pilot").to_parquet(path)
    assert "pilot" in refused("logistic.skops", path, "--quiet")
    people.assign(hours=people["hours"].astype(str).where(people.index != 230, "?")).to_parquet(
        path
    )
    assert "holds '?' in row 231" in refused("plain.skops", path, "--quiet")
    people.assign(job=people["job"].where(people.index != 230, " nurse")).to_parquet(path)
    assert "holds ' nurse', first in row 231" in refused("logistic.skops", path, "--quiet")
    people[:0].to_parquet(path)
    words = ("--quiet", "--resume", str(tmp_path / "rows"))
    assert "columns and no rows" in refused("plain.skops", path, *words)
    people.assign(age=people["age"].where(people.index != 230)).to_parquet(path)
    assert "missing values in 'age' (1 rows)" in refused("plain.skops", path, "--quiet")
    people.drop(columns="hours").to_parquet(path)
    assert "'hours', which is not a column" in refused("plain.skops", path, "--quiet")
    assert "--target names 'incom'" in refused("plain.skops", path, "--quiet", target="incom")
