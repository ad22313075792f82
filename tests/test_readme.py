"""The code of README.md runs, and what it names exists."""

import re

from pages import ROOT, make_targets_missing, run_blocks

README = ROOT / "README.md"


def test_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # what a block writes goes away with the test
    assert run_blocks(README), "README.md shows no Python"


def test_links_to_files_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", README.read_text(encoding="utf-8"))
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_make_targets_that_are_named_exist():
    assert make_targets_missing(README.read_text(encoding="utf-8")) == []
