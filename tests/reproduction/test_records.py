"""Runs as files: what is written is read back, and nothing of another recipe is mixed in."""

import json

import numpy as np
import pandas as pd
import pytest

from robfair.exceptions import ResultsError
from robfair.reproduction._records import Run, read_runs, recipe_hash

RECIPE = {"max_epochs": 2, "eps_grid": (1.0, 2.0)}


def make_run(seed=0):
    return Run("adult", "small", seed)


def test_measures_come_back_as_rows(tmp_path):
    for seed in (2, 0):
        run = make_run(seed)
        run.add("paper", "paper", "standard", "accuracy", 0.5 + seed / 10)
        run.add("paper", "paper", "robust", "success", pd.Series({"a": 0.25, "b": np.nan}), eps=2)
        run.write(tmp_path)
    measures, runs = read_runs(tmp_path, "adult", "small")
    assert [r["seed"] for r in runs] == [0, 2]
    assert measures["seed"].tolist() == [0, 0, 0, 2, 2, 2]
    np.testing.assert_array_equal(measures["value"], [0.5, 0.25, np.nan, 0.7, 0.25, np.nan])
    assert measures["group"].isna().tolist()[:3] == [True, False, False]
    assert measures["group"].tolist()[1:3] == ["a", "b"]
    assert measures.loc[1, "eps"] == 2
    assert not list(tmp_path.glob("*.partial"))
    json.loads((tmp_path / "adult-small-seed0.json").read_text(), parse_constant=pytest.fail)


def test_other_scales_and_data_sets_are_not_read(tmp_path):
    make_run().write(tmp_path)
    Run("adult", "full", 0, {}).write(tmp_path)
    _, runs = read_runs(tmp_path, "adult", "small")
    assert [r["scale"] for r in runs] == ["small"]


def test_a_run_goes_on_where_it_stopped(tmp_path):
    run = make_run()
    run.resume(tmp_path)  # nothing there
    assert not run.has("paper", RECIPE)
    run.add("paper", "paper", "standard", "accuracy", 0.5)
    run.seconds["paper"], run.recipes["paper"] = 3.0, RECIPE
    run.write(tmp_path)
    later = make_run()
    later.resume(tmp_path)
    assert later.parts == run.parts
    assert later.seconds == {"paper": 3.0}
    assert later.has("paper", RECIPE)
    assert not later.has("honest", RECIPE)


def test_another_recipe_is_refused_and_named(tmp_path):
    run = make_run()
    run.add("paper", "paper", "standard", "accuracy", 0.5)
    run.recipes["paper"] = RECIPE
    with pytest.raises(ResultsError, match=r"another recipe.*: max_epochs \(2, now 3\)"):
        run.has("paper", RECIPE | {"max_epochs": 3})
    with pytest.raises(ResultsError, match=r"differs in: width \(.*, now 3\)"):
        run.has("paper", RECIPE | {"width": 3})
    assert run.has("paper", RECIPE | {"an_option_of_later": False, "another": None})
    with pytest.raises(ResultsError, match=r"an_option_of_later \(None, now True\)"):
        run.has("paper", RECIPE | {"an_option_of_later": True})
    with pytest.raises(ResultsError, match=r"count \(None, now 0\)"):
        run.has("paper", RECIPE | {"count": 0})
    assert recipe_hash({"a": {"b": 1, "c": 2}}) == recipe_hash({"a": {"c": 2, "b": 1}})


@pytest.mark.parametrize(("text", "message"), [("{", "damaged"), ('{"seed": 0}', "lacks")])
def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path, text, message):
    make_run().path(tmp_path).write_text(text)
    with pytest.raises(ResultsError, match=f"{message}.*delete it"):
        make_run().resume(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    run = make_run()
    run.write(tmp_path)
    before = run.path(tmp_path).read_text()
    run.add("paper", "paper", "standard", "accuracy", 0.5)
    monkeypatch.setattr("json.dumps", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        run.write(tmp_path)
    assert run.path(tmp_path).read_text() == before
