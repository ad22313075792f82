"""EvenMargins beside averaged TRADES and others, on splits and seeds that took no part in tuning.

Each (split, seed) pair splits the data anew and trains TRADES once; the other methods go on from
its state where their own phase begins. Rows are added to a JSON file after each pair, and those
that are there are not run again: ``--data sex --pairs 61 62``. ``--table`` prints differences to
averaged TRADES, paired, with t-intervals, and p-values corrected by Holm for the whole table.
"""

from __future__ import annotations

import copy
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import lenet, mnist, options, table
from fair_strategies import Faal, GroupDro
from numpy.typing import NDArray
from scipy import stats
from sklearn.datasets import load_digits
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, ThreatModel, boundary_distance
from robfair._adult_table import adult_table
from robfair.attacks import attack_success
from robfair.training import EpochEnd, Farmur, LossVariance, MarginControl, Strategy

BASE = "TRADES averaged"
EPS, TAU_MAX, AVERAGING = 0.1, 10.0, 0.999
SMALL = 400  # a race of fewer test rows is merged with the next smallest
Strategies = Callable[[int], Strategy]


class HoldOut(Strategy):
    """TRADES, without the rows that the other methods hold out."""

    needs_held_out = True


class HoldOutVariance(LossVariance):
    """The variance of losses, without these rows."""

    needs_held_out = True


# From the epoch in which a method's own phase begins to its strategy, and whether it averages.
METHODS: dict[str, tuple[Strategies, bool]] = {
    BASE: (lambda begin: HoldOut(), True),
    "FARMUR": (Farmur, False),
    "FARMUR, phase averaged": (partial(Farmur, average=True), False),
    "FARMUR, soft, phase averaged": (partial(Farmur, soft_beta=True, average=True), False),
    "LossVariance averaged": (lambda begin: HoldOutVariance(begin=begin), True),
    "Group-DRO averaged": (lambda begin: GroupDro(), True),
    "FAAL averaged": (lambda begin: Faal(), True),
    "EvenMargin": (MarginControl, True),
}


@dataclass(frozen=True)
class Data:
    """A split, with the settings of the training."""

    train: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]  # X, y, groups
    test: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
    epochs: tuple[int, int]  # before and in a method's own phase
    settings: dict[str, Any]


def split_rows(groups: NDArray[Any], pair: int, share: float) -> tuple[NDArray[Any], ...]:
    """Return rows to train and to test, `share` of each group."""
    rng = np.random.default_rng(pair)
    parts: list[list[NDArray[Any]]] = [[], []]
    for group in np.unique(groups):
        rows = rng.permutation(np.flatnonzero(groups == group))
        n = round(share * len(rows))
        parts[0].append(rows[n:])
        parts[1].append(rows[:n])
    return tuple(rng.permutation(np.concatenate(part)) for part in parts)


def digits_of(pair: int, quick: bool) -> Data:
    """Scikit-learn's digits, 8 x 8; groups are classes."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    train, test = split_rows(y, pair, 0.25)
    settings = {"batch_size": 64, "threat_model": ThreatModel(bounds=(0, 1))}
    epochs = (4, 2) if quick else (100, 20)
    return Data((X[train], y[train], y[train]), (X[test], y[test], y[test]), epochs, settings)


def adult_by(
    column: str, most: int | None = None, by_chance: bool = False
) -> Callable[[int, bool], Data]:
    """UCI Adult, 45,222 rows split 2 : 1, or `most` for training; few of a race are one group.

    By chance: rows change their groups, which do not differ then.
    """

    def make(pair: int, quick: bool) -> Data:
        whole = adult_table()
        X = np.concatenate([whole.X_train, whole.X_test])
        y = np.concatenate([whole.y_train, whole.y_test])
        tables = (whole.groups_train, whole.groups_test)
        groups = np.concatenate([each[column].to_numpy().astype(str) for each in tables])
        names, sizes = np.unique(groups, return_counts=True)
        few = names[sizes / 3 < SMALL]
        groups = np.where(np.isin(groups, few), "other", groups)
        if by_chance:
            groups = np.random.default_rng([pair, 1]).permutation(groups)
        train, test = split_rows(groups, pair, 1 / 3)
        if most is not None:
            train, test = train[:most], test[: most // 2]
        if quick:
            train, test = train[:600], test[:300]
        threat = replace(whole.threat_model, bounds=(X.min(axis=0), X.max(axis=0)))
        parts = [(X[rows], y[rows], groups[rows]) for rows in (train, test)]
        settings = {"batch_size": 256, "threat_model": threat}
        return Data(parts[0], parts[1], (4, 2) if quick else (30, 10), settings)

    return make


def mnist_of(folder: Path) -> Callable[[int, bool], Data]:
    """MNIST with LeNet-5: 10,000 training and 2,000 test images; groups are classes."""

    def make(pair: int, quick: bool) -> Data:
        n_train, n_test = (500, 200) if quick else (10_000, 2_000)
        X, y, X_test, y_test = mnist(folder, 60_000, 10_000)
        rng = np.random.default_rng(pair)
        train, test = rng.permutation(len(X))[:n_train], rng.permutation(len(X_test))[:n_test]
        settings = {"batch_size": 128, "module": lenet, "threat_model": ThreatModel(bounds=(0, 1))}
        return Data(
            (X[train], y[train], y[train]), (X_test[test], y_test[test], y_test[test]),
            (2, 1) if quick else (15, 5), settings,
        )  # fmt: skip

    return make


# Training: TRADES once, the others from where it was


class Keep(Callback):
    """Keeps the state of a run after an epoch, with the average."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Copy the state."""
        if net.epoch_ + 1 == self.epoch:
            state = net.state()
            ours = {name: cb for name, cb in state["callbacks"].items() if name == "WeightControl"}
            self.state_ = copy.deepcopy(state | {"callbacks": ours})


