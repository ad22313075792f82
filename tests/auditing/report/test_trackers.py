"""The guide's lines for a tracker of experiments, with MLflow where it is installed."""

import re

import pytest

from pages import ROOT


@pytest.mark.slow
def test_mlflow_keeps_the_numbers_and_the_report(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "guide" / "tools.md").read_text(encoding="utf-8")
    namespace = {}
    for block in re.findall(r"^```py(?:thon)?\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[:2]:
        exec(block, namespace)
    kept, result = mlflow.get_run(namespace["run"].info.run_id).data, namespace["result"]
    assert kept.metrics == pytest.approx(result.as_dict(), nan_ok=True)
    assert kept.tags["verdict"] == result.verdict()
    (report,) = tmp_path.joinpath("mlruns").rglob("audit.html")
    assert report.read_bytes() == tmp_path.joinpath("audit.html").read_bytes()
