"""The base of the three classifiers: checks, the five steps of `fit`, predictions, saving.

The classifier owns a skorch net (`net_`) and does not inherit from one, since scikit-learn's
contract and skorch's differ in the arguments of `fit`, in labels, and in when parameters are
checked.
"""

from __future__ import annotations

import copyreg
import os
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from robfair._alignment import check_aligned
from robfair._fingerprint import describe
from robfair._precision import warn_of_rounding
from robfair._validation import check_unmasked
from robfair.adapters import LogitModel
from robfair.estimators._callbacks import check_callbacks
from robfair.estimators._groups import encode_fit_groups
from robfair.estimators._net import OPTIMIZERS, check_device, make_net
from robfair.estimators._network import initial_network, isolated, restored_network
from robfair.estimators._rollback import all_or_nothing
from robfair.estimators._samples import Samples
from robfair.estimators._spec import TrainingSpec
from robfair.estimators._weights import fit_weights
from robfair.training import (
    SCHEDULES,
    Checkpoint,
    GroupEvaluator,
    Noise,
    RobustNet,
    draw_held_out,
    draw_seed,
)

PREDICT_BATCH = 4096  # bounds the memory of a prediction
COLUMNS = ("epoch", "phase", "natural_loss", "robust_loss", "robust_accuracy", "lr", "dur")


