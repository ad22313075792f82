"""The paths of reports, checked before an audit starts."""

import importlib.util
from pathlib import Path

import pytest

from robfair.cli._errors import BadInput
from robfair.cli._report import check_reports, write_report


def test_one_audit_has_the_path_itself_and_several_are_named(tmp_path):
    path = tmp_path / "a.html"
    assert check_reports(None, ["race"]) == {}
    assert check_reports(path, ["race"]) == {"race": path}
    assert check_reports(path, ["race", "race x sex"]) == {
        "race": tmp_path / "a-race.html",
        "race x sex": tmp_path / "a-race-x-sex.html",
    }


@pytest.mark.parametrize(
    ("name", "titles", "message"),
    [
        ("none/a.html", ["race"], "there is no folder"),
        (".", ["race"], "is a folder; give the name of a file"),
        ("a.html", ["a b", "a-b"], "the reports by a b and by a-b would have the same name"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused(tmp_path, name, titles, message):
    with pytest.raises(BadInput, match=message):
        check_reports(tmp_path / name, titles)


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_what_a_report_needs_is_named(monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    with pytest.raises(ImportError, match=rf'the report needs {missing}: pip install "robfair'):
        check_reports(Path("a.html"), ["race"])


def test_a_failed_write_is_bad_input(tmp_path):
    class Full:
        def to_html(self, path):
            raise OSError(28, "No space left")

    with pytest.raises(BadInput, match="could not be written: No space left"):
        write_report(Full(), tmp_path / "a.html")
