"""Objectives: the natural and the robust loss of each sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robfair._directions import TRADES_START, away_from_label
from robfair.adapters import evaluation_mode, forward_vjp
from robfair.attacks import Ball, projected_gradient
from robfair.models import Standardize
from robfair.threat import ThreatModel
from robfair.training._noise import Noise

__all__ = [
    "Attack",
    "Losses",
    "NaturalObjective",
    "Objective",
    "PgdObjective",
    "TradesObjective",
]


@dataclass(frozen=True)
class Losses:
    """Losses of a batch, and the logits they are made of.

    Attributes
    ----------
    natural, robust : Tensor of shape (n,)
        Losses of the clean and of the attacked samples, beta included; 0 for a sample that has
        none.
    has_natural, attacked : Tensor of bool, of shape (n,)
        Which samples have a natural and which a robust loss.
    weight : Tensor of shape (n,) or None
        Weights above 0, filled in by the net. None: all alike.
    logits : Tensor of shape (n, n_classes) or None
        Logits of the clean samples. None: the objective has none.
    adversarial_logits : Tensor of shape (n, n_classes) or None
        Logits of the attacked samples; those of the others are clean. None: none is attacked.
    """

    natural: Tensor
    robust: Tensor
    has_natural: Tensor
    attacked: Tensor
    weight: Tensor | None = None
    logits: Tensor | None = None
    adversarial_logits: Tensor | None = None

    def detach(self) -> Losses:
        """Return the same losses without their graph."""
        return replace(
            self,
            natural=self.natural.detach(),
            robust=self.robust.detach(),
            logits=None if self.logits is None else self.logits.detach(),
            adversarial_logits=(
                None if self.adversarial_logits is None else self.adversarial_logits.detach()
            ),
        )


@dataclass(frozen=True)
class Attack:
    """The inner maximisation: number and length of its steps, norm and box.

    Attributes
    ----------
    n_steps : int
        Steps of projected gradient ascent.
    relative_step : float
        Step size divided by eps, so that it follows an eps per sample.
    norm : {2, inf}
        Norm of the eps-ball.
    threat_model : ThreatModel
        Box and mutable features.
    noise : Noise
        Source of random starts.
    spread, radius : float, default=1
        Largest distance of a uniform start from its sample, and of any point, divided by eps.
    """

    n_steps: int
    relative_step: float
    norm: float
    threat_model: ThreatModel
    noise: Noise
    spread: float = 1.0
    radius: float = 1.0

    def __call__(
        self,
        module: nn.Module,
        X: Tensor,
        eps: Tensor,
        weights: Callable[[Tensor], Tensor],
        *,
        uniform_start: bool,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Return adversarial examples for a loss of the logits, in evaluation mode.

        `weights` gives its gradient with respect to the logits, up to a factor for each sample.
        Where X holds only some samples of the batch, `rows` is the mask that selects them.
        """
        ball = Ball(X, self.radius * eps, self.norm, self.threat_model)
        wide = ball.per_sample(eps)  # with the axes of X, to multiply
        if uniform_start:
            noise = self.spread * (self.noise.draw(torch.rand, X, rows) * 2 - 1)
        else:
            noise = self.noise.draw(torch.randn, X, rows) * TRADES_START
        with evaluation_mode(module):
            return projected_gradient(
                forward_vjp(module),
                weights,
                ball,
                start=X + wide * noise,
                step=eps * self.relative_step,
                n_steps=self.n_steps,
            )


class Objective(Protocol):
    """A loss per sample."""

    def __call__(
        self, module: nn.Module, X: Tensor, y: Tensor, eps: Tensor, beta: Tensor, attack: Attack
    ) -> Losses:
        """Return the losses of a batch. Samples of ``beta = 0`` or ``eps = 0`` are not attacked."""


class NaturalObjective:
    """Cross-entropy (Eq. 10 of paper A)."""

    def __call__(
        self, module: nn.Module, X: Tensor, y: Tensor, eps: Tensor, beta: Tensor, attack: Attack
    ) -> Losses:
        """Return the losses of a batch."""
        logits = module(X)
        natural = F.cross_entropy(logits, y, reduction="none")
        every = torch.ones_like(natural, dtype=torch.bool)
        return Losses(natural, torch.zeros_like(natural), every, ~every, logits=logits)


