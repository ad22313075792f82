"""A certified radius per sample: the search for the greatest ball in which the label must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from robfair._geometry import norms, step_to_hyperplane
from robfair.adapters import LogitModel
from robfair.certify._affine import TracedNetwork, UnsupportedLayer
from robfair.certify._ball import BoxedBall
from robfair.certify._crown import Crown
from robfair.certify._relaxation import Bounds
from robfair.certify._trace import double_copy, trace

__all__ = ["certified_radius", "traced_network"]

TOLERANCE = 0.01  # relative, of the radius: far below what the relaxation loses
ROUNDS = 40  # bisections alone would take about seven for the tolerance
# Share of the distance that an attack has found; bench_constants: 0.25 and 0.9, +0.1 % radius.
FIRST_GUESS = 0.5
# Powers of the radius by which a margin falls: least, first guess, greatest; bench_constants: first
# guess halved and doubled, +0.1 % radius.
POWERS = 0.2, 2.0, 8.0
# Times the certified radius, at most, while none has failed; bench_constants: 4 and 16, the same.
AHEAD = 8
NUMBERS = 2**22  # bounds of all neurons of the samples in one batch
# A margin must exceed this many roundings of the greatest logit in the module's dtype, ...
ROUNDINGS = 128
# ... in float64 at least this share of it, and this many times the difference that is observed
# between the module and its copy in float64.
FLOOR = 1e-9
OBSERVED = 8
# ... and the errors of all layers, each with this many roundings of what is added up in it.
TERMS = 8


def certified_radius(
    model: LogitModel,
    x: Tensor,
    label: Tensor,
    upper: Tensor,
    *,
    norm: float,
    shape: tuple[int, ...],
    box: tuple[Tensor, Tensor] | None,
    mask: Tensor | None,
    batch_size: int,
    progress: Callable[[int], Any],
    network: TracedNetwork | None = None,
) -> Tensor:
    """Certify a radius around each sample in which the model cannot predict another label.

    Parameters
    ----------
    model : LogitModel
        The model; it is left as found.
    x : Tensor of shape (n_samples, n_features), float64
        The samples, flattened.
    label, upper : Tensor of shape (n_samples,)
        The class that the model predicts for each sample, and the distance at which an attack has
        succeeded; inf where none has.
    norm : {2, inf}
        The norm.
    shape : tuple of int
        Shape of one sample.
    box : tuple of two Tensors of shape (n_features,), or None
        The box that perturbed samples must stay in.
    mask : Tensor of bool, of shape (n_features,), or None
        The features that may change.
    batch_size : int
        Samples at a time; fewer where the network is large.
    progress : callable
        Called with the number of samples that are finished.
    network : TracedNetwork, default=None
        What :func:`traced_network` returns. None: it is called.

    Returns
    -------
    Tensor of shape (n_samples,), float64
        Lower bounds of the distance: 0 where nothing can be certified, inf where the label holds in
        the whole box.

    Raises
    ------
    UnsupportedLayer
        If the module does something that bounds cannot follow.

    Notes
    -----
    Bounds are computed in float64, and hold for the weights in exact arithmetic. The module rounds
    in its own dtype, so a margin counts as positive only if it exceeds an allowance: 128 roundings
    of the greatest logit, 8 times the greatest difference that is observed at the samples, and the
    errors of layers whose terms cancel, estimated as independent.
    """
    network = network or traced_network(model, shape, norm)
    if len(x) == 0:
        return torch.zeros(0, dtype=torch.float64, device=x.device)
    crown = Crown(network, x.device)
    neurons = x.shape[1] + sum(len(layer.inputs.bias) for layer in network.layers)
    step = max(1, min(batch_size, NUMBERS // neurons))
    result = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    with torch.no_grad():
        output = crown.logits(x.T)
        logits = _two_logits(output).T
        allowance = _allowance(model, x, logits, shape)
        unit = TERMS * torch.finfo(model.dtype).eps / 2
        allowance += 2 * crown.rounding(x.T, unit).amax(dim=0)  # a margin is one of two logits
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            down, up = _slack(x[part], box, mask)
            ball = BoxedBall(x[part].T, torch.zeros_like(x[part, 0]), norm, down, up)
            rows = _margin_rows(label[part], logits.shape[1], crown.n_outputs)
            margins = (rows * output[:, part, None]).sum(dim=0)
            if network.layers:
                least = margins.amin(dim=1)
                search = _Search(crown, ball, rows, least, allowance[part], upper[part].double())
                result[part] = search.run()
            else:
                result[part] = _affine_radius(network, ball, rows, margins - allowance[part, None])
            progress(len(rows[0]))
    return result


def traced_network(model: LogitModel, shape: tuple[int, ...], norm: float) -> TracedNetwork:
    """Write a model as affine maps between nonlinear layers.

    While torch.fx traces a module, it changes modules for all threads: trace before they start.

    Parameters
    ----------
    model : LogitModel
        The model; it is left as found.
    shape : tuple of int
        Shape of one sample.
    norm : {2, inf}
        The norm that bounds will be for; those in the other one are valid, but not as tight.

    Returns
    -------
    TracedNetwork
        The network, which :func:`certified_radius` takes.

    Raises
    ------
    UnsupportedLayer
        If the module does something that bounds cannot follow.
    """
    if model.to_logits is not None:
        raise UnsupportedLayer(
            "certified distances need a module that returns logits; this model's output is "
            "transformed into logits afterwards (skorch with probabilities or a threshold)."
        )
    if model.is_half:
        raise UnsupportedLayer(
            "a part of the module is in half precision, whose rounding the bounds do not cover: "
            "certify it in float32."
        )
    return trace(model.module, shape, maxima=norm != 2)


def _two_logits(logits: Tensor) -> Tensor:
    """Write a single output s as two logits, (0, s); the first axis holds the outputs."""
    return torch.cat([torch.zeros_like(logits), logits]) if len(logits) == 1 else logits


def _margin_rows(label: Tensor, n_classes: int, n_outputs: int) -> Tensor:
    """Subtract every target class from the label: weights of shape (output, sample, target)."""
    unit = torch.eye(n_classes, dtype=torch.float64, device=label.device)
    targets = torch.arange(n_classes - 1, device=label.device)[None]
    targets = targets + (targets >= label[:, None]).long()
    rows = (unit[label][:, None] - unit[targets]).permute(2, 0, 1)
    return rows[n_classes - n_outputs :].contiguous()  # of two classes one output may be implied


def _slack(
    x: Tensor, box: tuple[Tensor, Tensor] | None, mask: Tensor | None
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Return how far each feature can go down and up, of shape (n_features, n_samples)."""
    if box is None and mask is None:
        return None, None
    down, up = torch.full_like(x, torch.inf), torch.full_like(x, torch.inf)
    if box is not None:
        # Samples may lie a rounding outside of the box.
        down, up = (x - box[0]).clamp(min=0), (box[1] - x).clamp(min=0)
    if mask is not None:
        down, up = torch.where(mask, down, 0), torch.where(mask, up, 0)
    return down.T.contiguous(), up.T.contiguous()


