"""The registry of methods: what each fits, which options it uses, how it runs, what it proves.

To add a method, write a function ``run(problem, results, options)`` in a file of its own and give
it an entry in `METHODS`. Its name also goes into :mod:`robfair._names`, for the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from sklearn.tree import DecisionTreeClassifier

from robfair._default_threat import otherwise
from robfair._problem import Problem
from robfair.adapters import LabelModel, LogitModel, Sees, affine_layers
from robfair.adapters.trees import is_tree_ensemble
from robfair.distance import _runners as runners
from robfair.distance import _tree_runners as tree_runners
from robfair.distance._options import DistanceOptions
from robfair.distance._writer import ResultWriter
from robfair.distance.exact import ReadingDiffers
from robfair.threat import ThreatModel

__all__ = ["METHODS", "find_method", "find_runner", "without_reading"]

ModelKind = Literal["affine", "network", "tree", "trees", "labels"]
# A norm ball in a box, or the valid rows of a table: categories, integers, units.
ThreatKind = Literal["ball", "rows"]
Run = Callable[[Problem, ResultWriter, DistanceOptions], None]

LOGITS = ("affine", "network")
ROWS = "under a threat model with categories, integer or unit"


@dataclass(frozen=True)
class Runner:
    """The function of a method for one kind of model and one kind of threat model."""

    run: Run
    uses: tuple[str, ...] | None = None  # options; None: all those of its method
    # Raises ValueError for a model that is of the right kind and still does not fit.
    check: Callable[[LogitModel], Any] | None = None


@dataclass(frozen=True)
class Method:
    """One way to compute distances."""

    name: str
    summary: str  # a phrase that completes "name: ..."
    fits: str  # the models it takes, as an error message says it
    proves: Literal[
        "exact", "upper bound", "neither"
    ]  # "exact": also the intervals of a time limit
    uses: tuple[str, ...]  # names of fields of `DistanceOptions`
    # From the special to the general: the first that fits runs. A name hands over to that method.
    runners: Mapping[tuple[ModelKind, ThreatKind], Runner | str]
    checked_by: tuple[str, ...] = ()  # methods by which an audit computes some distances again

    @property
    def sees(self) -> Sees:
        """Name what it needs of a model; "either" takes logits where there are any."""
        sees_logits = {kind in LOGITS for kind, _ in self.runners}
        if sees_logits == {True, False}:
            return "either"
        return "logits" if True in sees_logits else "labels"


_SEARCH = ("budget", "batch_size", "background", "random_state", "n_jobs")
_DEEPFOOL = ("max_iter", "overshoot", "n_candidates", "batch_size", "n_jobs")
_TABLE = ("background", "batch_size", "n_jobs")

_ENTRIES = (
    Method(
        "auto",
        summary="a search along the decision boundary",
        fits="a model",
        proves="upper bound",
        uses=_SEARCH,
        runners={
            ("affine", "ball"): "linear",
            ("affine", "rows"): "linear",
            ("network", "ball"): Runner(partial(runners.minimum_norm, strong=False)),
            ("network", "rows"): Runner(partial(runners.rows, strong=False), _TABLE),
            ("tree", "ball"): "exact",
            ("trees", "ball"): "exact",
            ("trees", "rows"): "exact",
            ("labels", "ball"): "decision",
            ("labels", "rows"): "decision",
        },
        checked_by=("strong", "decision"),
    ),
    Method(
        "strong",
        summary="the least of many searches",
        fits="a model with gradients",
        proves="upper bound",
        uses=_SEARCH,
        runners={
            ("affine", "ball"): "linear",
            ("affine", "rows"): "linear",
            ("network", "ball"): Runner(partial(runners.minimum_norm, strong=True)),
            ("network", "rows"): Runner(partial(runners.rows, strong=True), _TABLE),
        },
        checked_by=("decision",),
    ),
    Method(
        "linear",
        summary="exact for affine models",
        fits="an affine model",
        proves="exact",
        uses=("batch_size", "n_jobs"),
        runners={
            ("affine", "ball"): Runner(runners.affine),
            ("affine", "rows"): Runner(runners.affine),
        },
    ),
    Method(
        "exact",
        summary="exact, for trees, their ensembles and small ReLU networks",
        fits="an affine model, a tree, an ensemble of trees or a small ReLU network",
        proves="exact",
        uses=("budget", "time_limit", "batch_size", "random_state", "n_jobs"),
        runners={
            ("affine", "ball"): "linear",
            ("affine", "rows"): "linear",
            ("network", "ball"): Runner(runners.relu, ("time_limit",), runners.check_relu),
            ("tree", "ball"): Runner(tree_runners.tree),
            ("trees", "ball"): Runner(tree_runners.trees),
            ("trees", "rows"): Runner(tree_runners.trees),
        },
    ),
    Method(
        "decision",
        summary="a search that sees nothing but predicted labels",
        fits="a classifier",
        proves="upper bound",
        uses=("budget", "background", "random_state", "n_jobs"),
        runners={
            ("labels", "ball"): Runner(runners.decision),
            ("labels", "rows"): Runner(runners.rows_by_labels),
        },
    ),
    Method(
        "deepfool",
        summary="DeepFool: quick, and loose",
        fits="a model with gradients",
        proves="upper bound",
        uses=_DEEPFOOL,
        runners={("network", "ball"): Runner(partial(runners.deepfool, bisect=True))},
        checked_by=("strong", "decision"),
    ),
    Method(
        "paper",
        summary="DeepFool's last two steps averaged (FARMUR, Eq. 8), kept for reproduction",
        fits="a model with gradients",
        proves="neither",
        uses=_DEEPFOOL,
        runners={("network", "ball"): Runner(partial(runners.deepfool, bisect=False))},
        checked_by=("strong", "decision"),
    ),
)
METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _ENTRIES})


def find_method(name: str, threat_model: ThreatModel, options: DistanceOptions) -> Method:
    """Return the method of a name; raise if it does not go with the threat model or an option."""
    if name not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {name!r}.")
    method = METHODS[name]
    for option in options.of_some_methods():  # what the caller says is used or refused
        if option not in method.uses:
            users = [other.name for other in METHODS.values() if option in other.uses]
            raise ValueError(f"{option} is for method={_either(users)}; got method={name!r}.")
    searches_rows = [m for m in METHODS.values() if any(kind == "rows" for _, kind in m.runners)]
    if threat_model.is_mixed and method not in searches_rows:
        names = _either(other.name for other in searches_rows)
        wrong = f"{ROWS}, method must be {names}; got method={name!r}."
        raise ValueError(f"{wrong} {otherwise(threat_model)}".rstrip())
    return method


def find_runner(
    method: Method, problem: Problem, model: Any, options: DistanceOptions, certify: bool
) -> tuple[Method, Run]:
    """Return the method that runs on the user's model and its function; raise if none fits."""
    if problem.mismatch is not None and (certify or ("labels", "ball") not in method.runners):
        needs = "certify=True" if certify else f'method="{method.name}"'
        raise ValueError(
            f"{problem.mismatch}, and {needs} needs what was read. Without it, method="
            '"auto" or "decision" asks predict alone.'
        )
    threat: ThreatKind = "rows" if problem.threat_model.is_mixed else "ball"
    chosen, runner = _find(method, problem.model, threat, model)
    for option in options.of_some_methods():
        if runner.uses is not None and option not in runner.uses:
            users = (
                f'{ROWS}, {option} is for method="decision", and for models that only predict'
                if threat == "rows"
                else f'{option} is for ensembles of trees where method="{method.name}"'
            )
            raise ValueError(f"{users}; got method={method.name!r}.")
    if certify and threat == "rows" and chosen.proves != "exact":
        wrong = f"{ROWS}, method={chosen.name!r} certifies nothing: leave out certify=True."
        raise ValueError(f"{wrong} {otherwise(problem.threat_model)}".rstrip())
    if certify and isinstance(problem.model, LabelModel) and chosen.proves != "exact":
        raise ValueError(
            f"certify=True needs a model with logits, and method={chosen.name!r} sees labels only."
        )
    return chosen, runner.run


