"""Reweighting of models without gradients: refits on adversarial rows for weak groups.

A prototype in the manner of fairlearn's reductions: any classifier is refitted, round by round,
with more weight on weak groups: on their rows ("weights"), on their adversarial rows ("rows"), or
on their rows beside adversarial rows of all groups ("both"). Each is compared to the plain
classifier on test rows, paired by seed. It would earn a place in the library where V_f and CV both
fall at equal accuracy, and does not: see the guide, "What robfair cannot tell you".
"""

from __future__ import annotations

import importlib.util
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, options, table
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from robfair import ThreatModel, boundary_distance
from robfair._adult_table import adult_table

Array = NDArray[Any]
WAYS = ("weights", "rows", "both", "rows, CV alone")
RESULTS = Path(__file__).with_name("reweighting.json")


@dataclass(frozen=True)
class Data:
    """Rows to train on and to measure, and the greatest distance that counts."""

    X: Array
    y: Array
    groups: Array
    X_test: Array
    y_test: Array
    groups_test: Array
    threat_model: ThreatModel
    tau_max: float


def adult_by_sex(seed: int) -> Data:
    """4,000 training and 1,000 test rows of UCI Adult, women and men; five numbers may change."""
    adult = adult_table()
    rng = np.random.default_rng(seed)
    train, test = rng.permutation(30162)[:4000], rng.permutation(15060)[:1000]
    y, y_test = (1 * (part == ">50K") for part in (adult.y_train, adult.y_test))
    sex, sex_test = (
        1 * (part["sex"] == "Male").to_numpy() for part in (adult.groups_train, adult.groups_test)
    )
    return Data(
        adult.X_train[train], y[train], sex[train],
        adult.X_test[test], y_test[test], sex_test[test], adult.threat_model, 3.0,
    )  # fmt: skip


def digits_by_digit(seed: int) -> Data:
    """Odd and even digits as 4 x 4 images, by digit: 1,597 training and 200 test rows."""
    digits = load_digits()
    X = digits.images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16) / 16
    X, y, digit = X.astype(np.float32), digits.target % 2, digits.target
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = order[:1597], order[1597:]
    everything = ThreatModel(bounds=(0, 1))
    return Data(X[train], y[train], digit[train], X[test], y[test], digit[test], everything, 1.0)


DATA: dict[str, Callable[[int], Data]] = {
    "Adult by sex": adult_by_sex,
    "digits 4 x 4 by digit": digits_by_digit,
}


def boosting(seed: int) -> Any:
    """XGBoost, which need not be installed."""
    return importlib.import_module("xgboost").XGBClassifier(
        n_estimators=100, max_depth=4, learning_rate=0.1, n_jobs=1, random_state=seed
    )


def forest(seed: int) -> Any:
    """Build a small forest."""
    return RandomForestClassifier(50, max_depth=6, min_samples_leaf=5, random_state=seed)


MODELS: dict[str, Callable[[int], Any]] = {"forest": forest}
if importlib.util.find_spec("xgboost"):
    MODELS["XGBoost"] = boosting


@dataclass(frozen=True)
class Round:
    """A model, its measures, and what it was fitted to beside the training rows."""

    model: Any
    robustness: Array  # Rob(P) of training rows
    accuracy: float  # of held-out rows
    weight: Array
    added: list[tuple[Array, Array, Array]]


