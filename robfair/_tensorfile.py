"""Nested dicts of tensors, arrays and plain values in one safetensors file; no pickle anywhere."""

from __future__ import annotations

import json
import os
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from robfair.exceptions import ResultsError

__all__ = ["DamagedFileError", "read_tree", "replacing", "write_tree"]

# In the metadata of the file: the structure as JSON, with a reference for each tensor, and the
# CRC-32 of the structure and all tensors, since safetensors does not notice a changed byte.
STRUCTURE = "structure"
CHECKSUM = "crc32"


class DamagedFileError(ResultsError):
    """A file of results that cannot be read, with the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is damaged, or not a checkpoint ({reason}). Delete it to begin anew, or name "
            "another one."
        )


def write_tree(path: Path, tree: Any) -> None:
    """Write a tree: the file is there whole, or as it was before.

    Parameters
    ----------
    path : Path
        The file; its folder must exist.
    tree : dict, list, tuple, Tensor, ndarray, None, bool, int, float or str
        What to write, nested at will. Keys of dicts are strings or integers.

    Raises
    ------
    TypeError
        If the tree holds anything else.
    """
    tensors: dict[str, torch.Tensor] = {}
    structure = json.dumps(_take_apart(tree, tensors))
    with replacing(path) as temporary:
        checksum = _checksum(structure, tensors)
        save_file(tensors, temporary, metadata={STRUCTURE: structure, CHECKSUM: checksum})


def _checksum(structure: str, tensors: dict[str, torch.Tensor]) -> str:
    checksum = zlib.crc32(structure.encode())
    for name in sorted(tensors):
        raw = tensors[name].reshape(-1).view(torch.uint8).numpy()
        checksum = zlib.crc32(raw.data, checksum)
    return str(checksum)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a new file that takes the place of `path`, unless there is an error.

    Parameters
    ----------
    path : Path
        The file that is to be there whole, or as it was before.

    Yields
    ------
    Path
        Where to write, in the same folder.
    """
    # Not by mkstemp, whose files nobody else may read.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_tree(path: Path) -> Any:
    """Read a tree that `write_tree` has written.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object
        The tree; its tensors are on the CPU.

    Raises
    ------
    DamagedFileError
        If the file is damaged, or holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        structure = metadata[STRUCTURE]
        if metadata[CHECKSUM] != _checksum(structure, tensors):
            raise ValueError("its checksum differs")
        return _put_together(json.loads(structure), tensors)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise DamagedFileError(path, f"{type(error).__name__}: {error}") from error


def _take_apart(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Return a JSON value; a value that JSON lacks becomes a pair of its kind and its content."""
    if isinstance(node, np.generic):
        node = node.item()
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if isinstance(node, torch.Tensor | np.ndarray):
        name = str(len(tensors))
        # Clones: safetensors refuses tensors that share memory.
        tensors[name] = (
            torch.as_tensor(np.array(node))
            if isinstance(node, np.ndarray)
            else node.detach().cpu().contiguous().clone()
        )
        return ["array" if isinstance(node, np.ndarray) else "tensor", name]
    if isinstance(node, dict):
        if not all(isinstance(key, str | int) for key in node):
            raise TypeError(f"keys must be strings or integers; got {list(node)}.")
        return ["dict", [[key, _take_apart(value, tensors)] for key, value in node.items()]]
    if isinstance(node, list | tuple):
        kind = "list" if isinstance(node, list) else "tuple"
        return [kind, [_take_apart(value, tensors) for value in node]]
    raise TypeError(
        f"a checkpoint holds tensors, arrays, numbers, strings, dicts and lists; got {node!r}."
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
