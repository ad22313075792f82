"""MODEL as an audit takes it: the labels and the columns that it knows."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from robfair._text import few
from robfair.cli._boosters import FileModel
from robfair.cli._errors import BadInput
from robfair.cli._model import load_model, load_network

__all__ = ["Loaded", "check_labels", "load", "name_classes", "told"]


@dataclass(frozen=True)
class Loaded:
    """A model for `robfair.audit`, with the labels and columns that it knows."""

    model: Any
    classes: NDArray[Any] | None  # None where the model does not name them
    columns: list[str] | None = None  # it was fitted on, in their order
    n_features: int | None = None
    shape: tuple[int, ...] | None = None  # of a sample, where a network takes images

    @property
    def labels(self) -> list[Any]:
        """The labels that it knows."""
        return [] if self.classes is None else self.classes.tolist()

    @property
    def pipeline(self) -> Pipeline | None:
        """The Pipeline, if there is one with transformers before its last step."""
        inner = getattr(self.model, "best_estimator_", self.model)  # of a search
        return inner if isinstance(inner, Pipeline) and len(inner.steps) > 1 else None

    @property
    def file(self) -> FileModel | None:
        """The model, if it is from the file of a booster or of ONNX."""
        return self.model if isinstance(self.model, FileModel) else None

    @property
    def knows_text(self) -> bool:
        """True if its labels are strings."""
        if self.file is not None and self.file.says_text:
            return True
        return bool(self.labels) and all(isinstance(label, str) for label in self.labels)


def load(arguments: argparse.Namespace) -> Loaded:
    """Read MODEL; raises BadInput if the options do not fit to it."""
    if arguments.architecture is not None:
        if arguments.trust:
            raise BadInput("--trust is for skops files, and --architecture for weights.")
        net, shape = load_network(arguments.model, arguments.architecture, arguments.classes)
        return Loaded(net, net.classes, n_features=prod(shape), shape=shape)
    model: Any = load_model(arguments.model, arguments.trust)
    columns = getattr(model, "feature_names_in_", None)
    classes = getattr(model, "classes_", None)
    if isinstance(model, FileModel) and not model.names_classes and arguments.classes is None:
        classes = None  # those of the target, later
    elif arguments.classes is not None:
        model = _relabel(model, arguments.classes)
        classes = model.classes_
    return Loaded(
        model,
        None if classes is None else np.asarray(classes),
        None if columns is None else [str(name) for name in columns],
        getattr(model, "n_features_in_", None),
    )


def _relabel(model: Any, labels: list[str]) -> FileModel:
    """Give a model from a file the labels of --classes; raises BadInput if that does not fit."""
    if not isinstance(model, FileModel) or not model.takes_classes:
        raise BadInput(
            "--classes is for weights with --architecture, and for files that hold no labels but "
            "0, 1, 2 ...; this classifier knows its own."
        )
    n_classes = len(getattr(model, "classes_", labels))
    if len(labels) != n_classes:
        raise BadInput(f"--classes names {len(labels)} labels, and the model has {n_classes}.")
    return model.with_classes(np.array(labels))


def check_labels(target: pd.Series[Any], loaded: Loaded, arguments: argparse.Namespace) -> None:
    """Raise BadInput if the target holds labels that the model does not know."""
    if loaded.classes is None:
        return
    known = set(loaded.labels)
    unknown = [label for label in target.unique().tolist() if label not in known]
    if not unknown:
        return
    if arguments.architecture is not None and arguments.classes is None:
        raise BadInput(
            f"--target {arguments.target!r} holds {told(map(str, target.unique()))}, and the "
            f"weights do not say which of the {len(known)} outputs is which: name them in order "
            "by --classes."
        )
    raise BadInput(
        f"--target {arguments.target!r} holds labels that the model does not know: "
        f"{told(unknown)}. Its classes are {told(loaded.labels)}."
    )


def name_classes(
    loaded: Loaded, target: pd.Series[Any], arguments: argparse.Namespace
) -> tuple[Loaded, str]:
    """Give a booster that knows 0, 1, 2 ... the labels of the target, and say so.

    Raises BadInput if there are more or fewer of them.
    """
    if loaded.classes is not None or loaded.file is None or loaded.file.names_classes:
        return loaded, ""
    own = loaded.file.classes_
    labels = sorted(target.unique().tolist())
    if set(labels) <= set(own.tolist()):  # the same, or a class that no row has
        return replace(loaded, model=loaded.file.with_classes(own), classes=own), ""
    if len(labels) != len(own):
        raise BadInput(
            f"--target {arguments.target!r} holds {told(labels)}, and the model has {len(own)} "
            "classes without labels: name them in their order by --classes."
        )
    model = loaded.file.with_classes(np.array(labels))
    pairs = ", ".join(f"{code} is {label!r}" for code, label in enumerate(labels))
    others = "--classes names others"
    if len(labels) == 2 and not any("," in str(label) for label in labels):
        others = f"the other way round: --classes '{labels[1]},{labels[0]}'"
    return replace(loaded, model=model, classes=model.classes_), (
        f"; the classes of the model are those of {arguments.target!r} in sorted order: {pairs} "
        f"({others})"
    )


def told(values: Iterable[Any]) -> str:
    """Write values for a message."""
    return few(values, 8, repr)
