"""A model from a file that runs no code: skops, safetensors with a named architecture, and others.

The others are those of boosters and ONNX, which `robfair.cli._formats` reads.
"""

from __future__ import annotations

import io
import math
import shlex
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robfair import models
from robfair._text import few
from robfair.adapters import LogitModel, as_model
from robfair.cli._errors import BadInput, one_line
from robfair.cli._formats import SUFFIXES, read_foreign
from robfair.cli._inputs import read_file

__all__ = ["load_model", "load_network"]

# Robfair's own types, which are loaded without --trust. skops makes an object of such a type
# without its constructor and hands the saved state to it, so what counts is what these types do
# with a state that somebody has forged. ThreatModel only keeps it, and auditing never looks at the
# one that a classifier was trained with. A classifier makes a network of it: by default a chain of
# Linear and ReLU that must agree with arrays in the file, else by calling `module` from the file,
# which is a function or class and so not loaded unless it, too, is trusted by name.
OWN_TYPES = (
    "robfair.estimators._adversarial.AdversarialClassifier",
    "robfair.estimators._even_margin.EvenMarginClassifier",
    "robfair.estimators._farmur.FarmurClassifier",
    "robfair.estimators._natural.NaturalClassifier",
    "robfair.threat._model.ThreatModel",
)
ZIP = b"PK\x03\x04"
# First bytes of a pickle (protocol 2 to 5), and of what joblib compresses one with.
PICKLES = {b"\x80": "a pickle", b"\x78": "a compressed pickle (joblib)", b"\x1f\x8b": "gzip",
           b"BZh": "bzip2", b"\xfd7z": "xz", b"\x5d\x00": "lzma"}  # fmt: skip
NO_PICKLE = (
    "and is refused: reading a pickle runs any code that is in it. If you trust it, load it as "
    "before and save it by skops.io.dump(model, 'model.skops')"
)


def load_model(path: Path, trust: list[str]) -> Any:
    """Load a fitted classifier from the file of a booster, of ONNX, or of skops.

    In a skops file the types of `trust` may be, too. Raises BadInput if the file is of another
    kind, is damaged, or holds something else, and ImportError if its library is not installed.
    """
    data = read_file(path)
    model = read_foreign(path, data)
    if model is None:
        return _load_skops(path, data, trust)
    if trust:
        raise BadInput("--trust is for skops files, and this is another one.")
    return model


def _load_skops(path: Path, data: bytes, trust: list[str]) -> Any:
    _check_kind(path, data)
    try:
        import skops.io
    except ImportError as error:
        raise ImportError('reading a model needs skops: pip install "robfair[cli]"') from error

    trusted = [*OWN_TYPES, *trust]
    try:
        unknown = [t for t in skops.io.get_untrusted_types(data=data) if t not in trusted]
        if not unknown:
            model = skops.io.loads(data, trusted=trusted)
    # Whatever skops, or a type, makes of a file that somebody has damaged or forged.
    except Exception as error:
        raise BadInput(
            f"{path} cannot be read by skops ({type(error).__name__}: {one_line(error)}). It is "
            "damaged, or was written with other versions of its libraries."
        ) from error
    if unknown:
        flags = " ".join(f"--trust {shlex.quote(name)}" for name in unknown)
        raise BadInput(
            f"{path} holds types that skops does not know to be safe:\n"
            + "".join(f"  {name}\n" for name in unknown)
            + f"If you made the file, or trust who did, add: {flags}"
        )
    try:
        as_model(model)  # a skops file can hold any object
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"{path} does not hold a classifier that can be audited: {one_line(error)}"
        ) from error
    return model


def _check_kind(path: Path, data: bytes) -> None:
    """Raise BadInput, with advice, unless the first bytes are those of a skops file."""
    if _is_safetensors(data):
        raise BadInput(
            f"{path} holds weights only: name the network by --architecture "
            f"{{{','.join(ARCHITECTURES)}}}."
        )
    if data.startswith(ZIP):
        names = _members(path, data)
        if "schema.json" in names:
            return
        if any(name.endswith("data.pkl") for name in names):
            raise BadInput(
                f"{path} was written by torch.save, {NO_PICKLE}; a torch.nn.Module of "
                "robfair.models by robfair.models.save_weights(module, 'model.safetensors')."
            )
        raise BadInput(f"{path} is a zip archive, but not one that skops has written.")
    for start, kind in PICKLES.items():
        if data.startswith(start):
            raise BadInput(f"{path} is {kind}, {NO_PICKLE}.")
    named = SUFFIXES.get(path.suffix.lower())
    if named is not None:
        raise BadInput(f"{path} is not {named.title}, as its name says: it begins otherwise.")
    raise BadInput(
        f"{path} is neither a skops file (skops.io.dump(model, 'model.skops')) nor safetensors, "
        "nor a model of XGBoost, LightGBM, CatBoost or ONNX."
    )


