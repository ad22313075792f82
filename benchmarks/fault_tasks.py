"""What `faults.py` disturbs: runs that write files, passes of a model, threads that share it."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from robfair import (
    AdversarialClassifier,
    FarmurClassifier,
    NaturalClassifier,
    audit,
    boundary_distance,
)
from robfair.attacks import attack, least_eps
from robfair.cli import main
from robfair.datasets import make_group_margins
from robfair.leave_one_out import leave_one_out

__all__ = ["DATA", "MEASURES", "RUNS", "THREADS", "digest", "fit", "network", "refits"]

DATA = make_group_margins(400, n_features=3, random_state=0)
SGD = {"optimizer": "sgd", "net_params": {"optimizer__momentum": 0.9}}
SHORT = {"max_epochs": 6, "batch_size": 32, "n_steps": 3, "random_state": 0}


def _made() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
    module = nn.Sequential(*layers).train()
    module[1].eval()  # frozen by its owner
    module[0].bias.requires_grad_(False)
    return module


# Made once: two threads that seed torch's generator disturb each other.
_NETWORK = _made()


def network() -> nn.Sequential:
    """Return a network whose parts differ in all that has to be left as found."""
    return copy.deepcopy(_NETWORK)


RECIPES: dict[str, Callable[..., Any]] = {
    "natural": lambda **k: NaturalClassifier(
        **{n: v for n, v in (SHORT | k).items() if n != "n_steps"} | {"max_epochs": 15}
    ),
    "trades": lambda **k: AdversarialClassifier(**SHORT, **k),
    "pgd": lambda **k: AdversarialClassifier(objective="pgd", **SHORT, **k),
    "n-fgsm": lambda **k: AdversarialClassifier(objective="n-fgsm", **SHORT, **k),
    "farmur": lambda **k: FarmurClassifier(retrain_epochs=3, **SHORT, **k),
    "held out": lambda **k: AdversarialClassifier(early_stopping=True, averaging=0.9, **SHORT, **k),
    "everything": lambda **k: FarmurClassifier(
        retrain_epochs=3, module=network(), averaging=0.9, early_stopping=True,
        lr_schedule="cyclic", **SHORT, **SGD, **k,
    ),
}  # fmt: skip


def digest(value: Any) -> str:
    """Return a hash of arrays, tensors, bytes and plain values."""
    parts = hashlib.sha256()

    def add(each: Any) -> None:
        if isinstance(each, dict):
            add(sorted(each))
            add([each[name] for name in sorted(each)])
        elif isinstance(each, list | tuple):
            for item in each:
                add(item)
        elif isinstance(each, Tensor):
            parts.update(each.detach().numpy().tobytes())
        elif isinstance(each, np.ndarray):
            parts.update(each.tobytes())
        else:
            parts.update(each if isinstance(each, bytes) else repr(each).encode())

    add(value)
    return parts.hexdigest()


def fit(recipe: str, checkpoint: Path | None, clf: Any = None) -> str:
    """Train by a recipe; return a digest of the weights."""
    clf = RECIPES[recipe](checkpoint=checkpoint) if clf is None else clf
    clf.fit(DATA.X, DATA.y, groups=DATA.groups)
    return digest(dict(clf.module_.state_dict()))


def refits(folder: Path | None) -> str:
    """Refit without one sample each; return a digest of the confidences."""
    clf = NaturalClassifier(max_epochs=3, random_state=0)
    X, y = DATA.X[:100], DATA.y[:100]
    result = leave_one_out(clf, X, y, DATA.X[100:120], n_left_out=8, checkpoint=folder)
    return digest([result.proba, result.proba_refitted])


def _fitting(recipe: str) -> Callable[[Path], str]:
    def run(folder: Path) -> str:
        clf = RECIPES[recipe](checkpoint=folder / "run.safetensors")
        before = digest(vars(clf))
        try:
            return fit(recipe, None, clf)
        except BaseException:
            if digest(vars(clf)) != before:
                raise AssertionError("an unfinished fit has left something behind") from None
            raise

    return run


def _reproducing(folder: Path) -> str:
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(
            ["reproduce", "farmur", "--dataset", "digits", "--quiet", "--output", f"{folder}"]
        )
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise AssertionError(f"exit code {code}")
    files = sorted(folder.glob("weights/*/*.safetensors"))
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("results/*.json"))]
    parts = [rows for each in results for rows in each["parts"].values()]
    numbers = [row for rows in parts for row in rows if "seconds" not in row["measure"]]
    # Not the bytes: the order of the metadata in a file is random.
    return digest([*({path.name: load_file(path)} for path in files), numbers])


def _reporting(folder: Path) -> str:
    module = network()
    path = folder / "audit.html"
    if path.exists() and not path.read_text().rstrip().endswith("</html>"):
        raise AssertionError("half a report")
    state = left_as_found(module)
    try:
        result = audit(module, DATA.X[:100], DATA.y[:100], sensitive_features=DATA.groups[:100])
        result.to_html(path)
    finally:
        state()
    return digest([result.overall.to_numpy(), result.distances])


RUNS: dict[str, Callable[[Path], str]] = {
    **{f"fit, {name}": _fitting(name) for name in RECIPES},
    "leave-one-out": refits,
    "reproduce": _reproducing,
    "report": _reporting,
}


def left_as_found(module: nn.Module) -> Callable[[], None]:
    """Return a function that raises AssertionError if anything is not as it is now."""

    def state() -> dict[str, Any]:
        parts = list(module.modules())
        return {
            "modes": [part.training for part in parts],
            "requires_grad": [p.requires_grad for p in module.parameters()],
            "gradients": [p.grad is None for p in module.parameters()],
            "weights and statistics": digest(dict(module.state_dict())),
            "hooks": [(len(p._forward_hooks), len(p._forward_pre_hooks)) for p in parts],
            "torch's generator": digest(torch.get_rng_state()),
            "numpy's generator": digest(list(np.random.get_state())),  # noqa: NPY002
            "threads": torch.get_num_threads(),
            "gradient mode": torch.is_grad_enabled(),
            "dtype": torch.get_default_dtype(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }

    before = state()

    def check() -> None:
        changed = [name for name, value in state().items() if value != before[name]]
        if changed:
            raise AssertionError(f"not left as found: {', '.join(changed)}")

    return check


X, Y, G = (array[:40] for array in (DATA.X, DATA.y, DATA.groups))
MEASURES: dict[str, Callable[[Any], Any]] = {
    "auto": lambda m: boundary_distance(m, X).distance,
    "deepfool": lambda m: boundary_distance(m, X, method="deepfool").distance,
    "certify": lambda m: boundary_distance(m, X, certify=True).lower,
    "decision": lambda m: boundary_distance(m, X[:5], method="decision", budget=60).distance,
    "attack": lambda m: attack(m, X, Y, eps=0.2).success,
    "least eps": lambda m: least_eps(m, X, Y, eps_max=1.0).eps,
    "audit": lambda m: audit(m, X, Y, sensitive_features=G, confidence=None).overall.to_numpy(),
    "fit": lambda m: fit(
        "", None, AdversarialClassifier(module=m, max_epochs=1, n_steps=2, random_state=0)
    ),
    "leave-one-out": lambda m: (
        leave_one_out(
            NaturalClassifier(module=m, max_epochs=1, random_state=0), X, Y, X[:3], n_left_out=2
        ).proba_refitted
    ),
}


def _shared(module: nn.Module) -> nn.Module:
    return nn.Sequential(*module[:3], nn.Dropout(0.5), module[4]).train()


# Works that two threads do at once; each gets the same module.
THREADS: dict[str, Callable[[Any], Any]] = {
    "distances": lambda m: boundary_distance(m, X).distance,
    "of a module that shares layers": lambda m: boundary_distance(_shared(m), X[:20]).distance,
    "audit": MEASURES["audit"],
    "attack": MEASURES["attack"],
    "fit with dropout": lambda m: fit("everything", None),
    "fit of the module": MEASURES["fit"],
    "leave-one-out": MEASURES["leave-one-out"],
    "of another model": lambda m: (
        boundary_distance(LogisticRegression().fit(DATA.X, DATA.y), X).distance
    ),
}


def together(works: list[Callable[[Any], Any]], module: nn.Module) -> list[Any]:
    """Run works in a thread each, at the same time; return their digests or errors."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int, work: Callable[[Any], Any]) -> None:
        start.wait()
        try:
            results[place] = digest(work(module))
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
