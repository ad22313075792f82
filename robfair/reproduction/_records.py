"""Results of a recipe as files: what was measured, from which seed, by which versions.

A run is one data set at one scale with one seed. Its measures are rows of a table, so that tables
and figures are drawn from the files, without training anything again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
import torch

from robfair._files import replacing
from robfair._fingerprint import differences
from robfair._version import __version__
from robfair.exceptions import ResultsError

__all__ = ["Run", "read_runs", "recipe_hash"]

COLUMNS = ["protocol", "model", "measure", "eps", "label", "group", "value"]


@dataclass
class Run:
    """Measures of one seed, in parts that can be computed one by one."""

    dataset: str
    scale: str
    seed: int
    # All by part: what its measures depend on, the measures as rows of `COLUMNS`, its duration.
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    # I_P where a part has it: the grid "tau", and for each model the values of each group.
    curves: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)  # date, versions, hardware of the last part

    def add(
        self, part: str, protocol: str, model: str, measure: str, value: Any,
        *, eps: float | None = None, label: Any = None, group: Any = None,
    ) -> None:  # fmt: skip
        """Add a measure to a part; a mapping from groups to numbers adds a row for each."""
        if isinstance(value, Mapping | pd.Series):
            for name, number in value.items():
                self.add(part, protocol, model, measure, number, eps=eps, label=label, group=name)
            return
        row = {
            "protocol": protocol, "model": model, "measure": measure, "eps": eps,
            "label": None if label is None else str(label),
            "group": None if group is None else str(group),
            # JSON has no NaN.
            "value": float(value) if np.isfinite(value) else None,
        }  # fmt: skip
        self.parts.setdefault(part, []).append(
            {name: content for name, content in row.items() if content is not None}
        )

    @property
    def stem(self) -> str:
        """Name of the run, for its file and for folders beside it."""
        return f"{self.dataset}-{self.scale}-seed{self.seed}"

    def path(self, folder: Path) -> Path:
        """File of the run in a folder."""
        return folder / f"{self.stem}.json"

    def write(self, folder: Path) -> None:
        """Write the run in one piece: an interrupted write leaves the old file."""
        self.made = {
            "date": date.today().isoformat(), "robfair": __version__, "torch": torch.__version__,
            "numpy": np.__version__, "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
            "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        contents = asdict(self) | {"recipe_hash": recipe_hash(self.recipes)}
        with replacing(self.path(folder)) as temporary:
            text = json.dumps(contents, separators=(",", ":"))
            temporary.write_text(text + "\n", encoding="utf-8")

    def resume(self, folder: Path) -> None:
        """Take over the parts of an earlier run; raises ResultsError if its file is damaged."""
        if self.path(folder).exists():
            contents = _read(self.path(folder))
            self.recipes, self.parts = contents["recipes"], contents["parts"]
            self.seconds, self.made = contents["seconds"], contents["made"]
            self.curves = contents.get("curves", {})

    def has(self, part: str, recipe: dict[str, Any]) -> bool:
        """Tell whether a part has been measured; raises ResultsError if by another recipe."""
        if part not in self.parts:
            return False
        differ = differences(_switched_on(self.recipes[part]), _switched_on(recipe))
        if differ:
            raise ResultsError(
                f"part {part!r} of {self.path(Path())} is of another recipe, which differs in: "
                f"{differ}. Name another output folder, or delete the file."
            )
        return True


def recipe_hash(recipes: dict[str, dict[str, Any]]) -> str:
    """Hash recipes, to tell at a glance whether two results are of the same."""
    return hashlib.sha256(json.dumps(recipes, sort_keys=True).encode()).hexdigest()[:12]


def _switched_on(recipe: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is off: a recipe from before an option was there is one without it."""
    return {
        name: value for name, value in recipe.items() if value is not None and value is not False
    }


def read_runs(folder: Path, dataset: str, scale: str) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Read all runs of a data set and scale: their measures, and the files in the order of seeds.

    Raises ResultsError if a file is damaged.
    """
    runs = [_read(path) for path in folder.glob(f"{dataset}-{scale}-seed*.json")]
    runs.sort(key=lambda run: run["seed"])  # not by name, where 10 comes before 2
    seeds_and_parts = [(run["seed"], part) for run in runs for part in run["parts"].values()]
    rows = [{"seed": seed, **row} for seed, part in seeds_and_parts for row in part]
    frame = pd.DataFrame(rows, columns=["seed", *COLUMNS])
    # Without a row, or with None alone, pandas would take them for objects.
    return frame.astype({"value": float, "eps": float}), runs


def _read(path: Path) -> dict[str, Any]:
    """Read the file of a run."""
    try:
        contents: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = {"recipes", "parts", "seconds", "seed", "made"} - set(contents)
    except ValueError as error:
        message = f"{path} is damaged ({error}); delete it to run this seed again."
        raise ResultsError(message) from None
    if missing:
        raise ResultsError(f"{path} lacks {sorted(missing)}; delete it to run this seed again.")
    return contents
