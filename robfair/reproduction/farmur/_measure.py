"""Distances, measures and curves of all methods, by one method of distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from robfair._isolation import untouched_random_state
from robfair._names import DistanceMethod
from robfair.auditing import Audit, audit
from robfair.exceptions import ResultsError
from robfair.metrics import group_robustness_curves, robustness_curve
from robfair.models import load_weights, save_weights
from robfair.reproduction._paper import Task
from robfair.reproduction._records import Run

__all__ = ["DISTANCES", "measure", "save_methods"]

DISTANCES = (
    "paper",
    "auto",
)  # how distances are measured: Eq. 8, and robfair's own search
N_TAU = 151  # points of a curve, enough for a figure and few enough for a file


def save_methods(task: Task, weights: dict[str, dict[str, torch.Tensor]]) -> None:
    """Save the weights of each method."""
    for method, state in weights.items():
        network, path = _new_network(task), _file(task, method)
        network.load_state_dict(state)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_weights(network, path)


def measure(task: Task, *, distance: str) -> None:
    """Audit all methods by one method of distances; raises ResultsError if weights are missing."""
    audits = {}
    run, recipe, data = task.run, task.recipe, task.data
    some = slice(recipe.n_distance)  # None: all
    for method in recipe.names:
        file = _file(task, method)
        if not file.exists():
            raise ResultsError(
                f"{file}, the weights of a training that is finished, is missing. Put it back, or "
                f"delete {run.path(Path())} among the results to train again."
            )
        network = load_weights(_new_network(task), file)
        network.eval().to(task.device)
        result = audit(
            network, data.X_test[some], data.y_test[some], name=method,
            method=cast(DistanceMethod, distance),
            sensitive_features=data.groups_test[some], threat_model=data.threat_model,
            tau_max=recipe.tau_max, n_check=0, random_state=run.seed,
            verbose=task.verbose,
        )  # fmt: skip
        _add(run, distance, result)
        right = _predict(network, data.X_test, recipe.batch_size, task.device) == data.y_test
        run.add(distance, distance, method, "test accuracy", right.mean())
        audits[method] = result
    run.curves[distance] = _curves(audits)


def _new_network(task: Task) -> torch.nn.Module:
    """Make the network without drawing from the user's random state."""
    with untouched_random_state(cuda=False):
        return task.data.module()  # type: ignore[no-any-return]


def _file(task: Task, method: str) -> Path:
    name = f"{method.lower().replace(' ', '-')}.safetensors"
    return task.output / "weights" / task.run.stem / name


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


def _curves(audits: dict[str, Audit]) -> dict[str, Any]:
    """Evaluate I_P of every group, for all models at the same distances."""
    curves, ends = {}, []
    for name, result in audits.items():
        arguments = {
            "distance": result.distances.distance, "tau_max": result.settings["tau_max"],
            "sensitive_features": result.sensitive_features,
        }  # fmt: skip
        labels = result.y_true, result.distances.predicted
        curves[name] = group_robustness_curves(*labels, **arguments)
        mean = robustness_curve(*labels, **arguments)
        ends.append(mean.tau[mean.fraction <= 0.01][0])  # where but a hundredth is left
    tau = np.linspace(0, max(ends) or 1.0, N_TAU)
    values = {
        name: {str(group): np.round(curve(tau), 4).tolist() for group, curve in groups.items()}
        for name, groups in curves.items()
    }
    return {"tau": tau.tolist(), "I_P": values}
