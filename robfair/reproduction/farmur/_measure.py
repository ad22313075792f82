"""Distances, measures and curves of all methods by one method of distances, and PGD accuracy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from robfair._files import replacing
from robfair._isolation import untouched_random_state
from robfair._names import DistanceMethod
from robfair.attacks import attack_success
from robfair.auditing import Audit, audit
from robfair.exceptions import ResultsError
from robfair.metrics import RobustnessCurve, group_robustness_curves, robustness_curve
from robfair.models import load_weights, save_weights
from robfair.reproduction._paper import Task
from robfair.reproduction._records import Run

__all__ = ["DISTANCES", "PGD", "PGD_ACCURACY", "attacked", "chosen_rows", "measure", "save_methods"]

DISTANCES = (
    "paper",
    "auto",
)  # how distances are measured: Eq. 8, and robfair's own search
PGD = "pgd"  # the part of a run, and the protocol of its measures
PGD_ACCURACY, PGD_STEPS = "PGD-20 accuracy", 20
N_TAU = 151  # points of a curve, enough for a figure and few enough for a file

Curves = dict[str, Any]  # of a method: its points by group, and where they end


def save_methods(task: Task, weights: dict[str, dict[str, torch.Tensor]]) -> None:
    """Save the weights of each method."""
    for method, state in weights.items():
        network, path = _new_network(task), _file(task, method)
        network.load_state_dict(state)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_weights(network, path)


def measure(task: Task, *, distance: str) -> None:
    """Audit all methods by one method of distances; raises ResultsError if weights are missing.

    What was measured of a method is kept in a file of its own, so that an interrupted run goes on
    with the next method.
    """
    run, numbers = task.run, asdict(task.recipe)
    curves: dict[str, Curves] = {}
    for method in task.recipe.names:
        kept = task.output / "measured" / run.stem / f"{distance}-{_slug(method)}.json"
        if kept.exists():
            contents = json.loads(kept.read_text(encoding="utf-8"))
            if contents["recipe"] != numbers:
                raise ResultsError(
                    f"{kept} is of another recipe. Name another output folder, or delete the file."
                )
        else:
            contents = {"recipe": numbers, **_measured(task, distance, method)}
            kept.parent.mkdir(parents=True, exist_ok=True)
            with replacing(kept) as temporary:
                temporary.write_text(json.dumps(contents), encoding="utf-8")
        run.parts.setdefault(distance, []).extend(contents["rows"])
        curves[method] = contents["curves"]
    run.curves[distance] = _sampled(curves)


def _measured(task: Task, distance: str, method: str) -> dict[str, Any]:
    """Audit a method; return the rows of its measures, and its curves."""
    run, recipe, data, network = task.run, task.recipe, task.data, _trained(task, method)
    some = chosen_rows(data.groups_test, recipe.n_distance)
    result = audit(
        network, data.X_test[some], data.y_test[some], name=method,
        method=cast(DistanceMethod, distance),
        sensitive_features=data.groups_test[some], threat_model=data.threat_model,
        tau_max=recipe.tau_max, n_check=0, random_state=run.seed,
        verbose=task.verbose,
    )  # fmt: skip
    alone = Run(run.dataset, run.scale, run.seed)
    _add(alone, distance, result)
    if data.classes is not None:
        _add_by_label(alone, distance, result, data.classes)
    right = _predict(network, data.X_test, recipe.batch_size, task.device) == data.y_test
    alone.add(distance, distance, method, "test accuracy", right.mean())
    return {"rows": alone.parts[distance], "curves": _curves(result)}


def attacked(task: Task) -> None:
    """Measure the accuracy of all methods under PGD in L-inf, at the eps of their training.

    On the rows whose distances are measured; of all groups together, and of each.
    """
    run, recipe, data = task.run, task.recipe, task.data
    some = chosen_rows(data.groups_test, recipe.n_distance)
    X, y, groups = (each[some] for each in (data.X_test, data.y_test, data.groups_test))
    for method in recipe.names:
        success = attack_success(
            _trained(task, method), X, y, recipe.eps, n_steps=PGD_STEPS, nearest=False,
            threat_model=replace(data.threat_model, norm=np.inf), random_state=run.seed,
            verbose=task.verbose,
        )  # fmt: skip
        withstands = pd.Series(~np.asarray(success))
        run.add(PGD, PGD, method, PGD_ACCURACY, withstands.mean())
        run.add(PGD, PGD, method, PGD_ACCURACY, withstands.groupby(groups).mean())


def _trained(task: Task, method: str) -> torch.nn.Module:
    """Load the network of a method; raises ResultsError if its weights are missing."""
    file = _file(task, method)
    if not file.exists():
        raise ResultsError(
            f"{file}, the weights of a training that is finished, is missing. Put it back, or "
            f"delete {task.run.path(Path())} among the results to train again."
        )
    return load_weights(_new_network(task), file).eval().to(task.device)


def chosen_rows(groups: NDArray[Any], n: int | None) -> NDArray[np.intp]:
    """Choose `n` rows, of each group the first and as many as of any other; None: all."""
    rank = pd.Series(groups).groupby(groups).cumcount()
    return np.sort(np.argsort(rank.to_numpy(), kind="stable")[:n])


def _new_network(task: Task) -> torch.nn.Module:
    """Make the network without drawing from the user's random state."""
    with untouched_random_state(cuda=False):
        return task.data.module()  # type: ignore[no-any-return]


