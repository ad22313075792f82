"""Files and options turned into the arguments of `robfair.audit`; all bad input is refused here."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._default_threat import default_threat_model
from robfair._frame_threat import frame_threat_model
from robfair._text import did_you_mean
from robfair._warnings import warn
from robfair.cli._csv import CsvForm
from robfair.cli._data import (
    bad_number,
    check_column,
    read_groups,
    read_table,
    read_target,
    sample_rows,
)
from robfair.cli._encoders import (
    check_categories,
    check_seen,
    find_categories,
    missing_cells,
)
from robfair.cli._errors import BadInput, one_line
from robfair.cli._large import Large, open_large
from robfair.cli._loaded import Loaded, check_labels, load, name_classes, told
from robfair.threat import ThreatModel

__all__ = ["Task", "prepare"]


@dataclass(frozen=True)
class Task:
    """The arguments of one or several audits."""

    model: Any
    X: Any  # a DataFrame if the model knows columns, else an array
    y: NDArray[Any]
    partitions: dict[str, Any]  # the groups of each audit, by its title
    control: Any  # what groups are compared within; None: the target
    favorable: Any  # the label that people want, if one was named
    threat_model: ThreatModel
    table: pd.DataFrame  # X, or a sample of it, with the columns' names and rows in the file
    columns: pd.DataFrame  # all but the target, where subgroups are looked for
    missing: dict[str, int]  # rows with missing values, by feature
    source: str  # the file and the rows that were taken, for people
    background: Any = None  # rows that searches start from; None: X


def prepare(arguments: argparse.Namespace) -> Task:
    """Read the files and check them against each other.

    Raises BadInput if files and options do not fit together.
    """
    loaded = load(arguments)
    sensitive = list(dict.fromkeys(arguments.sensitive))  # each once, in their order
    control = list(dict.fromkeys(arguments.control or []))
    large = open_large(arguments)
    frame, whole, named = _read(arguments, loaded, large, sensitive, control)
    # What the model does not tell about labels is told by how they are written.
    target = read_target(named if loaded.classes is None else whole, arguments.target)
    if arguments.classes is not None or (loaded.classes is None and loaded.knows_text):
        target = target.astype(str)  # as the labels are in --classes, or in a graph
    check_labels(target, loaded, arguments)
    loaded, named_classes = name_classes(loaded, target, arguments)
    if arguments.cross and len(sensitive) < 2:
        raise BadInput("--cross needs several --sensitive columns.")
    combinations = [[name] for name in sensitive] + ([sensitive] if arguments.cross else [])
    groups = {" x ".join(names): read_groups(named, names) for names in combinations}
    within = read_groups(named, control, "--control", least=1) if control else None
    features = _features(frame, loaded, arguments)
    table, shown, facts = frame[features], named[sensitive], None
    if large is not None:
        table, at, facts = large.sample(features)
        shown = shown.iloc[at]
    _check_cells(table, loaded)
    if loaded.file is not None:
        table = loaded.file.frame(table)
    threat_model = _threat_model(table, shown, loaded, arguments)
    rows = sample_rows(len(whole), arguments.max_rows, arguments.seed)
    source = f"{len(whole):,} rows of {arguments.data}"
    if len(rows) < len(whole):
        source = f"{len(rows):,} of {source}, drawn at random with seed {arguments.seed}"
    X, background = _rows(table, large, loaded, rows)
    if large is None:
        table = table.iloc[rows]
        searched = frame.drop(columns=arguments.target).iloc[rows].reset_index(drop=True)
    else:
        searched = large.searched(rows)
    missing = table.isna().sum() if facts is None else pd.Series(facts.missing, dtype=int)
    return Task(
        loaded.model,
        X,
        target.to_numpy()[rows],
        {title: _taken(chosen, rows) for title, chosen in groups.items()},
        None if within is None else _taken(within, rows),
        _favorable(arguments.favorable, target),
        threat_model,
        table,
        searched,
        {str(name): int(n) for name, n in missing[missing > 0].items()},
        source + named_classes,
        background,
    )


def _read(
    arguments: argparse.Namespace,
    loaded: Loaded,
    large: Large | None,
    sensitive: list[str],
    control: list[str],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return all columns, the named ones of all rows, and these as names of groups.

    Of a large file the first has a few rows. Raises BadInput if a column does not exist.
    """
    names = [*sensitive, *control, arguments.target]
    if large is None:
        frame, named = read_table(
            arguments.data,
            CsvForm(arguments.encoding, arguments.sep),
            text=lambda columns: _text_columns(columns, loaded, arguments),
            names=names,
        )
        whole = frame
    else:
        frame = large.first
        whole, named = large.columns(names)
    for option, columns in (
        ("--target", [arguments.target]), ("--sensitive", sensitive), ("--control", control),
    ):  # fmt: skip
        for name in columns:
            check_column(frame, name, option)
    return frame, whole, named


def _rows(
    table: pd.DataFrame, large: Large | None, loaded: Loaded, rows: NDArray[np.intp]
) -> tuple[Any, Any]:
    """Return the rows of an audit as the model takes them, and a background for large files."""
    if large is None:
        taken = table.iloc[rows].reset_index(drop=True)
        return taken if loaded.columns is not None else taken.to_numpy(), None
    every = large.rows(table, loaded)
    if len(rows) < len(every):
        return every.read(rows), None
    return every, large.background(every)


def _taken(groups: pd.DataFrame, rows: NDArray[np.intp]) -> Any:
    # A single column as Series: its groups are then not tuples.
    return groups.iloc[rows].reset_index(drop=True).squeeze(axis="columns")


