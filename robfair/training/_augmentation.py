"""One-time augmentation, what paper B calls adversarial training."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robfair._directions import away_from_label
from robfair.adapters import LogitModel
from robfair.training._objectives import Attack, NaturalObjective

__all__ = ["StaticAugmentation"]


class StaticAugmentation(NaturalObjective):
    """Cross-entropy on samples and on adversarial copies that are made once (paper B, IV.A).

    The copies are made before training, for another network, and are not renewed: nothing is
    attacked while the net is trained.
    """

    def copies(
        self,
        module: nn.Module,
        X: NDArray[np.floating],
        y: NDArray[np.intp],
        eps: float,
        attack: Attack,
        batch_size: int,
    ) -> NDArray[np.floating]:
        """Adversarial copies of all samples, by PGD on the cross-entropy of a trained module.

        Parameters
        ----------
        module : torch.nn.Module
            The network that is attacked.
        X : ndarray of shape (n_samples, ...)
            Samples.
        y : ndarray of int, of shape (n_samples,)
            Their classes, as outputs of `module`.
        eps : float
            Radius of the attack.
        attack : Attack
            Its steps, norm, box and random start.
        batch_size : int
            Samples that are attacked at a time.

        Returns
        -------
        ndarray of the shape and dtype of X
            A copy of each sample; the same whatever the weights of the samples.
        """
        model = LogitModel(module)
        parts = []
        for start in range(0, len(X), batch_size):
            part = X[start : start + batch_size]
            label = torch.from_numpy(y[start : start + batch_size]).to(model.device)
            found = attack(
                module,
                model.tensor(part).reshape(part.shape),
                torch.full((len(part),), eps, dtype=model.dtype, device=model.device),
                partial(away_from_label, label=label),
                uniform_start=True,
            )
            parts.append(found.cpu().numpy().astype(X.dtype, copy=False))
        return np.concatenate(parts)