def _allowance(model: LogitModel, x: Tensor, logits: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the margins that rounding may turn, of shape (n_samples,).

    Raises UnsupportedLayer if the traced network does not compute the logits of the module.
    """
    clone = double_copy(model.module, shape, x.device)
    with model.forward(shape) as forward:
        own = forward(x.to(model.dtype)).double()
    exact = _two_logits(clone(x.reshape(len(x), *shape)).reshape(len(x), -1).T).T
    scale = logits.abs().amax(dim=1)
    if exact.shape != logits.shape or bool(
        ((exact - logits).abs().amax(dim=1) > FLOOR * scale).any()
    ):
        raise UnsupportedLayer(
            f"what torch.fx traces of {type(model.module).__name__} does not give the logits that "
            "the module gives; an operation in place, a hook or a branch may be the reason."
        )
    share = max(ROUNDINGS * torch.finfo(model.dtype).eps, FLOOR)
    return share * scale + OBSERVED * (own - logits).abs().amax()


def _affine_radius(
    network: TracedNetwork, ball: BoxedBall, rows: Tensor, margins: Tensor
) -> Tensor:
    """Return the radii of an affine network: its distances, in closed form."""
    weight = torch.from_numpy(network.output.terms[0].toarray()).to(rows)
    slack = None if ball.down is None or ball.up is None else (ball.down.T, ball.up.T)
    radius = torch.full_like(ball.radius, torch.inf)
    for row, margin in zip(rows.unbind(dim=2), margins.unbind(dim=1), strict=True):
        normal = -(row.T @ weight)
        step, reached = step_to_hyperplane(normal, margin.clamp_min(0), ball.norm, slack)
        distance = torch.where(reached, norms(step, ball.norm), torch.inf)
        # A margin within the allowance certifies nothing.
        radius = torch.minimum(radius, torch.where(margin > 0, distance, 0))
    return radius


@dataclass
class _Search:
    """Brackets of the radii of a batch, each between a certified and a failed radius.

    A margin falls like a power of the radius: the bounds of one layer widen the relaxation of the
    next. So the next trial is where the power law through the last two falls meets the margin.
    """

    crown: Crown
    ball: BoxedBall
    rows: Tensor
    margin: Tensor  # of the sample itself
    allowance: Tensor
    upper: Tensor

    def run(self) -> Tensor:
        """Return the certified radii."""
        self.start = self.margin - self.allowance
        self.good, self.bad = torch.zeros_like(self.upper), self.upper.clone()
        self.whole = self._whole()
        active = (self.start > 0) & (self.bad > 0)  # else too close to a boundary for any radius
        trial = self._first(active.nonzero()[:, 0])
        self.last = torch.full_like(self.upper, torch.nan)  # the radius before
        self.fall = self.last.clone()  # what it cost
        for step in range(ROUNDS):
            rows = active.nonzero()[:, 0]
            if len(rows) == 0:
                break
            root = self._test(rows, trial[rows])
            # After the first step the power, and so the root, is a guess. In a box, where the
            # fall has kinks, later roots may even lie below a radius that is certified.
            guess = (root < self.good[rows]) | (step == 0)
            end = torch.where(guess, self.bad[rows], torch.minimum(root, self.bad[rows]))
            active[rows] = end > self.good[rows] * (1 + TOLERANCE)
            trial[rows] = self._next(rows, root)
        return self.good

    def _whole(self) -> Tensor:
        """Return the radius of a ball that holds the whole box."""
        if self.ball.down is None or self.ball.up is None:
            return torch.full_like(self.upper, torch.inf)
        far = torch.maximum(self.ball.down, self.ball.up)
        return norms(far.T, self.ball.norm) * (1 + TOLERANCE)

    def _first(self, active: Tensor) -> Tensor:
        """Begin at a part of the attack's distance, at the whole box, or at a linear estimate."""
        found = torch.where(self.upper.isfinite(), FIRST_GUESS * self.upper, self.whole)
        rows = active[found[active].isinf()]
        if len(rows) > 0:
            ball, start = self.ball[rows], self.start[rows]
            still = self.crown.intermediate(replace(ball, radius=torch.zeros_like(start)))
            fall = self._fall(replace(ball, radius=torch.ones_like(start)), still, rows)
            found[rows] = torch.where(fall > 0, start / fall, 1)
        return found

    def _fall(self, ball: BoxedBall, bounds: list[Bounds], rows: Tensor) -> Tensor:
        """Return by how much the margin may fall in a ball."""
        least = self.crown.margins(ball, bounds, self.rows[:, rows])
        return self.margin[rows] - least.amin(dim=1)

    def _test(self, rows: Tensor, radius: Tensor) -> Tensor:
        """Move one end of the brackets of some samples; return where the margins should end."""
        ball = replace(self.ball[rows], radius=radius)
        fall = self._fall(ball, self.crown.intermediate(ball), rows)
        held = fall < self.start[rows]
        self.good[rows[held]], self.bad[rows[~held]] = radius[held], radius[~held]
        power = (fall / self.fall[rows]).log() / (radius / self.last[rows]).log()
        # NaN in the first round, which has no radius before it.
        power = power.nan_to_num(POWERS[1]).clamp(POWERS[0], POWERS[2])
        self.last[rows], self.fall[rows] = radius, fall
        self.good[self.good >= self.whole] = torch.inf  # the label holds in the whole box
        return radius * (self.start[rows] / fall) ** (1 / power)

    def _next(self, rows: Tensor, root: Tensor) -> Tensor:
        """Go to just below the root, but not to an end of the bracket."""
        good, bad = self.good[rows], self.bad[rows]
        width = torch.where(bad.isfinite(), bad - good, AHEAD * good)
        root = torch.where(root.isfinite(), root, good + width / 2)
        low = good + torch.maximum(0.02 * width, 0.5 * TOLERANCE * good)
        return torch.minimum(torch.maximum(root * (1 - TOLERANCE / 2), low), good + 0.95 * width)
