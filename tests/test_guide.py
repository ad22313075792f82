"""The code of the documentation's pages runs, each page in a namespace of its own."""

import re
import shlex

import matplotlib.pyplot as plt
import pytest

from pages import BLOCK, ROOT, make_targets_missing, run_blocks
from robfair.cli import main

PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
COMMANDS = ROOT / "docs" / "guide" / "command-line.md"
WITH_CODE = [
    path for path in PAGES if path != COMMANDS and BLOCK.search(path.read_text(encoding="utf-8"))
]


def name(path):
    return str(path.relative_to(ROOT / "docs"))


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_CODE, ids=name)
def test_blocks_run(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # what a block writes goes away with the test
    run_blocks(path)
    plt.close("all")


@pytest.mark.slow
def test_commands_run(tmp_path, monkeypatch, capsys):
    """The shell lines of the page on the command line, on the files that its Python writes."""
    monkeypatch.chdir(tmp_path)
    run_blocks(COMMANDS)
    text = COMMANDS.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^robfair (.*)", text, re.MULTILINE)
    # The last is the check in CI, and its limit on the gap is crossed.
    assert [main(shlex.split(line)) for line in lines] == [0, 0, 0, 0, 1]
    assert (tmp_path / "audit.html").stat().st_size > 10_000
    assert "gap" in capsys.readouterr().err


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_make_targets_that_are_named_exist(path):
    assert make_targets_missing(path.read_text(encoding="utf-8")) == []
