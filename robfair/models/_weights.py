"""Weights of a module as a file without code or pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from robfair._files import replacing
from robfair.exceptions import ResultsError

__all__ = ["load_weights", "save_weights"]


def save_weights(module: nn.Module, path: Any) -> None:
    """Save the weights of a module as safetensors, which any framework can read.

    Parameters
    ----------
    module : torch.nn.Module
        The module; of a fitted classifier of robfair it is `module_`.
    path : path-like
        The file. It is replaced in one step, so a failed write leaves the old one.

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
    with replacing(Path(path)) as temporary:
        save_model(module, str(temporary))


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
        If the file is damaged, or of another architecture; the module may then have some of its
        weights.

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
        load_model(module, path)
    except (SafetensorError, RuntimeError) as error:  # torch's, if names or shapes differ
        raise ResultsError(
            f"{path} does not hold the weights of this {type(module).__name__}: {error}"
        ) from error
    return module
