"""Files of other libraries: told by content, refused where the name says something else."""

import sys

import numpy as np
import pytest

from robfair.cli._errors import BadInput
from robfair.cli._formats import read_foreign

DUMP = b'[\n  { "nodeid": 0, "depth": 0, "split": "f0", "split_condition": 0.5 }]'
XGBOOST = b'{"learner":{"attributes":{}},"version":[3,2,0]}'
LIGHTGBM = b"tree\nversion=v4\nnum_class=1\nobjective=binary\n"


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("m.cbm", XGBOOST, "holds an XGBoost model, and its name says something else: rename it"),
        ("m.skops", LIGHTGBM, "holds a LightGBM model"),
        ("m.json", b"CBM1" + bytes(40), "holds a CatBoost model"),
        ("m.txt", b"\x08\x0a\x12\x08skl2onnx", "holds an ONNX model"),
        ("m.json", DUMP, "a dump of XGBoost's trees for people"),
        ("m.txt", b"booster[0]:\n0:[f0<1] yes=1", "a dump of XGBoost's trees for people"),
        ("m.model", b"binf" + bytes(40), "XGBoost's old binary format"),
        ("m.json", b'{"name":"tree","version":"v4"}', "a dump of LightGBM's trees"),
        ("m.json", b'{\n "features_info": {}}', "CatBoost's JSON"),
    ],
)
def test_what_is_refused_by_its_first_bytes(tmp_path, name, content, part):
    with pytest.raises(BadInput) as error:
        read_foreign(tmp_path / name, content)
    assert part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"age,hours\n1,2\n", b"\x80\x04.", b"{}"])
def test_other_files_are_left_to_others(tmp_path, content):
    assert read_foreign(tmp_path / "m.skops", content) is None


def test_a_name_that_promises_a_booster(refused, tmp_path):
    (tmp_path / "m.cbm").write_bytes(b"<html>")
    text = refused(tmp_path / "m.cbm", "people.csv")
    assert "is not a CatBoost model, as its name says" in text


@pytest.mark.parametrize(
    ("package", "content"),
    [("xgboost", XGBOOST), ("lightgbm", LIGHTGBM), ("catboost", b"CBM1"),
     ("onnxruntime", b"\x08\x0a\x12\x08skl2onnx")],
)  # fmt: skip
def test_a_library_that_is_missing_is_named_as_pip_names_it(
    refused, tmp_path, monkeypatch, package, content
):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "model").write_bytes(content)
    assert f"needs {package}: pip install {package}" in refused(tmp_path / "model", "people.csv")


@pytest.mark.slow
def test_a_file_of_xgboost_that_is_cut_off(refused, people, tmp_path):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=2, enable_categorical=True)
    X = people[["age", "hours", "job"]].astype({"job": "category"})
    model.fit(X, people["income"] == "high").save_model(tmp_path / "m.ubj")
    text = refused(tmp_path / "m.ubj", "people.csv", "--space", "features")
    assert "--space features is for models that take numbers, and this one takes" in text
    (tmp_path / "m.ubj").write_bytes((tmp_path / "m.ubj").read_bytes()[:-300])
    text = refused(tmp_path / "m.ubj", "people.csv")
    assert "cannot be read by xgboost" in text
    assert "Stack trace" not in text


@pytest.mark.slow
def test_a_damaged_file_that_crashes_its_library(refused, tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    X = np.arange(120.0).reshape(60, 2)
    data = lightgbm.Dataset(X, (X[:, 0] > 60).astype(int), params={"verbose": -1})
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 3)
    content = booster.model_to_string().encode()
    (tmp_path / "m.txt").write_bytes(content.replace(b"num_leaves=", b"num_leaves=9999", 1))
    assert "ends the process by signal" in refused(tmp_path / "m.txt", "people.csv")
