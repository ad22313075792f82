"""The demo on a part of the data: files, tables, and the command that comes next."""

import shlex
import warnings

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import clone

from robfair.cli import main
from robfair.demo._demo import audit_command, run_demo
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics import AUDIT_MEASURES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    output = tmp_path_factory.mktemp("demo") / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CensoredDistanceWarning)  # so few rows, so few epochs
        return output, run_demo(output, epochs=2, n_train=1500, n_test=2000, verbose=0)


def test_tables_have_what_the_science_asks_for(demo):
    _, results = demo
    assert set(results) == {"race", "sex"}
    for partition, comparison in results.items():
        trained = [f"{name} by {partition}" for name in ("FARMUR", "EvenMargin")]
        assert list(comparison.audits) == ["natural", "TRADES", *trained]
        assert list(comparison.overall.columns) == [m.symbol for m in AUDIT_MEASURES]
        assert np.isfinite(comparison.overall.to_numpy(dtype=float)).all()
        groups = comparison.by_group
        assert (groups.groupby(level="model")["size"].sum() == 2000).all()
        assert (groups["lower"] <= groups["robustness"]).all()


def test_files_are_written(demo):
    output, results = demo
    names = {path.name for path in output.iterdir()}
    assert names == {
        "race-overall.csv", "race-groups.csv", "race-labels.csv", "race-curves.png",
        "sex-overall.csv", "sex-groups.csv", "sex-labels.csv", "sex-curves.png",
        "natural.skops", "trades.skops", "farmur-by-race.skops", "farmur-by-sex.skops",
        "evenmargin-by-race.skops", "evenmargin-by-sex.skops", "test-rows.csv",
    }  # fmt: skip
    back = pd.read_csv(output / "race-overall.csv", index_col="model")
    pd.testing.assert_frame_equal(
        back, results["race"].overall.astype(float), check_names=False, check_dtype=False
    )
    assert (output / "race-curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_saved_model_predicts_from_raw_columns(demo):
    output, results = demo
    path = output / "farmur-by-race.skops"
    saved = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    rows = pd.read_csv(output / "test-rows.csv")
    right = saved.predict(rows) == rows["income"]
    expected = results["race"].audits["FARMUR by race"].overall.loc["accuracy", "value"]
    assert right.mean() == expected
    assert clone(saved[-1]).get_params()["eps"] == 0.1


def test_the_command_that_the_demo_prints_works(demo, capsys):
    output, _ = demo
    command = shlex.split(audit_command(output))
    assert command[0] == "robfair"
    command[command.index("--max-rows") + 1] = "50"
    assert main([*command[1:], "--quiet"]) == 0
    assert "groups by race" in capsys.readouterr().out
    assert (output / "farmur-by-race.html").read_text(encoding="utf-8").startswith("<!DOCTYPE")
