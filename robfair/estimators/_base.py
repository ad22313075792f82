"""What the three classifiers share: checks, seeds, the net, predictions.

The shell owns a skorch net (`net_`) and does not inherit from one, since scikit-learn's contract
and skorch's differ in what `fit` takes, what a label is and when parameters are checked.
"""

from __future__ import annotations

import copy
import copyreg
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from robfair._fingerprint import describe
from robfair._isolation import SEEDING, one_thread, untouched_random_state
from robfair.adapters import LogitModel, evaluation_mode
from robfair.estimators._groups import encode_fit_groups
from robfair.estimators._plain import from_plain, to_plain
from robfair.estimators._samples import Samples, hold_out
from robfair.estimators._weights import fit_weights
from robfair.models import tabular_network
from robfair.threat import ThreatModel
from robfair.training import (
    SCHEDULES,
    Attack,
    Average,
    Checkpoint,
    EarlyStopping,
    EpochProgress,
    Judge,
    Noise,
    Objective,
    RobustNet,
    Setting,
    Strategy,
    TensorBatches,
    as_schedule,
)

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
PREDICT_BATCH = 4096


class BaseRobustClassifier(ClassifierMixin, BaseEstimator):
    """Base of robfair's classifiers; a subclass gives the objective, strategy and attack.

    Attributes
    ----------
    leaves_out_by_weight : bool
        Whether a `sample_weight` of 0 leaves a sample out of `fit` as if it had been removed, while
        all others keep their place in the order of every epoch, their batch and their random
        numbers. What changes is then due to the sample, and not to chance: refits that leave out
        one sample each rely on it.
    """

    leaves_out_by_weight: ClassVar[bool] = True

    # Requested for the class, so that nobody has to call set_fit_request.
    __metadata_request__fit: ClassVar[dict[str, bool]] = {
        "groups": True,
        "sensitive_features": False,
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "module": [callable, nn.Module, None],
        "hidden_layer_sizes": ["array-like"],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(SCHEDULES)), callable, None],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "averaging": [Interval(Real, 0, 1, closed="neither"), None],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "checkpoint": [str, os.PathLike, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced", "oversample"}), None],
        "callbacks": [list, None],
        "device": [str, torch.device],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "net_params": [dict, None],
    }

    module: Any
    hidden_layer_sizes: Any
    max_epochs: int
    batch_size: int
    lr: float
    lr_schedule: Any
    optimizer: Any
    averaging: float | None
    early_stopping: bool
    n_iter_no_change: int
    checkpoint: Any
    validation_fraction: float
    class_weight: Any
    callbacks: Any
    device: Any
    warm_start: bool
    verbose: Any
    random_state: Any
    net_params: Any

    # What a subclass decides.

    def _get_objective(self) -> Objective:
        raise NotImplementedError

    def _get_strategy(self) -> Strategy:
        return Strategy()

    def _get_n_epochs(self) -> int:
        return self.max_epochs

    def _get_threat_model(self, X: NDArray[Any]) -> ThreatModel:
        """Return the threat model with the box that X is in, if it asks for that one."""
        threat_model: ThreatModel | None = getattr(self, "threat_model", None)
        if threat_model is None:
            return ThreatModel()
        if threat_model.is_mixed:
            raise ValueError(
                "training attacks by gradient steps, which know no categories, integer or unit; "
                f"got {threat_model!r}. Train with norm, bounds and mutable alone, and audit with "
                "the whole."
            )
        threat_model = threat_model.bind(X)
        threat_model.check(X)
        return threat_model

    def _get_attack(self, noise: Noise, threat_model: ThreatModel) -> Attack:
        """Build the inner maximisation; natural training never calls it."""
        return Attack(0, 0.0, np.inf, threat_model, noise)

    def _holds_out(self, strategy: Strategy) -> bool:
        """Tell whether some samples are not trained on, but kept to measure the network with."""
        return strategy.needs_held_out or self.early_stopping

    def _get_callbacks(self, attack: Attack, labels: Any) -> list[Any]:
        """Build the callbacks that change the weights, in the order in which they are called."""
        average = None if self.averaging is None else Average(self.averaging)
        guard = self._get_guard(attack, labels, average)
        stopping = EarlyStopping(self.n_iter_no_change, average) if self.early_stopping else None
        return [each for each in (average, guard, stopping) if each is not None]

    def _get_guard(self, attack: Attack, labels: Any, average: Average | None) -> Any:
        """Build the callback that takes back an epoch that went wrong, or return None."""
        return None

    def _get_setting(self, n_groups: int) -> Setting:
        return Setting(
            n_groups=n_groups,
            n_epochs=self._get_n_epochs(),
            eps=float(getattr(self, "eps", 0.0)),
            beta=float(getattr(self, "beta", 0.0)),
            device=torch.device(self.device),
        )

    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        groups: Any = None,
        sensitive_features: Any = None,
        sample_weight: Any = None,
    ) -> Any:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with a `module`
            Training samples, standardised.
        y : array-like of shape (n_samples,)
            Class labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            The group of each sample. With several columns, groups are their combinations. With
            metadata routing, `groups` is requested without further ado.
        sensitive_features : array-like, default=None
            Another name for `groups`, as in fairlearn. If both are given they must be equal.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples' losses: the loss of a batch is their weighted mean, so that only
            ratios matter. A sample of weight 0 is left out as if it had been removed, and the
            others keep their order and their random numbers. Groups are judged without weights.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If X holds NaN or infinity or leaves the bounds of the threat model, y has one class,
            groups are of another length, missing for some samples, too few or too small to be
            split, weights are negative, NaN, of another length or leave less than two classes, or
            the module does not return a finite logit for each class.
        TypeError
            If X is sparse.
        """
        X, y = validate_data(self, X, y, dtype=np.float32, allow_nd=self.module is not None)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes[0]!r}: a classifier needs at least two classes."
            )
        weight = fit_weights(sample_weight, self.class_weight, y)
        strategy = self._get_strategy()
        group_codes, group_labels = encode_fit_groups(
            self, groups, sensitive_features, codes, classes, judged=strategy.needs_held_out
        )
        threat_model = self._get_threat_model(X)
        checkpoint = self._open_checkpoint(X, y, group_codes, sample_weight)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        with self._seeded(seed):
            module = self._make_module(X, classes, seed)
            dtype = torch.empty(0, dtype=LogitModel(module).dtype).numpy().dtype
            samples = Samples(X.astype(dtype, copy=False), codes, group_codes, weight)
            judge = None
            if self._holds_out(strategy):
                samples, judge = self._hold_out(samples, group_labels, module, threat_model, seed)
            attack = self._get_attack(Noise(seed), threat_model)
            if self.class_weight == "oversample":
                samples = samples.oversampled()
            setting = self._get_setting(len(group_labels))
            callbacks = [
                *self._get_callbacks(attack, group_labels),
                *(self.callbacks or []),
                *([] if checkpoint is None else [checkpoint]),
                *([EpochProgress(type(self).__name__)] if self.verbose == 1 else []),
            ]
            net = self._make_net(module, strategy, judge, setting, attack, seed, callbacks)
            net.fit(samples.inputs, samples.y)
        net.judge = None  # or the held-out data would be pickled with the model
        self.__dict__.pop("_module", None)
        self.classes_, self.groups_, self.net_ = classes, group_labels, net
        self.strategy_ = strategy
        columns = ["epoch", "phase", "natural_loss", "robust_loss", "robust_accuracy", "lr", "dur"]
        self.history_ = pd.DataFrame(list(net.history), columns=columns)
        return self

    def _open_checkpoint(
        self, X: NDArray[Any], y: NDArray[Any], groups: NDArray[np.intp], sample_weight: Any
    ) -> Checkpoint | None:
        if self.checkpoint is None:
            return None
        if not isinstance(self.random_state, Integral):
            raise ValueError(
                "a run that is resumed must draw the same random numbers: with checkpoint=, "
                f"random_state must be an integer; got {self.random_state!r}."
            )
        if self.warm_start:
            raise ValueError(
                "checkpoint= goes on from a file and warm_start=True from the last fit; choose one."
            )
        data = {"X": X, "y": y, "groups": groups, "sample_weight": sample_weight}
        # On these the weights do not depend, or nobody can tell.
        without = ("checkpoint", "callbacks", "verbose")
        return Checkpoint(self.checkpoint, describe(self, data, without=without))

    def _hold_out(
        self,
        samples: Samples,
        labels: pd.Index[Any],
        module: nn.Module,
        threat_model: ThreatModel,
        seed: int,
    ) -> tuple[Samples, Judge]:
        """Split samples into those to train on and a judge with the others."""
        held_out = hold_out(samples.groups, samples.y, self.validation_fraction, labels, seed)
        samples, judged = samples.split(held_out, labels)
        judge = Judge(
            module.to(self.device),
            judged.X,
            judged.y,
            judged.groups,
            len(labels),
            method=getattr(self, "distance_method", "auto"),
            threat_model=threat_model,
            eps=float(getattr(self, "eps", 0.0)),
            norm=getattr(self, "norm", np.inf),
        )
        return samples, judge

    @contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """Give the module's own draws (weights, dropout) a seed; leave the global state alone."""
        on_cpu = torch.device(self.device).type == "cpu"
        threads = one_thread() if self.module is None and on_cpu else nullcontext()
        with threads, untouched_random_state(cuda=not on_cpu):
            with SEEDING:
                torch.manual_seed(seed)
            yield

    def _make_module(self, X: NDArray[Any], classes: NDArray[Any], seed: int) -> nn.Module:
        if self.warm_start and hasattr(self, "module_"):
            if not np.array_equal(self.classes_, classes):
                raise ValueError(
                    f"warm_start=True continues with classes {self.classes_}, but y has {classes}."
                )
            module = self.module_
        elif isinstance(self.module, nn.Module):
            module = copy.deepcopy(self.module)
        else:
            with SEEDING:
                torch.manual_seed(seed)
                module = self._new_module(X.shape[1], len(classes))
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"module must be a torch.nn.Module, or make one; it made a {type(module).__name__}."
            )
        model = LogitModel(module, classes=classes)
        model.check_output(X)
        with torch.no_grad(), evaluation_mode(module):
            out = module(model.tensor(X[:1]).reshape(1, *X.shape[1:]))
        if tuple(out.shape) != (1, len(classes)):
            # As an adapter reads it one output is a logit, too; cross-entropy needs one per class.
            raise ValueError(
                f"the module returns {out.shape[-1] if out.ndim > 1 else 1} logit(s) in shape "
                f"{tuple(out.shape)} for one sample; training needs one logit per class, shape "
                f"(n_samples, {len(classes)})."
            )
        return module

    def _new_module(self, n_features: int, n_classes: int) -> Any:
        if self.module is None:
            if not all(
                isinstance(width, int | np.integer) and width > 0
                for width in self.hidden_layer_sizes
            ):
                raise ValueError(
                    "hidden_layer_sizes must hold positive integers; got "
                    f"{list(self.hidden_layer_sizes)}."
                )
            return tabular_network(n_features, n_classes, self.hidden_layer_sizes)
        prefix = "module__"
        params = {
            name.removeprefix(prefix): value
            for name, value in (self.net_params or {}).items()
            if name.startswith(prefix)
        }
        factory: Callable[..., Any] = self.module
        return factory(**params)

    def _make_net(
        self,
        module: nn.Module,
        strategy: Strategy,
        judge: Judge | None,
        setting: Setting,
        attack: Attack,
        seed: int,
        callbacks: list[Any],
    ) -> RobustNet:
        others = {
            name: value
            for name, value in (self.net_params or {}).items()
            if not name.startswith("module__")
        }
        params: dict[str, Any] = {
            "optimizer": OPTIMIZERS.get(self.optimizer, self.optimizer)
            if isinstance(self.optimizer, str)
            else self.optimizer,
            "lr": self.lr,
            "max_epochs": setting.n_epochs,
            "batch_size": self.batch_size,
            "iterator_train": TensorBatches,
            "iterator_train__generator": torch.Generator().manual_seed(seed),
            "iterator_train__noise": attack.noise,
            "iterator_train__device": torch.device(self.device),
            "train_split": None,
            "callbacks": callbacks,
            "callbacks__valid_loss": None,
            "device": self.device,
            "verbose": max(int(self.verbose) - 1, 0),
        }
        return RobustNet(
            module,
            objective=self._get_objective(),
            strategy=strategy,
            attack=attack,
            judge=judge,
            setting=setting,
            schedule=as_schedule(self.lr_schedule),
            **(params | others),
        )

    # Predicting

    @property
    def module_(self) -> nn.Module:
        """The trained torch module; it returns logits."""
        loaded: nn.Module | None = vars(self).get("_module")
        if loaded is not None:
            return loaded
        check_is_fitted(self, "net_")
        module: nn.Module = self.net_.module_
        return module

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with a `module`
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Softmax of the logits, in the order of `classes_`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, allow_nd=self.module is not None, reset=False)
        model = LogitModel(self.module_, classes=self.classes_)
        with torch.no_grad(), model.forward(X.shape[1:]) as forward:
            parts = [
                forward(model.tensor(X[start : start + PREDICT_BATCH])).double().softmax(dim=1)
                for start in range(0, len(X), PREDICT_BATCH)
            ]
        return torch.cat(parts).cpu().numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with a `module`
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Class labels.
        """
        check_is_fitted(self)
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels

    # Saving. A pickle or a copy holds everything. What skops saves must be made of plain values and
    # arrays: parameters, fitted attributes and weights. The net, with its optimizer and its random
    # generator, and the strategy are left behind; prediction and warm_start need neither.

    def __reduce_ex__(self, protocol: Any) -> Any:
        return copyreg.__newobj__, (type(self),), dict(vars(self))  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        if isinstance(self.module, nn.Module):
            raise TypeError(
                f"module is a {type(self.module).__name__}, and a network itself cannot be saved "
                "without pickle: give the function or class that makes it, or save the weights by "
                "robfair.models.save_weights."
            )
        left = ("net_", "strategy_", "_module")
        state = {name: to_plain(value) for name, value in vars(self).items() if name not in left}
        if hasattr(self, "module_"):
            weights = self.module_.state_dict()
            state["_weights"] = {name: value.cpu().numpy() for name, value in weights.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.get("_weights")
        if weights is None:
            self.__dict__.update(state)
            return
        plain = {name: value for name, value in state.items() if name != "_weights"}
        self.__dict__.update({name: from_plain(value) for name, value in plain.items()})
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        with untouched_random_state(cuda=False):
            # Sizes come from a file: without memory of its own until they agree with the weights.
            with torch.device("meta") if self.module is None else nullcontext():
                module = self._new_module(self.n_features_in_, len(self.classes_))
            if not isinstance(module, nn.Module):
                raise TypeError(f"module made a {type(module).__name__}, not a torch.nn.Module.")
            module.load_state_dict(tensors, assign=self.module is None)
        self._module = module
