"""The report on paper A is drawn from files alone."""

import shutil

import pytest

from papers import with_experiment
from robfair.reproduction import FARMUR, reproduce

pytestmark = pytest.mark.slow

STEM = "digits-tabular-small"
FIGURES = {f"{STEM}-{name}.png" for name in ("curves-paper", "curves-auto", "pareto")}


def test_files(digits):
    output, report = digits
    names = {path.name for path in output.iterdir()}
    assert names == {"results", "weights", "checkpoints", f"{STEM}-report.md", *FIGURES}
    assert (output / f"{STEM}-report.md").read_text(encoding="utf-8") == report
    for place in ("## Table 1", "## Section 6.2", "FARMUR 2+1", "TRADES 3 averaged"):
        assert place in report
    for name in FIGURES:
        assert f"Figure: {name}\n" in report
        assert (output / name).read_bytes().startswith(b"\x89PNG")


def test_it_is_drawn_again_without_data(digits, tmp_path):
    shutil.copytree(digits[0] / "results", tmp_path / "results")
    paper = with_experiment(FARMUR, "digits", load=None)
    assert reproduce(paper, tmp_path, verbose=0) == digits[1]
    assert {path.name for path in tmp_path.glob("*.png")} == FIGURES


def test_two_seeds_are_two_runs_and_one_report(digits, tmp_path):
    shutil.copytree(digits[0] / "results", tmp_path / "results")
    report = reproduce(FARMUR, tmp_path, seeds=[0, 1], verbose=0)
    assert "Seeds 0, 1" in report
    assert "±" in report
    assert "(1 seed)" not in report