class BaseRobustClassifier(ClassifierMixin, BaseEstimator):
    """Base of robfair's classifiers; a subclass describes its run by a `TrainingSpec`."""

    # A `sample_weight` of 0 leaves a sample out of `fit` as if it had been removed, while others
    # keep their place in every epoch, their batch and their random numbers. What changes is then
    # due to the sample, and not to chance: refits that leave out one sample each rely on it.
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
        "verbose": ["verbose", None],
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
    averaging: Any
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

    def _training_spec(self, X: NDArray[Any], noise: Noise) -> TrainingSpec:
        """Describe the run; X are the validated training samples."""
        raise NotImplementedError

    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)
    @torch.inference_mode(False)  # wherever it is called from
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
            others keep their order and their random numbers. Groups are evaluated without weights.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If X holds NaN or infinity or leaves the bounds of the threat model, y has one class,
            groups are of another length, missing for some samples, too few or too small to be
            split, weights are negative, NaN, of another length or leave less than two classes, a
            callback asks for a validation set, torch has no such `device` here, or the module does
            not return a finite logit for each class.
        TypeError
            If X is sparse, or a callback is not one of skorch's kind.

        Notes
        -----
        Ctrl-C raises KeyboardInterrupt, and leaves the classifier unfitted, as an error in training
        does; with `warm_start` it is then as it was before. `checkpoint` keeps the finished epochs.
        """
        with all_or_nothing(self) as begin_training:
            check_aligned(
                X=X,
                y=y,
                groups=groups,
                sensitive_features=sensitive_features,
                sample_weight=sample_weight,
            )
            check_callbacks(self)
            check_device(self.device)
            X, y, classes, codes, weight = self._validate(X, y, sample_weight)
            seed = draw_seed(self.random_state)
            spec = self._training_spec(X, Noise(seed))
            compared = spec.strategy.needs_held_out
            groups, labels = encode_fit_groups(
                self, groups, sensitive_features, codes, classes, compared=compared
            )
            checkpoint = self._open_checkpoint(X, y, groups, sample_weight)
            with isolated(self):
                module = initial_network(self, X, classes, seed)
                # numpy's name of the module's dtype, which may be float64.
                dtype = torch.empty(0, dtype=LogitModel(module).dtype).numpy().dtype
                samples = Samples(X.astype(dtype, copy=False), codes, groups, weight)
                samples, evaluator = self._hold_out(samples, labels, module, spec, seed)
                net = make_net(self, spec, module, evaluator, labels, checkpoint, seed)
                begin_training()
                net.fit(samples.inputs, samples.y)
            self._set_fitted(net, classes, labels)
        return self

    def _validate(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
        """Check the arguments of `fit`; return X, y, classes, their codes and weights or None."""
        check_unmasked(X=X, y=y, sample_weight=sample_weight)
        given = X
        X, y = validate_data(self, X, y, dtype=np.float32, allow_nd=self.module is not None)
        warn_of_rounding(given, np.float32)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes[0]!r}: a classifier needs at least two classes."
            )
        return X, y, classes, codes, fit_weights(sample_weight, self.class_weight, y)

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
        # The weights depend on none of these, or nobody can tell.
        without = ("checkpoint", "callbacks", "verbose")
        return Checkpoint(self.checkpoint, describe(self, data, without=without))

    def _hold_out(
        self, samples: Samples, labels: Any, module: nn.Module, spec: TrainingSpec, seed: int
    ) -> tuple[Samples, GroupEvaluator]:
        """Return the samples to train on, and the evaluator with these and the held-out ones."""
        mask = np.zeros(len(samples.y), dtype=bool)
        if spec.strategy.needs_held_out or self.early_stopping or spec.fallback is not None:
            fraction = self.validation_fraction
            mask = draw_held_out(samples.groups, samples.y, fraction, labels, seed)
        samples, held_out = samples.split(mask, labels)
        train = samples if samples.kept.all() else samples[samples.kept]
        evaluator = spec.evaluator(module.to(self.device), held_out, train, len(labels))
        if self.class_weight == "oversample":
            samples = samples.oversampled()  # after the split: no copy of a held-out sample
        return samples, evaluator

    def _set_fitted(self, net: RobustNet, classes: NDArray[Any], labels: Any) -> None:
        net.evaluator = None  # or the held-out data would be pickled with the model
        self.__dict__.pop("_module", None)  # of a loaded file, which this fit replaces
        self.classes_, self.groups_ = classes, labels.to_numpy()
        self.net_, self.strategy_ = net, net.strategy
        names = (*COLUMNS, *net.strategy.record())
        self.history_ = {name: _column(net.history, name) for name in names}

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
        check_unmasked(X=X)
        X = validate_data(self, X, dtype=np.float32, allow_nd=self.module is not None, reset=False)
        model = LogitModel(self.module_, classes=self.classes_)
        with torch.no_grad(), model.forward(X.shape[1:]) as forward:
            parts = [
                # In double precision, so that the probabilities sum to 1 closely.
                forward(model.tensor(X[start : start + PREDICT_BATCH])).double().softmax(dim=1)
                for start in range(0, len(X), PREDICT_BATCH)
            ]
        return torch.cat(parts).cpu().numpy()

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of the predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with a `module`
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        float
            Fraction of samples that are classified correctly.

        Raises
        ------
        ValueError
            If the indexes of pandas arguments differ.
        """
        check_aligned(X=X, y=y, sample_weight=sample_weight)
        return float(super().score(X, y, sample_weight=sample_weight))

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

    # Saving. A pickle or a copy holds everything. skops asks `__getstate__` instead, and can save
    # plain values and arrays alone: parameters, fitted attributes and weights. The net, with its
    # optimizer and its random generator, and the strategy are left behind; prediction and
    # warm_start need neither.

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
        state = {name: value for name, value in vars(self).items() if name not in left}
        if hasattr(self, "module_"):
            weights = self.module_.state_dict()
            state["_weights"] = {name: value.cpu().numpy() for name, value in weights.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        weights = self.__dict__.pop("_weights", None)
        if weights is not None:
            self._module = restored_network(self, weights)


def _column(history: Any, name: str) -> NDArray[Any]:
    """Return what an epoch recorded under a name, for all epochs; NaN where there is nothing."""
    values = [np.asarray(epoch[name]) for epoch in history if name in epoch]
    nothing = np.full(values[0].shape if values else (), np.nan)
    return np.array([epoch.get(name, nothing) for epoch in history])
