"""The code of README.md runs, and what it names exists."""

import re
import shlex

import pytest

from pages import ROOT, make_targets_missing, run_blocks
from robfair.cli import main

README = ROOT / "README.md"


@pytest.mark.slow
def test_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # what a block writes goes away with the test
    assert run_blocks(README), "README.md shows no Python"
    # The shell's lines audit the files that the Python has written; the last has a limit.
    text = README.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^robfair (audit .*)", text, re.MULTILINE)
    assert [main(shlex.split(line)) for line in lines] == [0, 1]
    assert {path.name for path in tmp_path.glob("*.html")} >= {"audit-race.html", "audit-sex.html"}


def test_links_to_files_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_make_targets_that_are_named_exist():
    assert make_targets_missing(README.read_text(encoding="utf-8")) == []