def _text_columns(
    columns: list[str], loaded: Loaded, arguments: argparse.Namespace
) -> dict[str, Collection[str]]:
    """Return the columns that the model takes as text, with the cells that are missing values."""
    taken = loaded.columns or arguments.features or [c for c in columns if c != arguments.target]
    text: dict[str, Collection[str]] = {**missing_cells(find_categories(loaded.model, taken))}
    if loaded.file is not None:  # text of which nothing is missing
        text |= {name: set() for name, known in loaded.file.categories.items() if known is None}
    if loaded.knows_text:  # or "01" would be read as a number
        text[arguments.target] = {""} - set(loaded.labels)
    return text


def _check_cells(table: pd.DataFrame, loaded: Loaded) -> None:
    """Raise BadInput if a cell is not of the kind that the model takes."""
    known = find_categories(loaded.model, list(table.columns))
    check_categories(table, known)
    if loaded.pipeline is not None:
        return  # which may encode text in ways of its own
    if loaded.file is not None:
        check_seen(table, known)
        for name, values in loaded.file.taken_for_unseen(table).items():
            warn(
                f"column {name!r} holds {told(map(str, values))}, and the model treats that like a "
                "category which it has never seen.",
                UserWarning,
            )
        table = table.drop(columns=list(loaded.file.categories), errors="ignore")
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name].dtype):
            raise BadInput(bad_number(table[name]))


def _favorable(name: str | None, target: pd.Series[Any]) -> Any:
    """Find the label that is written so; raises BadInput if there is none."""
    if name is None:
        return None
    labels = {str(label): label for label in target.unique().tolist()}
    if name not in labels:
        raise BadInput(
            f"--favorable names {name!r}, which is not a label of --target. "
            f"{did_you_mean(name, labels)}"
        )
    return labels[name]


def _features(frame: pd.DataFrame, loaded: Loaded, arguments: argparse.Namespace) -> list[str]:
    """Return the columns that the model takes, in its order."""
    if loaded.columns is not None:
        if arguments.features is not None:
            raise BadInput(
                "--features is for models that know no column names; this one takes "
                f"{told(loaded.columns)}."
            )
        for name in loaded.columns:
            check_column(frame, name, "the model")
        features = loaded.columns
    elif arguments.features is not None:
        for name in arguments.features:
            check_column(frame, name, "--features")
        features = arguments.features
    else:
        features = [name for name in frame.columns if name != arguments.target]
    if loaded.n_features not in (None, len(features)):
        raise BadInput(
            f"the model takes {loaded.n_features} columns and got {len(features)}: "
            f"{told(features)}. Name those it takes, in order, by --features."
        )
    return list(features)


def _threat_model(
    table: pd.DataFrame, sensitive: pd.DataFrame, loaded: Loaded, arguments: argparse.Namespace
) -> ThreatModel:
    norm = float(arguments.norm)
    option = "--immutable" if arguments.mutable is None else "--mutable"
    named = arguments.immutable if arguments.mutable is None else arguments.mutable
    if arguments.space == "features":
        if named is not None and loaded.pipeline is not None:
            raise BadInput(
                f"--space features changes what enters the last step of the Pipeline, and {option} "
                "names columns: leave out one of them."
            )
        if loaded.file is not None and loaded.file.categories:
            raise BadInput(
                "--space features is for models that take numbers, and this one takes categories "
                f"in {told(loaded.file.categories)}: leave it out."
            )
        if named is None:
            return ThreatModel(norm=norm)
    if named is None:
        if loaded.columns is None:
            return ThreatModel(norm=norm)
        with _bad_input():
            return default_threat_model(
                loaded.model, table, norm=norm, sensitive_features=sensitive
            )
    for name in named:
        if name not in table.columns:
            raise BadInput(
                f"{option} names {name!r}, which the model does not take. "
                f"{did_you_mean(name, table.columns)}"
            )
    if loaded.pipeline is None:
        made = _of_columns(table, loaded, arguments, option)
        if made is not None:
            return made
        moves = table.columns.isin(named) == (option == "--mutable")
        # As the network takes a sample.
        return ThreatModel(norm=norm, mutable=moves.reshape(loaded.shape or -1))
    if arguments.certify:
        raise BadInput(
            f"--certify is not for {option} behind the transformers of a Pipeline: nothing is "
            "certified where columns move as integers and categories."
        )
    if loaded.columns is None:
        raise BadInput(
            f"{option} needs a Pipeline that was fitted on a DataFrame: this one knows no column "
            "names."
        )
    with _bad_input(f"{option}: "):
        return ThreatModel.from_transformer(
            loaded.pipeline[:-1],
            table,
            mutable=arguments.mutable,
            sensitive_features=arguments.immutable or (),
            norm=norm,
        )


def _of_columns(
    table: pd.DataFrame, loaded: Loaded, arguments: argparse.Namespace, option: str
) -> ThreatModel | None:
    """Make the threat model of a table that the model takes as it is; None for real numbers."""
    if arguments.space == "features" or loaded.columns is None:
        return None
    with _bad_input(f"{option}: "):
        return frame_threat_model(
            loaded.model,
            table,
            norm=float(arguments.norm),
            mutable=arguments.mutable,
            sensitive_features=arguments.immutable or (),
        )


@contextmanager
def _bad_input(prefix: str = "") -> Iterator[None]:
    """Turn what the library says of a table into a line."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise BadInput(prefix + one_line(error)) from error
