"""Checkpoints: the one file format of runs that are interrupted and go on.

A file holds the content beside a description of the run (see `robfair._fingerprint.describe`), and
is read only by a run of the same description. `fit` keeps a run in one such file, and
`leave_one_out` each refit in a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robfair._fingerprint import differences
from robfair._tensorfile import DamagedFileError, read_tree, write_tree
from robfair.exceptions import ResultsError

__all__ = ["read_checkpoint", "write_checkpoint"]


def write_checkpoint(path: Path, description: Mapping[str, Any], content: Any) -> None:
    """Write a checkpoint: the file is there whole, or as it was before."""
    write_tree(path, {"description": dict(description), "content": content})


def read_checkpoint(path: Path, description: Mapping[str, Any]) -> Any:
    """Read the content of a checkpoint; None if there is no such file.

    Raises DamagedFileError if it is not a checkpoint, ResultsError if it is of another run.
    """
    if not path.exists():
        return None
    tree = read_tree(path)
    if not isinstance(tree, dict) or tree.keys() != {"description", "content"}:
        raise DamagedFileError(path, "it holds something else")
    differ = differences(tree["description"], description)
    if differ:  # never overwritten: the other run may have taken days
        raise ResultsError(
            f"checkpoint {path} is of another run, which differs in: {differ}. Name another one, "
            "or delete this one."
        )
    return tree["content"]
