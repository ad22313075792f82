"""ONNX from the bytes of a file, run by onnxruntime on the CPU, as a classifier of labels."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair.cli._boosters import FileModel, NotAuditable

__all__ = ["load_onnx"]

# Of inputs, with what numpy calls them.
TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)")
LABELS = ("tensor(int64)", "tensor(int32)", "tensor(string)", "tensor(bool)")


class OnnxFile(FileModel):
    """A classifier as an ONNX graph."""

    output = ""  # the name of the one that is read
    is_label = True

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict labels."""
        found = np.asarray(_session(self.content).run([self.output], self._feed(X))[0])
        if self.is_label:
            labels = found.reshape(len(X))
            return self._named(labels) if hasattr(self, "classes_") else labels
        return self.classes_[found.argmax(axis=1)]  # type: ignore[no-any-return]

    def _named(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return the names of labels 0, 1, 2 ...; raises ValueError if there are others."""
        strange = labels[(labels < 0) | (labels >= len(self.classes_))]
        if len(strange):
            raise ValueError(
                f"the model predicts {strange[0]}, and --classes names its labels 0 to "
                f"{len(self.classes_) - 1} only."
            )
        return self.classes_[labels.astype(np.intp)]

    def _feed(self, X: Any) -> dict[str, Any]:
        inputs = _session(self.content).get_inputs()
        if len(inputs) == 1:
            return {inputs[0].name: _cast(X, inputs[0])}
        # Each as its own array: a table of numbers and text would become one of objects.
        named = isinstance(X, pd.DataFrame)
        columns = [X.iloc[:, j] if named else X[:, j] for j in range(X.shape[1])]
        return {
            each.name: _cast(np.asarray(column).reshape(-1, 1), each)
            for each, column in zip(inputs, columns, strict=True)
        }


def _cast(X: Any, into: Any) -> NDArray[Any]:
    """Return an array of the type of an input; raises ValueError where that would change it."""
    dtype = np.dtype(TYPES[into.type])
    values = np.asarray(X)
    if dtype.kind == "O":
        return values.astype(str).astype(object)
    cast = values.astype(dtype)
    if dtype.kind in "ib" and (cast != values).any():
        raise ValueError(f"the input {into.name!r} takes whole numbers only ({into.type}).")
    return cast


@functools.lru_cache(maxsize=2)
def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it says goes to the exceptions
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def load_onnx(content: bytes) -> FileModel:
    """Read a classifier from an ONNX graph; raises NotAuditable if it is none."""
    session = _session(content)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    for each in inputs:
        if each.type not in TYPES:
            raise NotAuditable(f"its input {each.name!r} is a {each.type}, which no table holds.")
    model = OnnxFile(content)
    if len(inputs) == 1:
        width = inputs[0].shape[1] if len(inputs[0].shape) == 2 else None
        if len(inputs[0].shape) != 2:
            raise NotAuditable(f"it takes samples of shape {inputs[0].shape[1:]}, not rows.")
        model.n_features_in_ = width if isinstance(width, int) else None
    else:  # a column each, as for a DataFrame
        model._know([each.name for each in inputs], len(inputs))
    text = [each.name for each in inputs if each.type == "tensor(string)" and len(inputs) > 1]
    model.categories = dict.fromkeys(text)
    labels = [each for each in outputs if each.type in LABELS and _width(each) == 1]
    scores = [each for each in outputs if each.type in FLOATS and _width(each) > 1]
    if labels:
        model.output, model.says_text = labels[0].name, labels[0].type == "tensor(string)"
        model.names_classes, model.takes_classes = True, not model.says_text
    elif scores:  # of a network, by the greatest
        model.output, model.is_label = scores[0].name, False
        model.classes_ = np.arange(_width(scores[0]))
    else:
        told = ", ".join(f"{each.name}: {each.type} of shape {each.shape}" for each in outputs)
        raise NotAuditable(
            f"none of its outputs ({told}) is a label, nor a score for each class: only a "
            "classifier has a decision boundary."
        )
    return model


def _width(output: Any) -> int:
    """Return how many values an output has for each sample; 0 where the graph does not say."""
    shape = output.shape
    if len(shape) == 1:
        return 1
    return shape[1] if len(shape) == 2 and isinstance(shape[1], int) else 0