def without_reading(
    name: str, problem: Problem, error: ReadingDiffers, certify: bool
) -> tuple[Method, Run]:
    """Return what a method runs for a model that does not compute what is read of it.

    Raises ValueError if the method is to be exact, or nothing else could be certified.
    """
    method = METHODS[name]
    kind: ModelKind = "network" if isinstance(problem.model, LogitModel) else "labels"
    threat: ThreatKind = "rows" if problem.threat_model.is_mixed else "ball"
    runner = method.runners.get((kind, threat))
    if certify and (kind == "labels" or threat == "rows"):
        raise ValueError(f"{error} Leave out certify=True.")
    if method.proves == "exact" or runner is None:
        raise ValueError(f'{error} Use method="auto".')
    if isinstance(runner, str):
        return without_reading(runner, problem, error, certify)
    return method, runner.run


def _find(
    method: Method, adapted: LogitModel | LabelModel, threat: ThreatKind, model: Any
) -> tuple[Method, Runner]:
    """Return the first runner that fits, and the method that it belongs to."""
    for case, runner in method.runners.items():
        if case[1] != threat or not _is_kind(adapted, case[0]):
            continue
        if isinstance(runner, str):
            return _find(METHODS[runner], adapted, threat, model)
        if runner.check is not None:
            assert isinstance(adapted, LogitModel)
            runner.check(adapted)
        return method, runner
    raise ValueError(
        f'method="{method.name}" needs {method.fits}; got a {type(model).__name__}. Use '
        'method="auto".'
    )


def _is_kind(model: LogitModel | LabelModel, kind: ModelKind) -> bool:
    if isinstance(model, LabelModel):
        return (
            kind == "labels"
            or (kind == "tree" and _is_tree(model.estimator))
            or (kind == "trees" and is_tree_ensemble(model.estimator))
        )
    if kind == "affine":  # unless something that is not affine turns its outputs into logits
        return model.to_logits is None and affine_layers(model.module) is not None
    return kind == "network"


def _is_tree(estimator: Any) -> bool:
    """Tell whether an estimator is a decision tree that predicts as one."""
    is_tree = isinstance(estimator, DecisionTreeClassifier) and "predict" not in vars(estimator)
    return is_tree and type(estimator).predict is DecisionTreeClassifier.predict


def _either(names: Iterable[str]) -> str:
    """Write '"a", "b" or "c"'."""
    *first, last = (f'"{name}"' for name in names)
    return f"{', '.join(first)} or {last}" if first else last
