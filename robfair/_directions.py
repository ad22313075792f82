"""Directions of ascent of attacks: weights of the logits, in place of the gradient of a loss.

Steps have a length of their own, so only the direction of a gradient counts, and a loss may be
divided by whatever makes its gradient vanish. In float32 the gradient of the cross-entropy loses
its part at the label from 17 nats of confidence on and is zero from 104 nats on. A plain attack
then does not move: confidence masks the gradient, not robustness. These weights keep their size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["TRADES_START", "away_from_label", "away_from_prediction"]

# The KL divergence has no gradient at x itself. TRADES starts from noise of 0.001 * N(0, 1) at
# eps = 0.031, whatever the scale of the features.
TRADES_START = 0.001 / 0.031


def away_from_label(logits: Tensor, label: Tensor) -> Tensor:
    """Return the direction of the gradient of the cross-entropy.

    The cross-entropy is ``log(1 + exp(m))`` with ``m = logsumexp(other logits) - logit of label``,
    so both have the same direction of ascent, and m does not saturate: its gradient is returned.
    """
    own = label[:, None]
    if logits.shape[1] == 2:  # the softmax over one class is 1, and takes time
        return torch.ones_like(logits).scatter_(1, own, -1.0)
    return F.softmax(logits.scatter(1, own, -torch.inf), dim=1).scatter(1, own, -1.0)


def away_from_prediction(logits: Tensor, clean: Tensor) -> Tensor:
    """Return the direction of the gradient of the divergence of TRADES, KL(p(x) || p(x')).

    The gradient is p(x') - p(x). The differences of the small probabilities are computed relative
    to the greatest of them, and that of the top class is what makes the sum zero.
    """
    top = clean.argmax(dim=1, keepdim=True)
    before, after = (F.log_softmax(z, dim=1).scatter(1, top, -torch.inf) for z in (clean, logits))
    greatest = torch.maximum(before, after).amax(dim=1, keepdim=True)
    others = (after - greatest).exp() - (before - greatest).exp()
    return others.scatter(1, top, -others.sum(dim=1, keepdim=True))
