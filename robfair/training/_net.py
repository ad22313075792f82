"""The skorch net that runs an objective under a strategy's plan."""

from __future__ import annotations

import copy
import traceback
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from torch import Tensor, nn

from robfair._isolation import SEEDING, seed_generator
from robfair.adapters import evaluation_mode
from robfair.training._batches import Batch
from robfair.training._callbacks import EpochProgress
from robfair.training._evaluator import GroupEvaluator
from robfair.training._objectives import Attack, Losses, Objective
from robfair.training._plan import GroupPlan
from robfair.training._schedule import SCHEDULES, Schedule
from robfair.training._step import Step
from robfair.training._strategies import Strategy

__all__ = ["RobustNet"]


class _RunEnded(Exception):
    """The run ends before its last epoch, as it is to."""


class _Interrupted(BaseException):
    """Ctrl-C, under a name that skorch does not swallow."""


def _is_early_stopping(error: KeyboardInterrupt) -> bool:
    """Tell whether it was skorch's EarlyStopping, which ends a run by a KeyboardInterrupt."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if frame.f_code is not EarlyStopping.on_epoch_end.__code__:
        return False
    callback: EarlyStopping = frame.f_locals["self"]
    return bool(callback.misses_ == callback.patience)


class RobustNet(NeuralNet):
    """A skorch net whose step is: plan of the groups, attack, losses of the samples, their mean.

    Parameters
    ----------
    module : torch.nn.Module
        The network, an instance.
    objective : Objective
        Gives the losses of each sample.
    strategy : Strategy
        Plans the training of each group.
    attack : Attack
        The inner maximisation.
    evaluator : GroupEvaluator or None
        Measures groups for strategies that ask for it.
    plan : GroupPlan
        The plan that treats all groups alike, from which the strategy starts.
    schedule : str, Schedule or None, default=None
        Factor of the learning rate, from the part of the run that is done; or a key of `SCHEDULES`.
    **kwargs
        Parameters of :class:`skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        objective: Objective,
        strategy: Strategy,
        attack: Attack,
        evaluator: GroupEvaluator | None,
        plan: GroupPlan,
        schedule: str | Schedule | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, criterion=nn.CrossEntropyLoss, **kwargs)
        self.objective = objective
        self.strategy = strategy
        self.attack = attack
        self.evaluator = evaluator
        self.plan = plan
        self.schedule = SCHEDULES[schedule] if isinstance(schedule, str) else schedule

    # The run

    def on_train_begin(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Ask the strategy for its first plan."""
        super().on_train_begin(net, *args, **kwargs)
        self.plan_: GroupPlan = self.strategy.start(self.plan)
        self.epoch_ = -1
        self.ended_ = False

    def stop(self) -> None:
        """End the run after this epoch."""
        self.ended_ = True

    def attack_by(self, attack: Attack) -> None:
        """Attack by another inner maximisation from the next batch on."""
        self.attack = attack

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **params: Any) -> Any:
        """Run the epochs that are left: some may have been run before, see `load_state`."""
        left = self.max_epochs - len(self.history) if epochs is None else epochs
        try:
            return super().fit_loop(X, y, epochs=left, **params)
        except _RunEnded:
            return self
        except KeyboardInterrupt as error:
            if _is_early_stopping(error):
                return self
            raise _Interrupted from error

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **params: Any) -> Any:
        """Train. Ctrl-C raises KeyboardInterrupt, where skorch would return a net half-trained."""
        try:
            return super().partial_fit(X, y, classes, **params)
        except _Interrupted as error:
            raise KeyboardInterrupt from error.__cause__
        finally:
            for _, callback in getattr(self, "callbacks_", []):
                if isinstance(callback, EpochProgress):  # or what is said next goes on in its line
                    callback.close()

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Keep the batches at hand, which know how much of an epoch is done."""
        iterator = super().get_iterator(dataset, training=training)
        if training:
            self.batches_ = iterator
        return iterator

    def on_train_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Let go of the training data, or it would be pickled with the net."""
        super().on_train_end(net, *args, **kwargs)
        self.__dict__.pop("batches_", None)

    def on_epoch_begin(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Let the strategy change the plan; end the run if it is to end."""
        if self.ended_:
            raise _RunEnded
        super().on_epoch_begin(net, *args, **kwargs)
        self.epoch_ += 1
        self.plan_ = self.strategy.on_epoch(self.epoch_, self.plan_, self.evaluator)
        self.batches_.sampling = self.plan_.sampling
        self._sums = np.zeros((2, 2))  # natural and robust: sum of losses, sum of weights
        self.history.record("phase", self.plan_.phase)

    def on_epoch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Record the (weighted) mean of both losses over the samples that have them."""
        super().on_epoch_end(net, *args, **kwargs)
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: no sample has this loss
            natural, robust = self._sums[:, 0] / self._sums[:, 1]
        if not (np.isfinite(self._sums).all() and self._finite_logits(kwargs["dataset_train"])):
            raise ValueError(
                f"the loss became NaN or infinite in epoch {self.epoch_ + 1}: training diverged. "
                "Lower lr or beta, or standardise X."
            )
        self.history.record("natural_loss", float(natural))
        self.history.record("robust_loss", float(robust))
        self.history.record("lr", float(self.optimizer_.param_groups[0]["lr"]))

    def record_strategy(self) -> None:
        """Put what the strategy records into the history."""
        for name, value in self.strategy.record().items():
            if name in self.history[-1]:
                raise ValueError(
                    f"{type(self.strategy).__name__}.record() returns {name!r}, a name that the "
                    "history already has: choose another one."
                )
            self.history.record(name, np.asarray(value, dtype=float).tolist())

    def _finite_logits(self, dataset: Any) -> bool:
        """Tell whether the last step left a usable network: no loss has seen it yet."""
        row = torch.as_tensor(np.array(dataset.X["X"][:1]), device=self.device)
        with SEEDING, torch.no_grad(), evaluation_mode(self.module_):
            return bool(torch.isfinite(self.module_(row)).all())

    # A step

    def train_step(self, batch: Batch, **fit_params: Any) -> Any:
        """Run a step, in which no other thread draws from torch's global generator."""
        with SEEDING:
            seed_generator(self.attack.noise.seed, torch.device(self.device))
            return super().train_step(batch, **fit_params)

    def on_batch_begin(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Set the learning rate to that of the middle of the batch."""
        super().on_batch_begin(net, *args, **kwargs)
        if self.schedule is None:
            return
        # By its place: batches that are left out move the learning rate on, too.
        part = (self.batches_.place + 0.5) / len(self.batches_)
        factor = self.schedule((self.epoch_ + part) / self.max_epochs)
        if not 0 <= factor < np.inf:
            raise ValueError(
                f"lr_schedule must return a finite factor that is not negative; got {factor!r}."
            )
        for group in self.optimizer_.param_groups:
            group["lr"] = factor * group.setdefault("initial_lr", group["lr"])

    def train_step_single(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch and its gradients."""
        inputs, y = batch
        X, groups = inputs["X"], inputs["groups"]
        self._set_training(True)
        plan, strategy = self.plan_, self.strategy
        samples = strategy.on_samples(plan, groups, self.batches_.rows)
        losses = self.objective(self.module_, X, y, samples.eps, samples.beta, self.attack)
        if "weight" in inputs:
            losses = replace(losses, weight=inputs["weight"])
        detached = losses.detach()
        changed = strategy.on_batch(plan, detached, groups)
        loss = (samples if changed is plan else changed.of(groups)).reduce(losses)
        penalty = strategy.penalty(
            Step(
                self.module_, X, y, groups, losses, plan, self.epoch_, self.batches_.place,
                len(self.batches_), self.optimizer_, self.attack, self.evaluator,
            )
        )  # fmt: skip
        if penalty is not None:
            loss = loss + penalty
        loss.backward()
        self._sums += _sums(detached)  # in float64: an epoch has many batches
        return {"loss": loss, "y_pred": None}

    # Its state

    def state(self) -> dict[str, Any]:
        """Return everything on which the rest of the run depends, after an epoch.

        The generator of the order stands for all random numbers: their seeds come from it.
        """
        plan = {field.name: getattr(self.plan_, field.name) for field in fields(GroupPlan)}
        return {
            "module": self.module_.state_dict(),
            "optimizer": self.optimizer_.state_dict(),
            "order": self.iterator_train__generator.get_state(),
            "epoch": self.epoch_,
            "ended": self.ended_,
            "history": [
                {name: value for name, value in row.items() if name != "batches"}
                for row in self.history
            ],
            "plan": plan,
            "strategy": self.strategy.state(),
            "callbacks": {name: cb.state() for name, cb in self.callbacks_ if hasattr(cb, "state")},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state, or from the parts of one that are given."""
        self.module_.load_state_dict(state["module"])
        # A copy: torch would go on in the tensors of the state, from which others may begin, too.
        self.optimizer_.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.iterator_train__generator.set_state(state["order"])
        self.epoch_ = state["epoch"]
        self.history.clear()
        self.history.extend({**row, "batches": []} for row in state["history"])  # skorch's key
        self.ended_ = state.get("ended", False)
        if "plan" in state:
            plan: dict[str, Any] = {
                name: value.to(self.device) if isinstance(value, Tensor) else value
                for name, value in state["plan"].items()
            }
            self.plan_ = GroupPlan(**plan)
        if "strategy" in state:
            self.strategy.load_state(state["strategy"])
        for name, callback in self.callbacks_:
            if name in state.get("callbacks", {}):
                callback.load_state(self, state["callbacks"][name])


def _sums(losses: Losses) -> NDArray[np.float64]:
    """Add up the natural and the robust losses, each beside the weight of its samples."""
    parts = [losses.natural, losses.has_natural, losses.robust, losses.attacked]
    if losses.weight is not None:
        parts = [losses.weight * part for part in parts]
    return np.reshape([float(part.sum()) for part in parts], (2, 2))
