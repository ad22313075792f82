"""Evaluation mode for a while, also if several threads measure the same module."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from torch import nn

from robfair._isolation import surely
from robfair._warnings import warn

__all__ = ["evaluation_mode"]


@dataclass
class _Part:
    """A submodule in evaluation mode."""

    module: nn.Module
    training: bool  # before the first block
    blocks: set[object] = field(default_factory=set)  # that have not been left


# By id. A submodule may be shared by modules that are measured at the same time.
_parts: dict[int, _Part] = {}
_lock = threading.RLock()  # never held during a pass


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and set the flag of each submodule back at the end.

    Where blocks of several threads overlap, the last one that holds a submodule sets its flag back.
    If each did, one would put the module into training mode while another measures it.

    Parameters
    ----------
    module : torch.nn.Module
        The module.

    Yields
    ------
    None

    Warns
    -----
    UserWarning
        If a submodule was put into training mode meanwhile, by other code than this.
    """
    block = object()
    submodules = list(module.modules())
    try:
        with _lock:
            for each in submodules:
                part = _parts.setdefault(id(each), _Part(each, each.training))
                part.blocks.add(block)
            if any(each.training for each in submodules):
                with suppress(NotImplementedError):  # torch.export: the mode is in the program
                    module.eval()
            still = [each for each in submodules if not each.training]
        yield
        _warn_of_training([each for each in still if each.training])
    finally:
        surely(lambda: _leave(block, submodules))


def _leave(block: object, submodules: list[nn.Module]) -> None:
    with _lock:
        found = [_parts[id(each)] for each in submodules if id(each) in _parts]
        held = [part for part in found if block in part.blocks]
        try:
            for part in held:
                # A module that does more than set flags, such as merge weights, undoes it.
                last = part.blocks == {block}
                if last and part.training and type(part.module).train is not nn.Module.train:
                    part.module.train()
        finally:
            # Per submodule: a user may have frozen some of them in evaluation mode.
            for part in held:
                part.module.training = part.training and part.blocks == {block}
            for part in held:
                part.blocks.discard(block)
                if not part.blocks:
                    del _parts[id(part.module)]


def _warn_of_training(switched: list[nn.Module]) -> None:
    if switched:
        names = ", ".join(sorted({type(each).__name__ for each in switched}))
        warn(
            f"{names} was put into training mode while the module was measured, by its own pass or "
            "by another thread: results may be those of a module that is being trained. Call "
            "train() only before or after.",
            UserWarning,
        )