@dataclass(frozen=True)
class RobustReweighting:
    """Refit a classifier round by round, weak groups with more weight.

    Each round measures Rob(P) on `n_judged` random training rows of each group. The weight of a
    group, 0 at first, grows by ``rate * (1 - Rob(P) / target)`` and does not fall below 0; the
    target is 1.1 times the first Rob(f). "rows": the points that flip the rows, moved on by `reach`
    times the way, are added with the rows' own labels; those of the last `window` rounds stay, and
    weigh together the group's weight times as much as its rows. "weights": its own rows weigh 1 + 5
    times its weight. "both": adversarial rows of all groups, with a weight of `rate`, beside such
    weights. A fifth of the rows is held out. The round with the least CV
    wins among those in which V_f is not above the first, Rob(f) not below, and accuracy on held-out
    rows at most `tolerance` lower ("rows, CV alone": whatever V_f and accuracy are); the result is
    fitted anew to all rows.
    """

    estimator: Any
    way: str
    tau_max: float
    seed: int
    n_rounds: int = 6
    rate: float = 0.2
    reach: float = 1.3
    n_judged: int = 200
    window: int = 3
    tolerance: float = 0.0025

    def fit(self, X: Array, y: Array, groups: Array, threat_model: ThreatModel) -> Any:
        """Return the refitted classifier of the best round."""
        rng = np.random.default_rng(self.seed)
        out = rng.permutation(len(y)) < len(y) // 5
        train = X[~out], y[~out], groups[~out]
        weight = np.zeros(groups.max() + 1)
        added: list[tuple[Array, Array, Array]] = []
        rounds: list[Round] = []
        for _ in range(self.n_rounds + 1):
            model = self._refit(*train, added, weight)
            rows = draw(train[2], self.n_judged, rng)
            X_judged, y_judged, groups_judged = (part[rows] for part in train)
            distance, points = measure(model, X_judged, y_judged, threat_model, self.tau_max)
            robustness = by_group(distance, groups_judged)
            accuracy = float((model.predict(X[out]) == y[out]).mean())
            rounds.append(Round(model, robustness, accuracy, weight, added))
            target = 1.1 * rounds[0].robustness.mean()
            weight = np.maximum(weight + self.rate * (1 - robustness / target), 0)
            right = (distance > 0) & (distance < self.tau_max)
            moved = X_judged + self.reach * (points - X_judged)
            new = np.clip(moved[right], *threat_model.bounds).astype(np.float32)
            added = [*added, (new, y_judged[right], groups_judged[right])][-self.window :]
        best = self._best(rounds)
        return self._refit(X, y, groups, best.added, best.weight)

    def _refit(self, X: Array, y: Array, groups: Array, added: list[Any], weight: Array) -> Any:
        extra = 5 * weight if self.way in ("weights", "both") else 0 * weight
        own = 1 + extra[groups]
        if self.way == "weights" or not added:
            return clone(self.estimator).fit(X, y, sample_weight=own)
        X_new, y_new, groups_new = (np.concatenate(part) for part in zip(*added, strict=True))
        share = np.bincount(groups) / np.maximum(np.bincount(groups_new, minlength=len(weight)), 1)
        share = share * (self.rate if self.way == "both" else weight)
        keep = share[groups_new] > 0
        return clone(self.estimator).fit(
            np.concatenate([X, X_new[keep]]),
            np.concatenate([y, y_new[keep]]),
            sample_weight=np.concatenate([own, share[groups_new][keep]]),
        )

    def _best(self, rounds: list[Round]) -> Round:
        first = rounds[0]
        fit = [each for each in rounds if each.robustness.mean() >= first.robustness.mean()]
        if self.way != "rows, CV alone":
            fit = [
                each
                for each in fit
                if each.robustness.var() <= first.robustness.var()
                and each.accuracy >= first.accuracy - self.tolerance
            ]
        return min(fit, key=lambda each: each.robustness.std() / each.robustness.mean())


def draw(groups: Array, n: int, rng: np.random.Generator) -> Array:
    """Draw at most `n` rows of each group."""
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    return np.concatenate([rng.permutation(rows)[:n] for rows in members])


def measure(
    model: Any, X: Array, y: Array, threat_model: ThreatModel, tau_max: float
) -> tuple[Array, Array]:
    """Return distances, 0 where the model is wrong and at most `tau_max`, and points behind them.

    Where no point was found the distance is `tau_max`.
    """
    result = boundary_distance(model, X, y=y, threat_model=threat_model)
    distance = np.where(result.status == "skipped", 0.0, np.minimum(result.distance, tau_max))
    return distance, result.adversarial


def by_group(distance: Array, groups: Array) -> Array:
    """Rob(P) of each group."""
    return np.bincount(groups, weights=distance) / np.bincount(groups)


