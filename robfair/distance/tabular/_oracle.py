"""A network's answers about rows of a table: classes, margins and gradients, with their count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair._confirm import beyond_rounding, confirm, outwards
from robfair._problem import Forward, Problem, finite, margins
from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance._writer import ResultWriter
from robfair.distance.tabular._space import TableRows, TableSpace


class TableOracle:
    """Ask a network about rows of a space, and count the passes for each sample in `results`."""

    def __init__(
        self, problem: Problem, results: ResultWriter, space: TableSpace, forward: Forward
    ) -> None:
        self.problem, self.results, self.space, self.forward = problem, results, space, forward

    def batches(self, n: int) -> Iterator[slice]:
        """Divide n rows into batches."""
        size = self.problem.batch_size
        return (slice(first, first + size) for first in range(0, n, size))

    def count(self, samples: Indices, forward: Any, backward: Any) -> None:
        """Add passes to the samples, which may repeat: a number for all, or one for each."""
        size = len(self.results.distance)
        totals = (self.results.n_forward, self.results.n_backward)
        for total, times in zip(totals, (forward, backward), strict=True):
            weights = np.broadcast_to(times, samples.shape)
            total += np.bincount(samples, weights, size).astype(np.int32)

    def labels(self, samples: Indices) -> Tensor:
        """Return the predicted classes of samples as a tensor."""
        return torch.from_numpy(self.results.predicted_codes[samples]).to(self.problem.model.device)

    def predict(self, points: NDArray[Any]) -> Indices:
        """Predict the class of points, which are not counted."""
        codes = np.empty(len(points), dtype=np.intp)
        with torch.no_grad():
            for batch in self.batches(len(points)):
                logits = finite(self.forward(self.problem.model.tensor(points[batch])))
                codes[batch] = logits.argmax(dim=1).cpu().numpy()
        return codes

    def margin(self, rows: TableRows) -> Array:
        """Return the margin of each row, negative once it is flipped."""
        return self._margins(rows.sample, rows.points)[0]

    def _margins(self, samples: Indices, points: NDArray[Any]) -> tuple[Array, Flags]:
        """Margin of each point, and whether it is flipped beyond rounding."""
        margin, sure = np.empty(len(samples)), np.empty(len(samples), dtype=bool)
        dtype = self.problem.model.dtype
        with torch.no_grad():
            for batch in self.batches(len(samples)):
                logits = finite(self.forward(self.problem.model.tensor(points[batch])))
                values = margins(logits, self.labels(samples[batch]))
                margin[batch] = values.double().cpu().numpy()
                sure[batch] = beyond_rounding(values, logits, dtype).cpu().numpy()
        self.count(samples, 1, 0)
        return margin, sure

    def gradients(self, rows: TableRows, n_targets: int) -> Array:
        """Return gradients of the margins to the greatest logits, of shape (n_targets, m, d).

        They are per feature and not per unit.
        """
        gradients = np.empty((n_targets, *rows.points.shape))
        for batch in self.batches(len(rows)):
            x = self.problem.model.tensor(rows.points[batch]).requires_grad_(True)
            label = self.labels(rows.sample[batch])
            with torch.enable_grad():
                logits = self.forward(x)
                own = logits.gather(1, label[:, None])
                # The predicted class itself is not a target.
                others = logits.detach().scatter(1, label[:, None], -torch.inf)
                gaps = own - logits.gather(1, others.topk(n_targets, dim=1).indices)
                for j in range(n_targets):
                    (gradient,) = torch.autograd.grad(
                        # Rows do not depend on each other, so the sum gives each its own.
                        gaps[:, j].sum(),
                        x,
                        retain_graph=True,
                        materialize_grads=True,
                    )
                    gradients[j, batch] = gradient.double().cpu().numpy()
        self.count(rows.sample, 1, n_targets)
        return gradients

    def confirm(self, rows: TableRows) -> TableRows:
        """Predict flipped rows once more, and step outwards until rounding cannot unflip them."""
        x, points = self.space.X[rows.sample], rows.points

        def attempt(index: Tensor, beyond: float) -> tuple[Tensor, Tensor, Tensor]:
            i = index.numpy()
            tried = points[i] + beyond * (points[i] - x[i])
            tried = np.clip(tried, self.space.low, self.space.high).astype(points.dtype)
            # Integers and categories must stay whole.
            tried = np.where(self.space.continuous, tried, points[i])
            margin, sure = self._margins(rows.sample[i], tried)
            return torch.from_numpy(tried), torch.from_numpy(margin < 0), torch.from_numpy(sure)

        ends = torch.from_numpy(points)
        confirmed = confirm(ends, (0.0, *outwards(ends.dtype)), attempt).numpy()
        flipped = ~np.isnan(confirmed).any(axis=1)
        return replace(rows, points=confirmed)[flipped]
