"""Files that are there whole or not at all, whatever ends the program that writes them."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

__all__ = ["check_target", "replacing"]

DAY = 86_400  # seconds; no write takes longer
LONGEST = 160  # bytes of a name, which a temporary file beside it extends by 95; 255 are allowed

# Names of temporary files that threads of this process are writing.
_in_use: set[str] = set()


def check_target(path: str | PathLike[str]) -> None:
    """Raise OSError, with advice, if a file could not be written: looked at before long work."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it.")
    for folder in (path.parent, Path(os.path.realpath(path)).parent):  # of a link, and its target
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}: make it, or name another.")
    # Renaming would replace a write-protected file, too.
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if _is_replaced(path) and not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """Yield the path of a new file that takes the place of `path`, unless there is an error.

    A link stays, and the file it leads to is replaced, with its permissions kept. A device, a pipe
    and the standard output are written into, not replaced. Raises OSError, with an old file as it
    was, if the file cannot be written.
    """
    path = Path(path)
    check_target(path)
    if not _is_replaced(path):
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / path.name
            yield temporary
            _write_into(path, temporary)
        return
    target = Path(os.path.realpath(path))
    _remove_litter(target)
    # Not by mkstemp, whose files nobody else may read.
    temporary = target.with_name(f"{_prefix(target)}{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    _in_use.add(temporary.name)
    try:
        yield temporary
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        _sync(temporary)
        os.replace(temporary, target)  # atomic, since both are in one folder
        _sync(target.parent)
    except OSError as error:
        if error.filename == str(temporary):  # a name that the user never gave
            error.filename, error.filename2 = str(path), None
        raise
    finally:  # after Ctrl-C too
        temporary.unlink(missing_ok=True)
        _in_use.discard(temporary.name)


def _is_replaced(path: Path) -> bool:
    """Return whether a new file may take the place of what `path` leads to."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return True
    return stat.S_ISREG(found.st_mode) and _stream(found) is None


def _stream(found: os.stat_result) -> int | None:
    """Return the descriptor of standard output or error if that is where a file leads.

    It may be a regular file, by ``> FILE``. A new one in its place would lose what is printed.
    """
    for descriptor in (1, 2):
        with suppress(OSError):  # it may be closed
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def _write_into(path: Path, source: Path) -> None:
    """Write a file into a device, a pipe or a stream."""
    descriptor = _stream(os.stat(path))
    sys.stdout.flush()  # in the order in which it was written
    # The stream's own descriptor knows the place to go on at.
    out = os.open(path, os.O_WRONLY) if descriptor is None else os.dup(descriptor)
    with source.open("rb") as content, open(out, "wb") as stream:
        shutil.copyfileobj(content, stream)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot
            raise
    finally:
        os.close(descriptor)


def _prefix(target: Path) -> str:
    """Return the beginning of the names of temporary files of a target, up to the process."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    host = re.sub(r"\W", "", platform.node())[:60]
    return f".{name}.{host}-"


def _remove_litter(target: Path) -> None:
    """Remove what earlier writes of a target that were killed have left."""
    own = _prefix(target)
    # Of other machines that share the folder, too.
    pattern = re.compile(re.escape(own.rpartition(".")[0]) + r"\.\w*-(\d+)-[0-9a-f]{8}\.tmp")
    # A folder may be open for writing and not for reading.
    with suppress(PermissionError), os.scandir(target.parent) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            if match is None or entry.name in _in_use:
                continue
            with suppress(OSError):  # another process may have removed it
                ended = entry.name.startswith(own) and not _is_alive(int(match[1]))
                if ended or time.time() - entry.stat().st_mtime > DAY:
                    os.unlink(entry.path)


def _is_alive(process: int) -> bool:
    """Return whether another process of this machine is running."""
    if process == os.getpid():  # of an earlier one of the same number, as containers have
        return False
    if os.name != "posix":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
