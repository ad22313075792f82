"""Files that a command reads: what cannot be one is refused before torch is imported."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from robfair.cli._errors import BadInput

__all__ = ["check_input", "is_same_file", "read_file"]


def check_input(path: Path, *, pipes: bool = False) -> None:
    """Raise BadInput, or OSError if there is none, unless a path is that of a file.

    With `pipes` a pipe may stand for one, which is read once.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)) and not path.exists():
        raise BadInput(f"{path} is an address, and no file: download it first.")
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise BadInput(f"{path} is a folder, not a file.")
    if not (stat.S_ISREG(mode) or (pipes and stat.S_ISFIFO(mode))):  # /dev/zero has no end
        raise BadInput(f"{path} is a device or a pipe, not a file.")


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, which may not be there yet."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def read_file(path: Path, *, pipes: bool = False) -> bytes:
    """Read a whole file; raises as `check_input`."""
    check_input(path, pipes=pipes)
    return path.read_bytes()
