"""Files of other libraries that hold a model: told by their content, and read by these libraries.

None of them runs code from the file: trees and graphs are data. A pickle is none of them.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robfair.cli._boosters import NotAuditable, load_catboost, load_lightgbm, load_xgboost
from robfair.cli._errors import BadInput, one_line
from robfair.cli._onnx import load_onnx

__all__ = ["SUFFIXES", "read_foreign"]


@dataclass(frozen=True)
class Format:
    """A kind of file: how it begins, and which package reads it."""

    title: str
    package: str  # on PyPI, and to import
    suffixes: tuple[str, ...]
    begins: re.Pattern[bytes]
    load: Callable[[bytes], Any]  # raises NotAuditable for what is not a classifier


FORMATS = (
    Format(
        "an XGBoost model", "xgboost", (".json", ".ubj"),
        re.compile(rb'\s*\{\s*"(learner|version)"\s*:|\{L.{8}(learner|version)', re.DOTALL),
        load_xgboost,
    ),
    Format(
        "a LightGBM model", "lightgbm", (".txt",),
        re.compile(rb"tree\r?\nversion=v\d"), load_lightgbm,
    ),
    Format("a CatBoost model", "catboost", (".cbm",), re.compile(rb"CBM1"), load_catboost),
    # Field 1 of the message is the version of the format, and what follows it is another field.
    Format(
        "an ONNX model", "onnxruntime", (".onnx",),
        re.compile(rb"\x08[\x01-\x7f][\x12\x1a\x22\x28\x32\x3a\x42]"), load_onnx,
    ),
)  # fmt: skip
SUFFIXES = {suffix: form for form in FORMATS for suffix in form.suffixes}
# What these libraries also write, and cannot read back.
OTHER_FILES = {
    rb"\s*\[\s*\{\s*\"nodeid\"": "a dump of XGBoost's trees for people: save the model itself, by "
    "save_model('model.ubj')",
    rb"booster\[0\]": "a dump of XGBoost's trees for people: save the model itself, by "
    "save_model('model.ubj')",
    rb"binf|bs64": "in XGBoost's old binary format: load it with the XGBoost that wrote it, and "
    "save it by save_model('model.ubj')",
    rb"\s*\{\s*\"name\"\s*:\s*\"tree\"": "a dump of LightGBM's trees: save the model itself, by "
    "booster_.save_model('model.txt')",
    rb"\s*\{\s*\"(ctr_data|features_info|float_features)": "CatBoost's JSON, which holds not all "
    "of the model: save it by save_model('model.cbm')",
}


def read_foreign(path: Path, data: bytes) -> Any:
    """Return the classifier in a file of another library; None if it is another file.

    Raises BadInput if the file is damaged, holds something else than its name says, or what it
    holds is not a classifier; ImportError if the library is not installed.
    """
    for begins, kind in OTHER_FILES.items():
        if re.match(begins, data):
            raise BadInput(f"{path} is {kind}.")
    found = next((form for form in FORMATS if form.begins.match(data)), None)
    named = SUFFIXES.get(path.suffix.lower())
    if found is None:
        return None
    if named is not found and (named is not None or path.suffix.lower() in (".skops", ".pkl")):
        raise BadInput(
            f"{path} holds {found.title}, and its name says something else: rename it to "
            f"{path.with_suffix(found.suffixes[0]).name}."
        )
    try:
        library = importlib.import_module(found.package)
    except ImportError as error:
        raise ImportError(
            f"reading {found.title} needs {found.package}: pip install {found.package}"
        ) from error
    try:
        _try_elsewhere(found, data)
        return found.load(data)
    except NotAuditable as error:
        raise BadInput(f"{path} cannot be audited: {one_line(error)}") from error
    # Whatever the library makes of a file that somebody has damaged or forged.
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise BadInput(
            f"{path} cannot be read by {found.package} {library.__version__} ({reason}). It is "
            "damaged, or was written by another version."
        ) from error


def _try_elsewhere(form: Format, data: bytes) -> None:
    """Read a file in another process; raises RuntimeError if that dies of it.

    XGBoost and LightGBM crash on some damaged files, which no exception tells.
    """
    load = form.load
    code = f"import sys; from {load.__module__} import {load.__name__} as load; "
    child = subprocess.run(
        [sys.executable, "-c", f"{code} load(sys.stdin.buffer.read())"],
        input=data,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # an exception comes again, here
        check=False,
    )
    if child.returncode < 0:
        raise RuntimeError(f"it ends the process by signal {-child.returncode}")