def _members(path: Path, data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except zipfile.BadZipFile as error:
        raise BadInput(f"{path} is damaged or cut off: {one_line(error)}.") from error


def _is_safetensors(data: bytes) -> bool:
    """Return whether the file starts with the length of a header and its first brace."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data)


@dataclass(frozen=True)
class Architecture:
    """Rules to make the network that fits given weights."""

    # From the shapes of the dense layers' weights, in their order: the module, a sample's shape.
    make: Callable[[list[tuple[int, ...]]], Any]
    shape: Callable[[list[tuple[int, ...]]], tuple[int, ...]]


def _utkface_size(dense: list[tuple[int, ...]]) -> int:
    """Return the size of the images: of those that fit the weights, the multiple of 4."""
    return 4 * math.isqrt(dense[0][1] // 64) + 4


ARCHITECTURES = {
    "tabular": Architecture(
        lambda dense: models.tabular_network(dense[0][1], dense[-1][0], [d[0] for d in dense[:-1]]),
        lambda dense: (dense[0][1],),
    ),
    "adult": Architecture(
        lambda dense: models.adult_network(dense[0][1], dense[-1][0], dense[0][0]),
        lambda dense: (dense[0][1],),
    ),
    "lenet5": Architecture(lambda dense: models.lenet5(dense[-1][0]), lambda dense: (1, 28, 28)),
    "alexnet": Architecture(lambda dense: models.alexnet(dense[-1][0]), lambda dense: (1, 28, 28)),
    "cifar": Architecture(lambda dense: models.cifar_network(), lambda dense: (3, 32, 32)),
    "resnet18": Architecture(
        lambda dense: models.resnet18(dense[-1][0]), lambda dense: (3, 32, 32)
    ),
    "utkface": Architecture(
        lambda dense: models.utkface_network(dense[-1][0], image_size=_utkface_size(dense)),
        lambda dense: (3, _utkface_size(dense), _utkface_size(dense)),
    ),
}


@dataclass(frozen=True)
class Reshape:
    """Turns rows of a table into images; a class so that its content can be hashed."""

    shape: tuple[int, ...]

    def __call__(self, X: Any) -> NDArray[np.float32]:
        """Reshape rows."""
        return np.asarray(X, dtype=np.float32).reshape(len(X), *self.shape)


def load_network(
    path: Path, architecture: str, classes: list[str] | None
) -> tuple[LogitModel, tuple[int, ...]]:
    """Load a network of robfair.models from a safetensors file, and the shape of a sample.

    `architecture` is a key of `ARCHITECTURES`; `classes` labels the outputs (None: 0, 1, 2 ...).
    Raises BadInput if the file does not hold such weights, or `classes` has another length.
    """
    if not _is_safetensors(read_file(path)):
        raise BadInput(f"{path} is not a safetensors file, which --architecture needs.")
    shapes = _read_shapes(path)
    empty = [name for name, shape in shapes.items() if 0 in shape]
    if empty:  # whose other sizes nothing in the file bounds
        raise BadInput(f"{path} is damaged: {few(empty, 3, repr)} holds no values.")
    # Only dense layers have matrices.
    dense = [shapes[name] for name in sorted(shapes, key=_place) if len(shapes[name]) == 2]
    if not dense:
        raise BadInput(f"{path} does not hold weights of a dense layer.")
    kind = ARCHITECTURES[architecture]
    try:
        # A file of a few bytes can name sizes that no memory holds.
        with torch.device("meta"):
            _check_shapes(shapes, kind.make(dense))
        module = models.load_weights(kind.make(dense), path)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise BadInput(f"--architecture {architecture} does not fit: {one_line(error)}") from error
    n_classes = max(dense[-1][0], 2)  # one output is the logit of the second of two classes
    if classes is not None and len(classes) != n_classes:
        raise BadInput(f"--classes names {len(classes)} labels, and the network has {n_classes}.")
    shape = kind.shape(dense)
    return (
        LogitModel(
            module.requires_grad_(False),  # attacks need gradients by the inputs only
            classes=np.arange(n_classes) if classes is None else np.array(classes),
            transform=Reshape(shape),
        ),
        shape,
    )


def _read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors in a safetensors file, which are not read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise BadInput(f"{path} is damaged or cut off: {one_line(error)}.") from error


def _check_shapes(shapes: dict[str, tuple[int, ...]], module: Any) -> None:
    """Raise ValueError unless these are the names and shapes of a module's weights."""
    expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    for name in sorted(shapes.keys() | expected, key=_place):
        if shapes.get(name) != expected.get(name):
            raise ValueError(
                f"{name!r} is {shapes.get(name, 'not')} in the file, and "
                f"{expected.get(name, 'not')} in the network."
            )


def _place(name: str) -> list[tuple[int, str]]:
    """Sort layers by their numbers: 10 comes after 9."""
    return [(len(part) if part.isdecimal() else -1, part) for part in name.split(".")]
