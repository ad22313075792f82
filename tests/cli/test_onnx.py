"""ONNX graphs as labels: by their label, or by the greatest of their scores."""

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair.cli._onnx import load_onnx

pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")


@pytest.fixture
def numbers(people):
    return people[["age", "hours"]].to_numpy(dtype=float)


def graph(model, X, **options):
    return skl2onnx.to_onnx(model, X[:1], **options).SerializeToString()


def test_labels_of_text_and_of_numbers(people, numbers):
    for y in (people["income"], (people["income"] == "high").astype(int)):
        model = LogisticRegression().fit(numbers, y)
        read = load_onnx(graph(model, numbers, options={"zipmap": False}))
        np.testing.assert_array_equal(read.predict(numbers), model.predict(numbers))
        assert read.n_features_in_ == 2
        assert not hasattr(read, "classes_")
    labels = np.array(["low", "high"])
    np.testing.assert_array_equal(
        read.with_classes(labels).predict(numbers), labels[model.predict(numbers)]
    )
    model = LogisticRegression().fit(numbers, y + 1)
    read = load_onnx(graph(model, numbers, options={"zipmap": False})).with_classes(labels)
    with pytest.raises(ValueError, match="the model predicts 2, and --classes names its labels 0"):
        read.predict(numbers)


def test_a_column_for_each_input(people):
    types = skl2onnx.common.data_types
    encode = make_column_transformer(
        (StandardScaler(), ["age", "hours"]), (OneHotEncoder(), ["job"])
    )
    model = make_pipeline(encode, LogisticRegression()).fit(people, people["income"])
    kinds = [("age", types.Int64TensorType([None, 1])), ("hours", types.Int64TensorType([None, 1])),
             ("job", types.StringTensorType([None, 1]))]  # fmt: skip
    read = load_onnx(skl2onnx.to_onnx(model, initial_types=kinds).SerializeToString())
    assert read.feature_names_in_.tolist() == ["age", "hours", "job"]
    assert read.categories == {"job": None}
    X = people[["age", "hours", "job"]]
    np.testing.assert_array_equal(read.predict(X), model.predict(people))
    with pytest.raises(ValueError, match="'age' takes whole numbers only"):
        read.predict(X.assign(age=X["age"] + 0.5))


def test_what_is_no_classifier(people, numbers):
    model = LinearRegression().fit(numbers, people["age"])
    with pytest.raises(ValueError, match="none of its outputs"):
        load_onnx(graph(model, numbers))


def test_from_the_shell(shell_audit, people, numbers, tmp_path):
    model = LogisticRegression().fit(numbers, people["income"])
    (tmp_path / "model.onnx").write_bytes(graph(model, numbers, options={"zipmap": False}))
    code, out, err = shell_audit(
        tmp_path / "model.onnx", "people.csv", "--features", "age,hours", "--max-rows", "40",
        "--quiet",
    )  # fmt: skip
    assert not err
    assert code == 0
    assert "distance: decision" in out
