"""``robfair history``: what the shell has written, read again."""

import csv
import io
import json

import pytest

from robfair.cli import main
from robfair.metrics import AUDIT_MEASURES


@pytest.fixture
def written(shell_audit, tmp_path):
    """Write the audit of a model as the shell does."""
    _, out, _ = shell_audit("logistic.skops", "people.csv", "--json", "--quiet", "--no-rows")
    path = tmp_path / "audit.json"
    path.write_text(out, encoding="utf-8")
    return path


def test_a_row_per_audit(written, capsys):
    assert main(["history", str(written), str(written)]) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.split()[:4] == ["date", "name", "groups", "rows"]
    assert all(measure.symbol in title for measure in AUDIT_MEASURES)
    overall = json.loads(written.read_text())["audits"]["race"]["overall"]
    gap = "{value:.4g} ({lower:.4g} to {upper:.4g})".format(**overall["gap"])
    assert [gap in row for row in rows] == [True, True]


def test_all_numbers_as_csv(written, capsys):
    assert main(["history", "--csv", str(written)]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    numbers = json.loads(written.read_text())["audits"]["race"]["numbers"]
    assert {key: float(row[key]) for key in numbers} == numbers


@pytest.mark.parametrize("text", ["", "{}", None])
def test_a_file_without_an_audit_is_bad_input(tmp_path, capsys, text):
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert main(["history", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "x.json" in err
