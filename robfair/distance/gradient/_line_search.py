"""Line search for the boundary, between a point and a flipped point.

The search is a regula falsi (Illinois) on the margin. Logits are nearly linear over the last step
of an attack, so two or three forward passes locate the boundary to a thousandth of the distance,
where bisection needs ten. The result is the flipped end of the bracket, a point that the model has
predicted differently. It is predicted once more if its margin is within rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from robfair._confirm import beyond_rounding, confirm
from robfair._problem import Forward, Problem, distances, margins
from robfair.distance._writer import ResultWriter

__all__ = ["Segments"]

TOLERANCE = 5e-4  # of the distance; bench_constants: doubled, +0.04 % length and -1 % passes
MAX_EVALUATIONS = 40  # two per halving: enough for all bits of float32, and for 5e-4 always


class Segments:
    """Collects flipped samples and searches their segments a full batch at a time."""

    def __init__(self, problem: Problem, results: ResultWriter, forward: Forward) -> None:
        self.problem = problem
        self.results = results
        self.forward = forward
        self.pending: list[dict[str, Tensor]] = []
        self.size = 0

    def add(self, **segment: Tensor) -> None:
        """Add flipped samples; see :func:`search_segments` for the names."""
        self.pending.append(segment)
        self.size += len(segment["index"])
        if self.size >= self.problem.batch_size:
            self.flush()

    def flush(self) -> None:
        """Search what has been collected and write the results."""
        if not self.pending:
            return
        joined: dict[str, Any] = {
            name: torch.cat([segment[name] for segment in self.pending]) for name in self.pending[0]
        }
        self.pending, self.size = [], 0
        index = joined.pop("index")
        with torch.no_grad():
            parts = [
                search_segments(
                    self.forward,
                    norm=self.problem.norm,
                    **{name: joined[name][i : i + self.problem.batch_size] for name in joined},
                )
                for i in range(0, len(index), self.problem.batch_size)
            ]
        points, n_forward = (torch.cat(column) for column in zip(*parts, strict=True))
        self.results.n_forward[index.numpy()] += n_forward.cpu().numpy()
        flipped = ~points.isnan().any(dim=1)
        distance = distances(points, joined["start"], self.problem.norm)
        kept = flipped.cpu()
        self.results.write_found(index[kept].numpy(), distance[flipped], points[flipped])
        self.results.give_up(index[~kept].numpy())


def search_segments(
    forward: Forward,
    *,
    start: Tensor,
    inside: Tensor,
    outside: Tensor,
    label: Tensor,
    margin_inside: Tensor,
    margin_outside: Tensor,
    norm: float,
) -> tuple[Tensor, Tensor]:
    """Return points just beyond the boundary (n, d), and the passes made for each row (n,).

    A segment of the sample `start` goes from `inside`, which is not flipped, to `outside`, which
    is. A point is NaN where a last prediction did not confirm it.
    """
    direction = outside - inside
    sure = torch.zeros_like(label, dtype=torch.bool)
    width = distances(outside, inside, norm)
    tolerance = _tolerance(distances(outside, start, norm), width).to(start.dtype)
    low, high = torch.zeros_like(tolerance), torch.ones_like(tolerance)
    g_low, g_high = margin_inside.clone(), margin_outside.clone()
    n_forward = torch.zeros_like(label)
    last = torch.zeros_like(label)
    slow = torch.zeros_like(sure)
    for evaluation in range(MAX_EVALUATIONS):
        rows = ((high - low) > 2.5 * tolerance).nonzero()[:, 0]
        if len(rows) == 0:
            break
        lo, hi, gl, gh, tol = low[rows], high[rows], g_low[rows], g_high[rows], tolerance[rows]
        # Aim a tolerance to this side of the root, then to that: two near hits close the bracket.
        aim = lo + (hi - lo) * (gl / (gl - gh)) + torch.where(last[rows] > 0, -tol, tol)
        t = torch.maximum(torch.minimum(aim, hi - tol / 2), lo + tol / 2)
        t = torch.where(slow[rows] | (gl <= gh), (lo + hi) / 2, t)  # saturated ends may tie
        tried = inside[rows] + t[:, None] * direction[rows]
        logits = forward(tried)
        margin = margins(logits, label[rows])
        n_forward[rows] += 1
        flipped = margin < 0
        beyond = beyond_rounding(margin, logits, start.dtype)
        sure[rows] = torch.where(flipped, beyond, sure[rows])
        side = torch.where(flipped, 1, -1)
        again = side == last[rows]
        # Illinois: an end that stays twice in a row counts half, or the bracket would not close.
        g_low[rows] = torch.where(flipped, torch.where(again, gl / 2, gl), margin)
        g_high[rows] = torch.where(flipped, margin, torch.where(again, gh / 2, gh))
        low[rows], high[rows] = torch.where(flipped, lo, t), torch.where(flipped, t, hi)
        last[rows] = side
        # A bisection where the bracket has not been halved.
        slow[rows] = ~slow[rows] & (high[rows] - low[rows] > (hi - lo) / 2) & (evaluation >= 2)
        nearer = rows[flipped]
        distance = distances(tried[flipped], start[nearer], norm)
        tolerance[nearer] = _tolerance(distance, width[nearer]).to(start.dtype)
    points = inside + high[:, None] * direction  # the same operations as `tried`: the same bits
    rows = (~sure).nonzero()[:, 0]
    points[rows], passes = _step_out(
        forward, inside[rows], outside[rows], high[rows], tolerance[rows], label[rows]
    )
    n_forward[rows] += passes
    return points, n_forward


def _tolerance(distance: Tensor, width: Tensor) -> Tensor:
    """Return the tolerance as a share of the segment, at most all of it."""
    return (TOLERANCE * distance / width.clamp_min(torch.finfo(width.dtype).tiny)).clamp(max=1)


def _step_out(
    forward: Forward, inside: Tensor, outside: Tensor, t: Tensor, tolerance: Tensor, label: Tensor
) -> tuple[Tensor, Tensor]:
    """Predict points once more whose margin is within rounding; step out if need be."""
    passes = torch.zeros_like(label)

    def attempt(rows: Tensor, extra: float) -> tuple[Tensor, Tensor, Tensor]:
        # The end itself, not inside + 1 * direction, which can round back over the boundary.
        at_end = (t[rows] + extra * tolerance[rows] >= 1)[:, None]
        share = (t[rows] + min(extra, 1e6) * tolerance[rows])[:, None]
        between = inside[rows] + share * (outside[rows] - inside[rows])
        candidate = torch.where(at_end, outside[rows], between)
        passes[rows] += 1
        flipped = forward(candidate).argmax(dim=1) != label[rows]
        return candidate, flipped, flipped

    return confirm(inside, (0.0, 1.0, 8.0, torch.inf), attempt), passes