def evaluate(model: Any, data: Data) -> dict[str, float]:
    """Return accuracy, Rob(f), V_f, CV and the worst group on test rows."""
    distance, _ = measure(model, data.X_test, data.y_test, data.threat_model, data.tau_max)
    robustness = by_group(distance, data.groups_test)
    return {
        "accuracy": float((model.predict(data.X_test) == data.y_test).mean()),
        "Rob(f)": float(robustness.mean()),
        "V_f": float(robustness.var()),
        "CV": float(robustness.std() / robustness.mean()),
        "worst": float(robustness.min()),
    }


def run(data_name: str, model_name: str, way: str, seed: int) -> dict[str, Any]:
    """Train and measure one model."""
    start = time.process_time()
    data = DATA[data_name](seed)
    estimator = MODELS[model_name](seed)
    if way == "plain":
        # Weights of 1, or a forest would draw its rows by other random numbers.
        model = estimator.fit(data.X, data.y, sample_weight=np.ones(len(data.y)))
    else:
        n_judged = 200 if len(np.unique(data.groups)) < 5 else 15
        reweighting = RobustReweighting(estimator, way, data.tau_max, seed, n_judged=n_judged)
        model = reweighting.fit(data.X, data.y, data.groups, data.threat_model)
    return {
        "data": data_name, "model": model_name, "way": way, "seed": seed,
        **evaluate(model, data), "seconds": time.process_time() - start,
    }  # fmt: skip


def difference(after: Array, before: Array, *, relative: bool) -> str:
    """Return the mean paired difference with its 95 % t-interval, in % of the mean before."""
    change = (after - before) / (before.mean() if relative else 1) * 100
    half = student.ppf(0.975, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change))
    return f"{change.mean():+.1f} [{change.mean() - half:+.1f}, {change.mean() + half:+.1f}]"


def summary(rows: list[dict[str, Any]]) -> str:
    """Return a table of paired differences to the plain model."""
    lines = []
    for data in DATA:
        for model in dict.fromkeys(row["model"] for row in rows):
            mine = [row for row in rows if (row["data"], row["model"]) == (data, model)]
            by = {(row["way"], row["seed"]): row for row in mine}
            for way in ("plain", *WAYS):
                seeds = [s for w, s in by if w == way and ("plain", s) in by]
                if len(seeds) < 2:
                    continue
                line: dict[str, Any] = {"data": data, "model": model, "way": way, "n": len(seeds)}
                for key in ("accuracy", "Rob(f)", "V_f", "CV", "worst"):
                    after, before = (
                        np.array([by[w, seed][key] for seed in seeds]) for w in (way, "plain")
                    )
                    plain = f"{before.mean():.3f}"
                    change = difference(after, before, relative=key != "accuracy")
                    line[key] = plain if way == "plain" else change
                line["CPU s"] = f"{np.mean([by[way, seed]['seconds'] for seed in seeds]):.0f}"
                lines.append(line)
    return table(lines)


def main() -> None:
    """Run what the file of results lacks, then print the table."""
    args = options(
        __doc__ or "",
        {
            "--seeds": {"type": int, "nargs": "*", "default": list(range(5))},
            "--results": {"type": Path, "default": RESULTS},
            "--data": {"nargs": "*", "default": list(DATA), "choices": list(DATA)},
            "--models": {"nargs": "*", "default": list(MODELS), "choices": list(MODELS)},
            "--ways": {"nargs": "*", "default": list(WAYS), "choices": list(WAYS)},
        },
    )
    rows = json.loads(args.results.read_text()) if args.results.exists() else []
    done = {(row["data"], row["model"], row["way"], row["seed"]) for row in rows}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in args.seeds[: 1 if args.quick else None]:
            for data in args.data:
                for model in args.models:
                    for way in ("plain", *args.ways):
                        if (data, model, way, seed) in done:
                            continue
                        rows.append(run(data, model, way, seed))
                        args.results.write_text(json.dumps(rows, indent=1) + "\n")
    print(machine(["scikit-learn"]))
    print(summary(rows))


if __name__ == "__main__":
    main()
