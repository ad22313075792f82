"""Nested dicts of tensors, arrays and plain values in one safetensors file; no pickle anywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from robfair._files import replacing
from robfair.exceptions import ResultsError

__all__ = ["CHECKSUM", "DamagedFileError", "checksum", "read_tree", "storing", "write_tree"]

STRUCTURE = "structure"  # in the metadata: JSON, with a reference for each tensor
CHECKSUM = "sha256"  # of all that is read: safetensors does not notice a changed byte


class DamagedFileError(ResultsError):
    """A file of results that cannot be read, with the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is damaged, or not a checkpoint ({reason}). Delete it to begin anew, or name "
            "another one."
        )


def write_tree(path: Path, tree: Any) -> None:
    """Write dicts, lists and tuples of tensors, arrays and plain values to a file in one go.

    Raises TypeError if there is anything else, or a key that is neither a string nor an integer.
    """
    tensors: dict[str, torch.Tensor] = {}
    structure = json.dumps(_take_apart(tree, tensors))
    metadata = {STRUCTURE: structure, CHECKSUM: checksum(structure, tensors)}
    with storing(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)  # `save` would copy all of them, twice


def checksum(structure: str, tensors: dict[str, torch.Tensor]) -> str:
    """Return a SHA-256 of contiguous tensors on the CPU, and of the text beside them."""
    digest = hashlib.sha256(structure.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        # What the file says of the bytes is as easily damaged as they are.
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)  # numpy has no bfloat16
    return digest.hexdigest()


@contextmanager
def storing(path: Path) -> Iterator[Path]:
    """Yield a path for safetensors to write to, as `replacing`; what it raises is an OSError."""
    try:
        # It writes another file first, beside the one it is given, which a kill would leave behind.
        with replacing(path) as temporary, TemporaryDirectory() as folder:
            yield Path(folder) / "file"
            shutil.copyfile(Path(folder) / "file", temporary)
    except SafetensorError as error:  # such as a full disk
        raise OSError(f"{path} could not be written: {error}") from error


def read_tree(path: Path) -> Any:
    """Read a tree that `write_tree` has written; its tensors are on the CPU.

    Raises DamagedFileError if the file is damaged, or holds something else.
    """
    try:
        return _read(path)
    except (PermissionError, MemoryError):  # which say nothing about the file
        raise
    except ValueError as error:
        raise DamagedFileError(path, str(error)) from error
    except Exception as error:  # of a changed byte anything can come out
        raise DamagedFileError(path, f"{type(error).__name__}: {error}") from error


def _read(path: Path) -> Any:
    if not path.is_file():  # opening a pipe would wait for ever
        raise ValueError("it is a folder, a device or a pipe")
    if path.stat().st_size == 0:
        raise ValueError("it is empty")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if not {STRUCTURE, CHECKSUM} <= metadata.keys():
            raise ValueError("it holds something else")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata[CHECKSUM] != checksum(metadata[STRUCTURE], tensors):
        raise ValueError("its content does not have the SHA-256 that it names")
    return _put_together(json.loads(metadata[STRUCTURE]), tensors)


def _take_apart(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Return a JSON value; a value that JSON lacks becomes a pair of its kind and its content."""
    if isinstance(node, np.generic):
        node = node.item()
    if node is None or isinstance(node, bool | int | float | str):
        return node
    name = str(len(tensors))
    if isinstance(node, np.ndarray):
        tensors[name] = torch.as_tensor(
            node if _is_alone(node, tensors) else np.array(node, order="C")
        )
        return ["array", name]
    # Copies: safetensors refuses tensors that share memory.
    if isinstance(node, torch.Tensor):
        tensors[name] = node.detach().cpu().contiguous().clone()
        return ["tensor", name]
    if isinstance(node, dict):
        if not all(isinstance(key, str | int) for key in node):
            raise TypeError(f"keys must be strings or integers; got {list(node)}.")
        # Pairs, since JSON would turn the key 1 into "1".
        return ["dict", [[key, _take_apart(value, tensors)] for key, value in node.items()]]
    if isinstance(node, list | tuple):
        kind = "list" if isinstance(node, list) else "tuple"
        return [kind, [_take_apart(value, tensors) for value in node]]
    raise TypeError(
        f"a checkpoint holds tensors, arrays, numbers, strings, dicts and lists; got {node!r}."
    )


def _is_alone(array: NDArray[Any], tensors: dict[str, torch.Tensor]) -> bool:
    """Tell whether an array can be written as it is: large ones should not be copied."""
    flags = array.flags
    return (
        flags.owndata
        and flags.writeable  # else torch warns
        and flags.c_contiguous
        and all(tensor.data_ptr() != array.ctypes.data for tensor in tensors.values())
    )


def _put_together(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(node, list):
        return node
    kind, content = node
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return tensors[content].numpy()
    if kind == "dict":
        return {key: _put_together(value, tensors) for key, value in content}
    values = [_put_together(value, tensors) for value in content]
    return values if kind == "list" else tuple(values)
