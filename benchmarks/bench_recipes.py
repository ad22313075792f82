"""What the full recipes of `robfair reproduce farmur` cost, from a few measured batches of each.

No target: on a GPU (``--device cuda``) it says beforehand how long a full run will take there.
Images and labels are random, since the cost does not depend on them, or hardly: distances of
trained networks need more or fewer steps than these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from common import machine, options, table
from torch import Tensor, nn

from robfair import AdversarialClassifier, NaturalClassifier, ThreatModel, boundary_distance
from robfair.models import alexnet, lenet5, resnet18, utkface_network
from robfair.reproduction import FARMUR

N_METHODS = 6  # networks of a run whose distances are measured
N_PATH = 11  # networks on the way from TRADES to FARMUR


class Task(NamedTuple):
    """A data set with its network; `n_train` and `n_test` are the sizes of the data set."""

    dataset: str
    model: str
    scale: str
    network: Callable[[], nn.Module]
    shape: tuple[int, ...]
    n_train: int
    n_test: int


TASKS = (
    Task("mnist", "lenet5", "full", lenet5, (1, 28, 28), 60_000, 10_000),
    Task("mnist", "lenet5", "paper", lenet5, (1, 28, 28), 60_000, 10_000),
    Task("mnist", "alexnet", "full", alexnet, (1, 28, 28), 60_000, 10_000),
    Task("cifar10", "resnet18", "full", resnet18, (3, 32, 32), 50_000, 10_000),
    Task("utkface", "utkface", "full", utkface_network, (3, 48, 48), 18_549, 4_506),
)


@contextmanager
def counting(network: nn.Module) -> Iterator[list[int]]:
    """Count samples through a network, forwards and backwards together."""
    counts = [0]

    def add(samples: Tensor) -> None:
        counts[0] += len(samples)

    def forwards(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        add(output)
        if output.requires_grad:
            output.register_hook(add)

    handle = network.register_forward_hook(forwards)
    try:
        yield counts
    finally:
        handle.remove()


def training(
    kind: type, task: Task, recipe: Any, device: str, n: int, **params: Any
) -> tuple[float, float]:
    """Seconds and passes of a training sample in an epoch."""
    rng = np.random.default_rng(0)
    X = rng.random((n, *task.shape), dtype=np.float32)
    network = task.network()
    y = np.arange(n) % network(torch.from_numpy(X[:1])).shape[1]
    clf = kind(
        module=lambda: network,
        max_epochs=2,
        batch_size=recipe.batch_size,
        lr=1e-6,
        optimizer="sgd",
        net_params={"optimizer__momentum": recipe.momentum},
        device=device,
        random_state=0,
        **params,
    )
    with counting(network) as counts:
        clf.fit(X, y)
    return float(clf.history_["dur"][-1]) / n, counts[0] / (2 * n)


def distance(task: Task, method: str, device: str, n: int) -> float:
    """Seconds for the distance of a sample."""
    X = torch.rand((n, *task.shape), generator=torch.Generator().manual_seed(0)).to(device)
    torch.manual_seed(0)
    network = task.network().to(device).eval()
    start = time.perf_counter()
    boundary_distance(network, X, method=method, threat_model=ThreatModel(bounds=(0, 1)))
    return (time.perf_counter() - start) / n


def cost(task: Task, device: str, n: int, n_distance: int) -> dict[str, str]:
    """Return the row of a recipe."""
    recipe = FARMUR.experiment(task.dataset, task.model).recipe(task.scale)
    names = ("eps", "step_size", "n_steps", "beta")
    attack = {name: getattr(recipe, name) for name in names}
    attack["threat_model"] = ThreatModel(bounds=(0, 1))
    plain, _ = training(NaturalClassifier, task, recipe, device, n)
    robust, passes = training(AdversarialClassifier, task, recipe, device, n, **attack)
    n_train = round(task.n_train * (1 - recipe.validation_fraction))
    measured = recipe.n_distance or task.n_test
    on_path = recipe.n_path or round(task.n_train * recipe.validation_fraction)
    auto, paper = (distance(task, method, device, n_distance) for method in ("auto", "paper"))
    seconds = {
        "natural": plain * n_train * recipe.n_epochs,
        "TRADES": robust * n_train * recipe.n_epochs,
        "FARMUR, at most": robust * n_train * recipe.retrain_epochs,
        "distances": (auto + paper) * measured * N_METHODS + auto * on_path * N_PATH,
    }
    hours = {**seconds, "all": sum(seconds.values())}
    return {
        "network": f"{task.dataset}, {task.model}, {task.scale}",
        "epochs": f"{recipe.epochs} + {recipe.retrain_epochs}",
        "passes of a sample in an epoch of TRADES": f"{passes:.1f}",
        "passes per second": f"{passes / robust:,.0f}",
        **{f"{name}, hours": f"{found / 3600:.2f}" for name, found in hours.items()},
    }


def main() -> None:
    """Print a row for each recipe."""
    args = options(__doc__ or "", {"--device": {"default": "cpu", "help": "such as cuda"}})
    n, n_distance = (64, 2) if args.quick else (192, 32)
    print(f"## Cost of the full recipes\n\n{machine()}, on {args.device}\n")
    print(
        "Hours of one seed, from an epoch of random images. A pass is one sample once forwards or "
        "once backwards.\n"
    )
    print(table([cost(task, args.device, n, n_distance) for task in TASKS]))


if __name__ == "__main__":
    main()
