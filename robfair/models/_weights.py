"""Weights of a module as a file without code or pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch import nn

from robfair._tensorfile import CHECKSUM, checksum, storing
from robfair.exceptions import ResultsError

__all__ = ["load_weights", "save_weights"]


def save_weights(module: nn.Module, path: Any) -> None:
    """Save the weights of a module as safetensors, which any framework can read.

    Parameters
    ----------
    module : torch.nn.Module
        The module; of a fitted classifier of robfair it is `module_`.
    path : path-like
        The file. It is replaced in one step, so a failed write leaves the old one. A SHA-256 of
        the weights stands in its metadata.

    Raises
    ------
    OSError
        If the file cannot be written.

    See Also
    --------
    load_weights : Loads them again.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from robfair.models import load_weights, save_weights, tabular_network
    >>> with TemporaryDirectory() as folder:
    ...     save_weights(tabular_network(3, 2), f"{folder}/weights.safetensors")
    ...     module = load_weights(tabular_network(3, 2), f"{folder}/weights.safetensors")
    """
    with storing(Path(path)) as temporary:
        save_model(module, str(temporary), metadata={CHECKSUM: _checksum(module)})


def load_weights(module: nn.Module, path: Any) -> nn.Module:
    """Load weights saved by `save_weights` into a module of the same architecture.

    Parameters
    ----------
    module : torch.nn.Module
        The module, changed in place.
    path : path-like
        The file.

    Returns
    -------
    torch.nn.Module
        The module itself.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ResultsError
        If the file is damaged, or of another architecture or type of numbers; the module may then
        have some of its weights. A changed weight shows by the checksum of `save_weights`, which
        files of other programs lack.

    See Also
    --------
    save_weights : Saves them.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from robfair.models import load_weights, save_weights, tabular_network
    >>> with TemporaryDirectory() as folder:
    ...     save_weights(tabular_network(3, 2), f"{folder}/weights.safetensors")
    ...     module = load_weights(tabular_network(3, 2), f"{folder}/weights.safetensors")
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.")
    try:
        metadata, dtypes = _header(path)
        for name, tensor in module.state_dict().items():
            if dtypes.get(name, tensor.dtype) != tensor.dtype:  # torch would round in silence
                raise ValueError(f"{name} is of {dtypes[name]} there, and of {tensor.dtype} here.")
        load_model(module, path)
        if metadata.get(CHECKSUM) not in (None, _checksum(module)):
            raise ValueError("it is damaged: its checksum differs.")
    # Of torch, RuntimeError, if names or shapes differ.
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise ResultsError(
            f"{path} does not hold the weights of this {type(module).__name__}: {error}"
        ) from error
    return module


def _header(path: Path) -> tuple[dict[str, str], dict[str, torch.dtype]]:
    """Return the metadata of a file, and the types of its tensors by name."""
    with safe_open(path, framework="pt") as file:
        dtypes = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
        return file.metadata() or {}, dtypes


def _checksum(module: nn.Module) -> str:
    weights = module.state_dict()
    return checksum("", {name: tensor.cpu().contiguous() for name, tensor in weights.items()})