def _slug(method: str) -> str:
    return method.lower().replace(" ", "-")


def _file(task: Task, method: str) -> Path:
    return task.output / "weights" / task.run.stem / f"{_slug(method)}.safetensors"


def _predict(network: torch.nn.Module, X: Any, batch_size: int, device: str) -> Any:
    with torch.no_grad():
        parts = torch.from_numpy(X).split(batch_size)
        return torch.cat([network(part.to(device)).argmax(dim=1) for part in parts]).cpu().numpy()


def _add(run: Run, part: str, result: Audit) -> None:
    """Add an audit to a run; the bounds of intervals have the label "lower" or "upper"."""
    for measure, row in result.overall.iterrows():
        for column, label in (("value", None), ("lower", "lower"), ("upper", "upper")):
            run.add(part, part, result.name, str(measure), row[column], label=label)
    groups = result.by_group
    groups = groups.assign(vulnerable=groups["definition_5"])  # in the words of the paper
    for column in ("size", "accuracy", "mean_distance", "vulnerable"):
        run.add(part, part, result.name, f"group {column}", groups[column].astype(float))
    for column, label in (("robustness", None), ("lower", "lower"), ("upper", "upper")):
        run.add(part, part, result.name, "Rob(P)", groups[column], label=label)
    run.add(part, part, result.name, "censored", result.distances.counts().get("censored", 0))


def _add_by_label(run: Run, part: str, result: Audit, classes: Sequence[str]) -> None:
    """Add the measures as if all groups had the same labels, and Rob(P) within each class."""
    for measure, value in result.standardized["value"].items():
        run.add(part, part, result.name, f"{measure}, same labels", value)
    cells = result.by_label.reset_index()
    cells.columns = ["label", "group", *cells.columns[2:]]
    for cell in cells.to_dict(orient="records"):
        where = {"label": classes[cell["label"]], "group": cell["group"]}
        run.add(part, part, result.name, "Rob(P) in class", cell["robustness"], **where)
        run.add(part, part, result.name, "size in class", cell["size"], **where)


def _curves(result: Audit) -> Curves:
    """Return I_P of every group, as points, and where but a hundredth of all is left."""
    arguments = {
        "distance": result.distances.distance, "tau_max": result.settings["tau_max"],
        "sensitive_features": result.sensitive_features,
    }  # fmt: skip
    labels = result.y_true, result.distances.predicted
    mean = robustness_curve(*labels, **arguments)
    curves = group_robustness_curves(*labels, **arguments)
    return {
        "end": float(mean.tau[mean.fraction <= 0.01][0]),
        "I_P": {
            str(group): (curve.tau.tolist(), curve.fraction.tolist())
            for group, curve in curves.items()
        },
    }


def _sampled(curves: Mapping[str, Curves]) -> dict[str, Any]:
    """Evaluate I_P of every group, for all models at the same distances."""
    tau = np.linspace(0, max(each["end"] for each in curves.values()) or 1.0, N_TAU)
    values = {
        name: {
            group: np.round(RobustnessCurve(*map(np.array, points))(tau), 4).tolist()
            for group, points in each["I_P"].items()
        }
        for name, each in curves.items()
    }
    return {"tau": tau.tolist(), "I_P": values}
