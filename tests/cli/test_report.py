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
        (".", ["race"], "is a folder: name a file in it"),
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


def test_an_input_is_not_replaced(tmp_path):
    (tmp_path / "data.csv").write_text("a,b")
    (tmp_path / "link").symlink_to(tmp_path / "data.csv")
    for name, taken in (("data.csv", "data.csv"), ("link", "data.csv"), ("new", "../x/new")):
        path = tmp_path / taken.replace("x", tmp_path.name)
        with pytest.raises(BadInput, match="is a file that is read"):
            check_reports(tmp_path / name, ["race"], inputs=[path])


@pytest.mark.slow
def test_a_report_is_written_into_devices_and_behind_links(shell_audit, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "report.html")
    for name in ("/dev/null", tmp_path / "link"):
        words = ("plain.skops", "people.csv", "--quiet", "--html", str(name))
        assert shell_audit(*words)[0] == 0
    assert (tmp_path / "link").is_symlink()
    assert "<html" in (tmp_path / "report.html").read_text()
    code, _, err = shell_audit("plain.skops", "people.csv", "--quiet", "--html", "/dev/full")
    assert (code, err.count("\n")) == (2, 1)
    assert "No space left" in err
