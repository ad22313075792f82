"""Large Parquet files as the parts of an audit: whole columns of names, and rows in blocks."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import torch
from numpy.typing import NDArray

from robfair._files import check_target
from robfair._version import __version__
from robfair.auditing import Checkpoint
from robfair.cli._csv import CsvForm
from robfair.cli._data import as_names, check_form
from robfair.cli._errors import BadInput
from robfair.cli._inputs import is_same_file
from robfair.cli._parquet import ColumnFacts, ParquetFile, ParquetRows, hash_file, is_parquet

__all__ = ["Large", "open_large"]

LARGE = 100_000  # rows from where a file is read in blocks
FIRST = 1_000  # rows of the file that every sample of it has, and of a background
# Options on which no distance depends: a run with others may go on from the same file.
ASIDE = {
    "command", "run", "model", "data", "resume", "quiet",  # the contents of files are hashed
    "cross", "control", "favorable", "discover", "tau_max", "eps", "metrics", "trust",
    "html", "fail_if", "json", "no_rows", "jobs",
}  # fmt: skip


@dataclass(frozen=True)
class Large:
    """A Parquet file that is read in blocks, and the options of the command."""

    file: ParquetFile
    arguments: argparse.Namespace

    @cached_property
    def first(self) -> pd.DataFrame:
        """The first rows, with all columns."""
        return self.file.read_rows(np.arange(min(FIRST, self.file.n_rows)), self.file.columns)

    def columns(self, names: Collection[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return whole columns, as they are and as names of groups."""
        whole = self.file.read_columns([name for name in self.file.columns if name in names])
        return whole, as_names(whole)

    def sample(self, features: list[str]) -> tuple[pd.DataFrame, NDArray[np.intp], ColumnFacts]:
        """Return rows with the range, steps and categories of all rows, and their places."""
        facts = self.file.facts(features)
        rows = np.array(sorted(facts.rows | set(range(len(self.first)))), dtype=np.intp)
        table = self.file.read_rows(rows, features)[features]
        table.index = pd.Index(rows)  # for messages
        table.attrs["robfair.std"] = facts.unit  # which those of a sample are not
        return table, rows, facts

    def background(self, rows: ParquetRows) -> Any:
        """Return some rows, for searches that start from others."""
        n, rng = len(rows), np.random.default_rng(self.arguments.seed)
        return rows.read(np.sort(rng.choice(n, min(FIRST, n), replace=False)))

    def rows(self, table: pd.DataFrame, loaded: Any) -> ParquetRows:
        """Return all rows in blocks; `table` is the sample, as the model takes it."""
        kinds = {
            str(name): table[name].dtype
            for name in table
            if isinstance(table[name].dtype, pd.CategoricalDtype)
        }
        found = ParquetRows(self.file, [str(c) for c in table], kinds, loaded.columns is not None)
        if self.arguments.resume is not None:
            found.checkpoint = Checkpoint(self.arguments.resume, self._description())
        return found

    def searched(self, rows: NDArray[np.intp]) -> pd.DataFrame:
        """Return the columns in which --discover looks for subgroups."""
        if not self.arguments.discover:
            return self.first
        names = [name for name in self.file.columns if name != self.arguments.target]
        return self.file.read_rows(rows, names)

    def _description(self) -> dict[str, Any]:
        options = {n: value for n, value in vars(self.arguments).items() if n not in ASIDE}
        return {
            "version of robfair": __version__,
            "version of scikit-learn": sklearn.__version__,
            "version of torch": torch.__version__,
            "version of numpy": np.__version__,
            "MODEL": {"hash": hash_file(self.arguments.model)},
            "DATA": {"hash": hash_file(self.arguments.data)},
            **{f"--{n.replace('_', '-')}": repr(value) for n, value in options.items()},
        }


def open_large(arguments: argparse.Namespace) -> Large | None:
    """Open DATA if it is to be read in blocks: by its size, or for --resume.

    Raises BadInput for a --resume that cannot be.
    """
    resume = arguments.resume
    if not is_parquet(arguments.data):
        if resume is not None:
            raise BadInput("--resume is for Parquet files, which are read in blocks of rows.")
        return None
    check_form(CsvForm(arguments.encoding, arguments.sep))
    file = ParquetFile(arguments.data)
    if resume is None:
        return Large(file, arguments) if file.n_rows > LARGE else None
    if arguments.max_rows is not None:
        raise BadInput("--resume goes through all rows of DATA: leave out --max-rows.")
    check_target(resume)
    if any(is_same_file(resume, path) for path in (arguments.model, arguments.data)):
        raise BadInput(f"--resume {resume} is a file that is read: give another name.")
    return Large(file, arguments)
