"""Bad input: exit code 2, one line that says what was wrong, nothing on stdout."""

import os
import resource

import numpy as np
import pytest


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
        (("--fail-if", "gap.low > 1"), {}, ["'gap.low > 1' needs", "add --certify"]),
        (("--tau-max", "0"), {}, ["above 0"]),
        (("--max-rows", "0"), {}, ["at least 1"]),
        (("--jobs", "0"), {}, ["--jobs", "at least 1"]),
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


def test_a_category_that_the_encoder_has_not_seen(refused, written, people):
    rows = np.arange(len(people))
    pilots = written(job=np.where(rows == 5, "pilot", people["job"]))
    for options in ((), ("--mutable", "job")):
        assert "pilot" in refused("logistic.skops", pilots, *options)


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