class TradesObjective:
    """TRADES (Eq. 9 of paper A): CE(f(x), y) + beta * max over the eps-ball of KL(p(x) || p(x')).

    The clean logits are computed once a batch. Where the module may behave differently in training
    and in evaluation mode (dropout, batch normalisation, any module of the user's own), the attack
    gets clean logits of its own, from one more pass in evaluation mode.
    """

    def __call__(
        self, module: nn.Module, X: Tensor, y: Tensor, eps: Tensor, beta: Tensor, attack: Attack
    ) -> Losses:
        """Return the losses of a batch."""
        logits = module(X)
        natural = F.cross_entropy(logits, y, reduction="none")
        robust = torch.zeros_like(natural)
        attacked = (beta > 0) & (eps > 0)
        every = torch.ones_like(attacked)
        if not bool(attacked.any()):
            return Losses(natural, robust, every, attacked, logits=logits)
        whole = bool(attacked.all())  # spares a copy of the batch in plain adversarial training
        x, clean = (X, logits) if whole else (X[attacked], logits[attacked])
        target = _clean_probabilities(module, x, clean)
        adversarial = attack(
            module,
            x,
            eps if whole else eps[attacked],
            lambda out: F.softmax(out, dim=1) - target,  # of the KL divergence
            uniform_start=False,
            rows=None if whole else attacked,
        )
        bad = module(adversarial)
        divergence = F.kl_div(
            F.log_softmax(bad, dim=1), F.softmax(clean, dim=1), reduction="none"
        ).sum(dim=1)
        if whole:
            return Losses(natural, beta * divergence, every, attacked, None, logits, bad)
        robust = robust.masked_scatter(attacked, beta[attacked] * divergence)  # keeps the graph
        bad = logits.index_put((attacked,), bad)
        return Losses(natural, robust, every, attacked, None, logits, bad)


class PgdObjective:
    """Madry's adversarial training: the cross-entropy of the attacked samples, CE(f(x'), y).

    A sample that is not attacked has its natural loss; one that is attacked has no natural loss,
    and beta decides only whether it is.
    """

    def __call__(
        self, module: nn.Module, X: Tensor, y: Tensor, eps: Tensor, beta: Tensor, attack: Attack
    ) -> Losses:
        """Return the losses of a batch."""
        attacked = (beta > 0) & (eps > 0)
        if bool(attacked.any()):
            rows = None if bool(attacked.all()) else attacked
            x, label, radius = (X, y, eps) if rows is None else (X[rows], y[rows], eps[rows])
            adversarial = attack(
                module,
                x,
                radius,
                partial(away_from_label, label=label),
                uniform_start=True,
                rows=rows,
            )
            X = adversarial if rows is None else X.index_put((rows,), adversarial)
        logits = module(X)
        loss = F.cross_entropy(logits, y, reduction="none")
        none = torch.zeros_like(loss)
        natural, robust = torch.where(attacked, none, loss), torch.where(attacked, loss, none)
        if not bool(attacked.any()):
            return Losses(natural, robust, ~attacked, attacked, logits=logits)
        return Losses(natural, robust, ~attacked, attacked, adversarial_logits=logits)


# Modules that compute the same in both modes. Anything else may look at `self.training`.
_SAME_IN_BOTH_MODES = (
    nn.Sequential, nn.Linear, nn.Conv1d, nn.Conv2d, nn.Flatten, nn.Unflatten, nn.Identity,
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.LayerNorm, nn.GroupNorm, Standardize,
)  # fmt: skip


def _clean_probabilities(module: nn.Module, x: Tensor, logits: Tensor) -> Tensor:
    # By type and not isinstance: a subclass may do anything.
    if not all(type(part) in _SAME_IN_BOTH_MODES for part in module.modules()):
        with torch.no_grad(), evaluation_mode(module):
            logits = module(x)
    return F.softmax(logits.detach(), dim=1)