class GoOn(Callback):
    """Begins with the state of another run, and lets the strategy see the epoch that has ended."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.begin_with = state

    def on_train_begin(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        """Take the state over."""
        state = copy.deepcopy(self.begin_with)
        net.load_state({k: v for k, v in state.items() if k not in ("plan", "strategy")})
        control = dict(net.callbacks_)["WeightControl"]

        def average() -> nn.Module | None:
            return None if control.average is None else control.average.module(net, X)

        net.strategy.after_epoch(
            EpochEnd(
                net.epoch_, net.max_epochs, net.module_, net.optimizer_, average, net.evaluator
            )
        )


def train(data: Data, method: str, pair: int, callback: Callback) -> tuple[Any, float]:
    """Train by a method; return classifier and CPU seconds."""
    make, averages = METHODS[method]
    began = time.process_time()
    clf = AdversarialClassifier(
        strategy=make(data.epochs[0]), averaging=AVERAGING if averages else None,
        max_epochs=sum(data.epochs), random_state=pair, callbacks=[callback], eps=EPS,
        **data.settings,
    ).fit(data.train[0], data.train[1], groups=data.train[2])  # fmt: skip
    return clf, time.process_time() - began


def run_pair(name: str, pair: int, methods: list[str], data: Data, most: int | None) -> list[Any]:
    """Train all methods and measure them."""
    keep = Keep(data.epochs[0])
    base, base_seconds = train(data, BASE, pair, keep)
    rows = []
    for method in methods:
        clf, seconds = (base, base_seconds)
        if method != BASE:
            clf, seconds = train(data, method, pair, GoOn(keep.state_))
        row = {"data": name, "pair": pair, "method": method, "cpu": round(seconds, 1)}
        strategy = clf.strategy_
        noted = {"state": "state_", "agreement": "agreement_", "taken back": "taken_back_"}
        row |= {k: getattr(strategy, v) for k, v in noted.items() if hasattr(strategy, v)}
        rows.append(row | measure(clf, data, most))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def measure(clf: Any, data: Data, most: int | None) -> dict[str, Any]:
    """Measure at most so many test rows of each group: by "auto" and "strong", and by PGD."""
    X, y, groups = data.test
    names = np.unique(groups)
    rows = np.concatenate([np.flatnonzero(groups == name)[:most] for name in names])
    X, y, groups = X[rows], y[rows], groups[rows]
    threat = data.settings["threat_model"]
    row: dict[str, Any] = {"n": [int((groups == name).sum()) for name in names]}
    for method in ("auto", "strong"):
        found = boundary_distance(clf, X, y=y, method=method, threat_model=threat)
        distance = np.where(found.status == "skipped", 0, np.minimum(found.distance, TAU_MAX))
        parts = [distance[groups == name] for name in names]
        row[method] = [round(float(part.mean()), 5) for part in parts]
        row[f"{method} sd"] = [round(float(part.std(ddof=1)), 5) for part in parts]
    row["accuracy"] = round(float((clf.predict(X) == y).mean()), 5)
    fooled = attack_success(
        clf, X, y, EPS, method="pgd", n_steps=20, nearest=False, random_state=0,
        threat_model=replace(threat, norm=np.inf),
    )  # fmt: skip
    row["pgd"] = [round(float(1 - fooled[groups == name].mean()), 5) for name in names]
    return row


# The table


def numbers(row: dict[str, Any], method: str) -> dict[str, float]:
    """Return the measures of a row."""
    rob, n = np.array(row[method]), np.array(row["n"])
    bias = (np.array(row[f"{method} sd"]) ** 2 / n).mean() * (1 - 1 / len(n))
    return {
        "Rob(f)": rob.mean(), "V_f": rob.var(), "V_f corrected": rob.var() - bias,
        "CV": rob.std() / rob.mean(), "worst": rob.min(), "accuracy": 100 * row["accuracy"],
        "PGD": 100 * float(np.average(row["pgd"], weights=n)), "PGD worst": 100 * min(row["pgd"]),
    }  # fmt: skip


RELATIVE = ("Rob(f)", "V_f", "V_f corrected")


def differences(rows: list[dict[str, Any]], distance: str) -> list[dict[str, str]]:
    """Return a line for each data set, method and measure."""
    found = {(row["data"], row["pair"], row["method"]): numbers(row, distance) for row in rows}
    lines, p_values = [], []
    for data in dict.fromkeys(row["data"] for row in rows):
        for method in dict.fromkeys(row["method"] for row in rows):
            pairs = [p for d, p, m in found if d == data and m == method]
            if method == BASE or len(pairs) < 2:
                continue
            for name in found[data, pairs[0], method]:
                base = np.array([found[data, p, BASE][name] for p in pairs])
                change = np.array([found[data, p, method][name] for p in pairs]) - base
                scale = 100 / base.mean() if name in RELATIVE else 1.0
                half = stats.t.ppf(0.975, len(pairs) - 1) * stats.sem(change)
                p_values.append(float(stats.ttest_1samp(change, 0).pvalue))
                unit = " %" if name in RELATIVE else ""
                ends = [scale * (change.mean() + sign * half) for sign in (-1, 1)]
                lines.append({
                    "data": data, "method": method, "measure": name, "from": f"{base.mean():.4g}",
                    "change": f"{scale * change.mean():+.3g}{unit}",
                    "95 % interval": f"{ends[0]:+.3g} to {ends[1]:+.3g}",
                    "lower in": f"{(change < 0).sum()} of {len(pairs)}",
                })  # fmt: skip
    for line, p in zip(lines, holm(np.array(p_values)), strict=True):
        line["p (Holm)"] = f"{p:.2g}"
    return lines


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p-values for their number."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected


def main() -> None:
    """Run pairs, or print the table."""
    here = Path(__file__).parent
    args = options(
        __doc__ or "",
        {
            "--data": {"nargs": "+", "default": ["digits"]},
            "--pairs": {"nargs": "+", "type": int, "default": [61]},
            "--methods": {"nargs": "+", "default": list(METHODS)},
            "--most": {"type": int, "default": 2000, "help": "test rows of a group"},
            "--json": {"type": Path, "default": here / "even_margins.json"},
            "--mnist": {"type": Path, "default": here, "help": "folder of mnist.npz"},
            "--table": {"action": "store_true"},
        },
    )
    rows = json.loads(args.json.read_text()) if args.json.exists() else []
    if args.table:
        for method in ("strong", "auto"):
            print(f"\nDistances by {method}\n\n{table(differences(rows, method))}")
        return
    made = {
        "digits": digits_of, "sex": adult_by("sex"), "race": adult_by("race"),
        "sex small": adult_by("sex", 6000), "mnist": mnist_of(args.mnist),
        "race by chance": adult_by("race", by_chance=True),
    }  # fmt: skip
    warnings.simplefilter("ignore")
    for name in args.data:
        for pair in args.pairs:
            done = {row["method"] for row in rows if (row["data"], row["pair"]) == (name, pair)}
            left = [method for method in args.methods if method not in done]
            if left:
                rows += run_pair(name, pair, left, made[name](pair, args.quick), args.most)
                if not args.quick:
                    lines = ",\n".join(json.dumps(row) for row in rows)
                    args.json.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
