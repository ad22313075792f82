"""A cheap distance to train with: the nearest boundary point, by a few gradients.

The margin s(x) of a sample's own class over the strongest other one is linearised where the search
is, and the *sample* is projected onto the plane on which it vanishes, so that the perturbation ends
parallel to the gradient there (the iteration of Hasofer, Lind, Rackwitz and Fiessler in the theory
of reliability). DeepFool steps on from where it is, and ends further out: on networks from
adversarial training by a factor of 1.2 to 2.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from robfair._batches import batches, default_batch_size
from robfair._geometry import norms, step_to_hyperplane
from robfair.adapters import evaluation_mode, forward_vjp
from robfair.threat import ThreatModel

__all__ = ["NearestBoundary", "nearest_boundary"]

DAMPING = 0.7  # of all steps but the first, which would jump back and forth
FARTHEST = 10.0  # length of a step, in units of `scale`
ARRIVED = 0.25  # rest of the way, by the linearisation, over the way made
FLOOR = 0.2  # least slope of a gradient, over the median of the batch: flat spots must not shout


@dataclass(frozen=True)
class NearestBoundary:
    """The nearest boundary point that was found for each sample.

    Attributes
    ----------
    points : Tensor of shape (n, ...)
        The points.
    distance : Tensor of shape (n,)
        Distances of the samples to the boundary; negative where a sample is misclassified.
    rival : Tensor of shape (n,)
        The class on the other side.
    slope : Tensor of shape (n,)
        By how much the margin at the point changes if the distance is to change by 1.
    arrived : Tensor of bool, of shape (n,)
        Whether the point is on the boundary; the distance of others is extrapolated.
    """

    points: Tensor
    distance: Tensor
    rival: Tensor
    slope: Tensor
    arrived: Tensor

    def __getitem__(self, rows: Tensor) -> NearestBoundary:
        return NearestBoundary(*(getattr(self, field.name)[rows] for field in fields(self)))

    def trainable(self, module: nn.Module, y: Tensor) -> Tensor:
        """Return a term per sample with the gradient of its distance by the weights of `module`.

        By the envelope theorem this is the gradient of the margin at the boundary point, which
        stays where it is, divided by the slope: no second derivatives. The module is evaluated in
        evaluation mode. A slope below a fifth of the batch's median counts as that.

        Parameters
        ----------
        module : torch.nn.Module
            The network, whose weights may have changed since the search.
        y : Tensor of shape (n,)
            Classes of the samples.

        Returns
        -------
        Tensor of shape (n,)
            The margin at the boundary point, in units of the distance.
        """
        rows = torch.arange(len(y), device=y.device)
        with evaluation_mode(module):
            logits = module(self.points)
        margin: Tensor = logits[rows, y] - logits[rows, self.rival]
        return margin / torch.maximum(self.slope, FLOOR * self.slope.median()).clamp_min(1e-12)


def nearest_boundary(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    *,
    threat_model: ThreatModel | None = None,
    noise: Tensor | None = None,
    scale: float = 1.0,
    n_rivals: int = 1,
    n_steps: int = 3,
) -> NearestBoundary:
    """Find the nearest boundary point of each sample, by a few gradients.

    An upper bound in most cases, as by any search, but not in all: where a search has not arrived,
    the distance is extrapolated.

    Parameters
    ----------
    module : torch.nn.Module
        The network, with a logit per class.
    X : Tensor of shape (n, ...)
        The samples.
    y : Tensor of shape (n,)
        Their classes, as integers from 0.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features, bound to the data. None: L2, no box, everything mutable.
    noise : Tensor of shape (m, n, ...), default=None
        Random directions of m further starts, .5 to 1.5 `scale` away. None: no such starts.
    scale : float, default=1
        Typical distance of a sample.
    n_rivals : int, default=1
        Starts from the sample itself, towards this many other classes: those of the greatest
        logits.
    n_steps : int, default=3
        Steps of each start. A start costs one pass forward and one backward per step, and one more.

    Returns
    -------
    NearestBoundary
        The nearest points.

    Examples
    --------
    A linear rule, whose distance is known: 3 / 5.

    >>> import torch
    >>> from robfair.distance import nearest_boundary
    >>> rule = torch.nn.Linear(2, 2, bias=False)
    >>> rule.weight = torch.nn.Parameter(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    >>> found = nearest_boundary(rule, torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    >>> round(found.distance.item(), 6)
    0.6
    """
    threat_model = ThreatModel() if threat_model is None else threat_model
    n_starts = n_rivals + (0 if noise is None else len(noise))
    most = max(default_batch_size(tuple(X.shape[1:])) // n_starts, 1)
    parts = []
    with evaluation_mode(module):
        for rows in batches(len(X), most):
            some = None if noise is None else noise[:, rows]
            search = _Search(module, X[rows].detach(), y[rows], threat_model, scale)
            parts.append(search(some, n_rivals, n_steps))
    if len(parts) == 1:
        return parts[0]
    return NearestBoundary(
        *(torch.cat([getattr(p, field.name) for p in parts]) for field in fields(NearestBoundary))
    )


class _Search:
    """The search for one batch; points are flat, in the order of starts, then samples."""

    def __init__(
        self, module: nn.Module, X: Tensor, y: Tensor, threat_model: ThreatModel, scale: float
    ) -> None:
        self.look_at, self.shape = forward_vjp(module), X.shape[1:]
        self.x, self.y, self.scale = X.flatten(1), y, scale
        self.norm = threat_model.norm
        box, mask = threat_model.box(tuple(self.shape)), threat_model.mask(tuple(self.shape))
        self.free = None if mask is None else torch.from_numpy(mask.copy()).to(X.device).flatten()
        self.box: tuple[Tensor, Tensor] | None = None
        if box is not None:
            low, high = (torch.from_numpy(side.copy()).to(X).flatten() for side in box)
            self.box = low, high

    @torch.no_grad()
    def __call__(self, noise: Tensor | None, n_rivals: int, n_steps: int) -> NearestBoundary:
        n = len(self.x)
        n_random = 0 if noise is None else len(noise)
        starts = n_rivals + n_random
        start, y = self.x.repeat(starts, 1), self.y.repeat(starts)
        points = start
        if noise is not None:
            points = torch.cat([start[: n_rivals * n], self._around(noise, n_random)])
        rank = torch.zeros(starts, dtype=torch.long, device=y.device)
        rank[:n_rivals] = torch.arange(n_rivals)
        margin, gradient, rival = self._look(points, y, rank.repeat_interleave(n))
        right = margin[:n] > 0
        for step in range(n_steps):
            move = self._to_the_plane(start, points, margin, gradient) - points
            move = move * (DAMPING if step else 1.0)
            length = norms(move, self.norm)
            points = (
                points
                + move * (FARTHEST * self.scale / length.clamp_min(1e-30)).clamp(max=1)[:, None]
            )
            margin, gradient, rival = self._look(points, y, None)
        slope = self._slope(points, start, gradient)
        length = norms(points - start, self.norm)
        rest = torch.where(right.repeat(starts), margin, -margin) / slope.clamp_min(1e-30)
        arrived = rest.abs() < ARRIVED * length + 1e-3 * self.scale
        distance = (length + rest).clamp(min=0, max=1e6 * self.scale)
        order = torch.where(arrived, distance, distance + 1e7 * self.scale)  # those come last
        best = order.view(starts, n).argmin(0) * n + torch.arange(n, device=y.device)
        return NearestBoundary(
            points[best].reshape(n, *self.shape),
            torch.where(right, distance[best], -distance[best]),
            rival[best], slope[best], arrived[best],
        )  # fmt: skip

    def _around(self, noise: Tensor, n_random: int) -> Tensor:
        """Return the random starts."""
        noise = noise.flatten(2) if self.free is None else noise.flatten(2) * self.free
        lengths = torch.linspace(0.5, 1.5, n_random + 2, device=noise.device)[1:-1] * self.scale
        noise = noise.flatten(0, 1)
        size = lengths.to(noise).repeat_interleave(len(self.x)) / norms(noise, self.norm).clamp_min(
            1e-30
        )
        points = self.x.repeat(n_random, 1) + size[:, None] * noise
        return points if self.box is None else points.clamp(*self.box)

    def _look(
        self, points: Tensor, y: Tensor, rank: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return margins, their gradients and the other class: the strongest one, or by rank."""
        logits, vjp = self.look_at(points.reshape(-1, *self.shape))
        rows = torch.arange(len(y), device=y.device)
        others = logits.clone()
        others[rows, y] = -torch.inf
        if rank is None or not bool(rank.any()):
            rival = others.argmax(1)
        else:
            k = min(int(rank.max()) + 1, logits.shape[1] - 1)
            rival = others.topk(k, dim=1).indices[rows, rank.clamp(max=k - 1)]
        weights = torch.zeros_like(logits)
        weights[rows, y] = 1
        weights[rows, rival] = -1
        gradient = vjp(weights).flatten(1)
        if self.free is not None:
            gradient = gradient * self.free
        return logits[rows, y] - logits[rows, rival], gradient, rival

    def _to_the_plane(
        self, start: Tensor, points: Tensor, margin: Tensor, gradient: Tensor
    ) -> Tensor:
        """Project the samples onto the planes at which the linearised margins vanish."""
        value = margin + (gradient * (start - points)).sum(dim=1)  # at the sample itself
        slack = None if self.box is None else (start - self.box[0], self.box[1] - start)
        towards = -torch.where(value >= 0, 1.0, -1.0).to(gradient)[:, None] * gradient
        return start + step_to_hyperplane(towards, value.abs(), self.norm, slack)[0]

    def _slope(self, points: Tensor, start: Tensor, gradient: Tensor) -> Tensor:
        """Dual norm of the gradient, over the features that are not at their bounds."""
        moved = points - start
        if self.box is not None:
            inside = (points > self.box[0]) & (points < self.box[1])
            gradient = gradient * inside
        if self.norm != 2:
            return gradient.abs().sum(dim=1)
        slope = norms(gradient, 2)
        if self.box is None:
            return slope
        # A change of the distance moves the free features alone, which are a part of its length.
        part = norms(moved * inside, 2) / norms(moved, 2).clamp_min(1e-30)
        return torch.where(part > 0, slope / part.clamp_min(1e-30), slope)
