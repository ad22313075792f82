"""Paper A as a whole: training, distances, then tables and figures from what they have written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robfair._isolation import untouched_random_state
from robfair.auditing import Audit, audit
from robfair.exceptions import ResultsError
from robfair.metrics import group_robustness_curves, robustness_curve
from robfair.models import load_weights, save_weights
from robfair.reproduction._farmur_data import MODELS, UNITS, FarmurData, load_data
from robfair.reproduction._farmur_recipes import FarmurRecipe, find_recipe
from robfair.reproduction._farmur_report import write_report
from robfair.reproduction._farmur_tables import DISTANCES
from robfair.reproduction._farmur_train import TRAINING, Trainer
from robfair.reproduction._records import Run

__all__ = ["reproduce_farmur"]

# Of no consequence for the weights.
MEASURING = ("n_test", "n_distance", "n_boot")
N_TAU = 151


def reproduce_farmur(
    output: Path,
    *,
    dataset: str = "digits",
    model: str | None = None,
    scale: str = "small",
    seeds: Sequence[int] = (0,),
    data_home: Path | None = None,
    device: str = "cpu",
    verbose: int = 1,
) -> str:
    """Reproduce "FARMUR: Fair Adversarial Retraining" with its missing controls.

    Finished parts of a run are read from the output folder, not computed again, and a training
    goes on at the last epoch that it finished, so an interrupted reproduction goes on where it
    stopped.

    Parameters
    ----------
    output : Path
        Folder for results (JSON), weights and checkpoints (safetensors), the report (Markdown) and
        figures (PNG).
    dataset : {"digits", "adult", "mnist", "cifar10", "utkface"}, default="digits"
        What to train on.
    model : str, default=None
        The network. None: the first that fits the data set.
    scale : {"small", "subset", "full", "paper"}, default="small"
        Which recipe. "small" runs in seconds, to see that all works; its numbers mean nothing.
    seeds : sequence of int, default=(0,)
        A run for each.
    data_home : Path, default=None
        Where MNIST, CIFAR-10 and UTKFace are kept; see `robfair.datasets`.
    device : str, default="cpu"
        Where to train and to measure.
    verbose : int, default=1
        1 shows progress bars.

    Returns
    -------
    str
        The report, in Markdown.

    Raises
    ------
    ValueError
        If the network does not fit the data set, or there is no such scale for the two.
    ResultsError
        If results, checkpoints or weights in the folder are damaged, or of another recipe.
    """
    model = MODELS[dataset][0] if model is None else model
    recipe = find_recipe(dataset, model, scale)
    name, results = f"{dataset}-{model}", output / "results"
    data: FarmurData | None = None
    for seed in seeds:
        run = Run(name, scale, seed)
        run.resume(results)
        weights = output / "weights" / run.path(results).stem
        checkpoints = output / "checkpoints" / run.path(results).stem
        for part in (TRAINING, *DISTANCES):
            numbers = asdict(recipe)
            if part == TRAINING:
                numbers = {key: v for key, v in numbers.items() if key not in MEASURING}
            if run.has(part, numbers):
                continue
            if data is None:
                data = load_data(dataset, model, recipe.n_train, recipe.n_test, data_home)
            started = time.perf_counter()
            if part == TRAINING:
                trained = Trainer(run, recipe, data, checkpoints, device, verbose).train()
                weights.mkdir(parents=True, exist_ok=True)
                for method, state in trained.items():
                    network = _new_network(data)
                    network.load_state_dict(state)
                    save_weights(network, _file(weights, method))
            else:
                _measure(run, part, recipe, data, weights, device, verbose)
            run.seconds[part] = round(time.perf_counter() - started, 1)
            run.recipes[part] = numbers
            run.write(results)
    return write_report(output, name, scale, recipe, UNITS[dataset])


def _new_network(data: FarmurData) -> torch.nn.Module:
    with untouched_random_state(cuda=False):  # which initial weights are drawn from
        return data.module()


def _file(folder: Path, method: str) -> Path:
    return folder / f"{method.lower().replace(' ', '-')}.safetensors"


def _measure(
    run: Run,
    part: str,
    recipe: FarmurRecipe,
    data: FarmurData,
    folder: Path,
    device: str,
    verbose: int,
) -> None:
    """Measure all methods by one method of distances."""
    audits = {}
    some = slice(recipe.n_distance)
    for method in recipe.names:
        file = _file(folder, method)
        if not file.exists():
            raise ResultsError(
                f"{file}, the weights of a training that is finished, is missing. Put it back, or "
                f"delete {run.path(Path())} among the results to train again."
            )
        network = load_weights(_new_network(data), file)
        network.eval().to(device)
        result = audit(
            network,
            data.X_test[some],
            data.y_test[some],
            sensitive_features=data.groups_test[some],
            name=method,
            method=part,
            threat_model=data.threat_model,
            tau_max=recipe.tau_max,
            n_check=0,
            n_boot=recipe.n_boot,
            random_state=run.seed,
            verbose=verbose,
        )
        _add(run, part, result)
        right = _predict(network, data.X_test, recipe.batch_size, device) == data.y_test
        run.add(part, part, method, "test accuracy", right.mean())
        audits[method] = result
    run.curves[part] = _curves(audits)


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
            "distance": result.distances.distance,
            "sensitive_features": result.sensitive_features,
            "tau_max": result.settings["tau_max"],
        }
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
