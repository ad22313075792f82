"""The guide's lines for trackers of experiments, each run where the tracker is installed."""

import re

import pytest

from pages import ROOT


@pytest.fixture
def run_lines(tmp_path, monkeypatch):
    """Run the guide's audit and the lines of a tracker, in an empty folder; return their names."""
    monkeypatch.chdir(tmp_path)

    def run(tracker, more=""):
        page = (ROOT / "docs" / "guide" / "tools.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```py(?:thon)?\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        (lines,) = (block for block in blocks if block.startswith(f"import {tracker}\n"))
        namespace = {}
        for block in (blocks[0], lines + more):
            exec(block, namespace)
        return namespace

    return run


@pytest.mark.slow
def test_mlflow_keeps_the_numbers_and_the_report(run_lines, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    mlflow = pytest.importorskip("mlflow")
    lines = run_lines("mlflow")
    kept, result = mlflow.get_run(lines["run"].info.run_id).data, lines["result"]
    assert kept.metrics == pytest.approx(result.as_dict(), nan_ok=True)
    assert kept.tags["verdict"] == result.verdict()
    (report,) = tmp_path.joinpath("mlruns").rglob("audit.html")
    assert report.read_bytes() == tmp_path.joinpath("audit.html").read_bytes()


@pytest.mark.slow
def test_weights_and_biases_keeps_the_numbers_and_the_report(run_lines, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    pytest.importorskip("wandb")
    lines = run_lines("wandb", "    kept = dict(run.summary)\n")  # as long as the run is open
    kept, result = lines["kept"], lines["result"]
    numbers = result.as_dict()
    assert {name: kept[name] for name in numbers} == pytest.approx(numbers, nan_ok=True)
    assert kept["verdict"] == result.verdict()
    (report,) = tmp_path.joinpath("wandb").rglob("report*.html")
    assert report.read_bytes() == tmp_path.joinpath("audit.html").read_bytes()
