"""Any differentiable model as a function to logits, in the space that is perturbed.

:func:`as_logits` turns a model into a :class:`LogitModel`: a torch module, the labels of its
outputs, and the transformers before it. Distances and attacks see only that. The user's model is
left as found: modules are in evaluation mode only during a pass, ``autograd.grad`` fills no
``.grad``, and nothing is moved to another device or dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetBinaryClassifier
from torch import Tensor, nn

from robfair.adapters._foreign import check_initialised, is_half, not_compiled, unwrapped
from robfair.adapters._modes import evaluation_mode
from robfair.adapters._numbers import as_numbers
from robfair.adapters._outputs import as_tensor, log_probability
from robfair.adapters._steps import has_steps, last_step
from robfair.adapters._vjp import ForwardVjp, autograd_vjp, forward_vjp

__all__ = [
    "Adapted",
    "LogitModel",
    "NotDifferentiable",
    "as_logits",
    "find_codes",
    "predicts_by_module",
]

SUPPORTED = (
    "a torch.nn.Module, a robfair classifier, a skorch classifier, one of scikit-learn's linear "
    "classifiers (LogisticRegression, LinearSVC, SGDClassifier, RidgeClassifier, Perceptron, "
    "LinearDiscriminantAnalysis, ...) or MLPClassifier, a Pipeline that ends in one of these, or "
    "a fitted GridSearchCV (any *SearchCV) over one of these"
)


class NotDifferentiable(TypeError):
    """The model is of a kind that has no gradient; it may still predict."""


class Adapted:
    """An adapted model: its inputs, and the labels of its classes."""

    classes: NDArray[Any] | None
    transform: Callable[[Any], Any] | None
    dtype: torch.dtype
    device: torch.device

    def inputs(self, X: Any) -> NDArray[Any]:
        """Apply the transformers once; return the array that is perturbed.

        Raises ValueError if `X` is sparse, or not an array of finite numbers.
        """
        if isinstance(X, Tensor):
            X = X.detach().cpu().numpy()
        if sparse.issparse(X):
            raise ValueError(
                "X is sparse, and a perturbation of it would not be: pass X.toarray()."
            )
        if self.transform is None:
            return as_numbers(X, "X")
        X = self.transform(X)
        if sparse.issparse(X):  # OneHotEncoder's default output
            X = X.toarray()  # type: ignore[attr-defined]
        return as_numbers(X, "the input of the last step of the Pipeline")

    def tensor(self, X: NDArray[Any]) -> Tensor:
        """Copy some samples to the model's dtype and device, flattened to (n, n_features)."""
        flat = X.reshape(len(X), math.prod(X.shape[1:]))
        # "W": torch warns of arrays it could not write to, although it copies them here.
        return torch.from_numpy(np.require(flat, requirements=["C", "W"])).to(
            device=self.device, dtype=self.dtype, copy=True
        )

    def labels(self, codes: NDArray[np.intp]) -> NDArray[Any]:
        """Return the class labels of the outputs `codes`."""
        return codes if self.classes is None else self.classes[codes]

    def codes(self, y: Any, n_classes: int) -> NDArray[np.intp]:
        """Return the output index of each label in `y`. Raises ValueError if one is unknown."""
        classes = np.arange(n_classes) if self.classes is None else self.classes
        y = np.asarray(y)
        codes = find_codes(classes, y)
        unknown = codes < 0
        if np.any(unknown):
            raise ValueError(
                f"y holds labels that the model does not know: {pd.unique(y[unknown])[:5]} "
                f"({y.dtype}); its classes are {classes[:10]} ({classes.dtype}). "
                "Pass y in the labels that the model was fitted on."
            )
        return codes


def find_codes(classes: NDArray[Any], y: NDArray[Any]) -> NDArray[np.intp]:
    """Return the position of each label in `classes`, and -1 for one that is not there."""
    # By equality, not by order: skorch keeps `classes=` in the user's order, and labels of two
    # types, such as 0 and "no", have none.
    positions = {label: i for i, label in enumerate(classes.tolist())}
    codes, labels = pd.factorize(y)
    found = [positions.get(label, -1) for label in labels.tolist()]
    return np.array([*found, -1], dtype=np.intp)[codes]  # the last one: a missing label


@dataclass(frozen=True)
class LogitModel(Adapted):
    """A classifier as a function from a batch of samples to logits.

    Attributes
    ----------
    module : torch.nn.Module
        The network, in its own dtype and on its own device.
    classes : ndarray of shape (n_classes,) or None
        The label of each logit; None for a bare module, whose labels are 0 to n_classes - 1.
    transform : callable or None
        What a Pipeline does before its last step.
    to_logits : callable or None
        Turns what the module returns into logits, where these are not the same.
    dtype : torch.dtype
        That of points and logits: the module's own, or float32 for a module in half precision.
    own_dtype : torch.dtype
        That of the module's first parameter, which its inputs are cast to.
    """

    module: nn.Module
    classes: NDArray[Any] | None = None
    transform: Callable[[Any], Any] | None = None
    to_logits: Callable[[Tensor], Tensor] | None = None
    dtype: torch.dtype = field(init=False)
    own_dtype: torch.dtype = field(init=False)
    device: torch.device = field(init=False)

    def __post_init__(self) -> None:
        check_initialised(self.module)
        tensors = (*self.module.parameters(), *self.module.buffers())
        first = next((t for t in tensors if t.is_floating_point()), torch.zeros(0))
        # The dataclass is frozen.
        object.__setattr__(self, "own_dtype", first.dtype)
        object.__setattr__(self, "dtype", torch.promote_types(first.dtype, torch.float32))
        object.__setattr__(self, "device", first.device)

    @property
    def is_half(self) -> bool:
        """Tell whether any part is in half precision, whose rounding no proof can neglect."""
        return is_half(self.module)

    @contextmanager
    def forward(self, shape: tuple[int, ...]) -> Iterator[Callable[[Tensor], Tensor]]:
        """Yield the function from flattened samples (n, n_features) to logits (n, n_classes).

        The function raises ValueError if the module returns no logits.
        """
        with self.passes(shape) as run:

            def forward(flat: Tensor) -> Tensor:
                if len(flat):
                    return self.logits(run(flat))
                # Some modules refuse an empty batch, such as those that reshape by its size.
                row = flat.new_zeros(1, *flat.shape[1:])
                return self.logits(run(torch.cat([flat, row])))[:0]

            yield forward

    @contextmanager
    def forward_vjp(self, shape: tuple[int, ...]) -> Iterator[ForwardVjp]:
        """Yield the function from flattened samples to logits and their vector-Jacobian product."""
        with self.forward(shape) as forward:
            # What is derived from the output of the module, or cast, needs autograd.
            casts = self.own_dtype != self.dtype or torch.is_autocast_enabled(self.device.type)
            by_autograd = self.to_logits or casts
            yield autograd_vjp(forward) if by_autograd else forward_vjp(self.module, forward)

    @contextmanager
    def passes(self, shape: tuple[int, ...]) -> Iterator[Callable[[Tensor], Any]]:
        """Yield the function from flattened samples to what the module returns."""

        def run(flat: Tensor) -> Any:
            # A copy: a first layer in place would write to the samples, and to a leaf of autograd.
            return self.module(flat.reshape(len(flat), *shape).to(self.own_dtype, copy=True))

        with evaluation_mode(self.module), not_compiled():
            yield run

    def logits(self, returned: Any) -> Tensor:
        """Turn the module's output into logits of shape (n_samples, n_classes), in `dtype`.

        Raises ValueError if there are none in it.
        """
        out = as_tensor(returned)
        if self.to_logits is not None:
            out = self.to_logits(out)
        if out.ndim < 2 or out.shape[1] == 1:
            # One output is the logit of the second of two classes.
            out = out.reshape(-1, 1)
            out = torch.cat([torch.zeros_like(out), out], dim=1)
        return out.to(self.dtype)


def as_logits(model: Any) -> LogitModel:
    """Adapt `model` to a function to logits.

    Parameters
    ----------
    model : object
        A fitted classifier; see the TypeError for what is supported.

    Returns
    -------
    LogitModel
        The adapted model.

    Raises
    ------
    TypeError
        If the model is of a kind that cannot be differentiated.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    if isinstance(model, LogitModel):
        return model
    if isinstance(model, type):
        raise TypeError(
            f"model is the class {model.__name__}, not a fitted instance of it. Supported: "
            f"{SUPPORTED}."
        )
    if isinstance(model, nn.Module):
        return LogitModel(unwrapped(model))
    if has_steps(model):
        transform, last = last_step(model)
        return replace(as_logits(last), transform=transform)
    if isinstance(model, LinearClassifierMixin):
        check_is_fitted(model)
        binarizer = getattr(model, "_label_binarizer", None)  # RidgeClassifier
        if getattr(binarizer, "y_type_", "").startswith("multilabel"):
            raise TypeError(
                f"{type(model).__name__} was fitted on multilabel y; robfair needs one class each."
            )
        return LogitModel(_linear_module(model.coef_, model.intercept_), classes=model.classes_)
    if isinstance(model, MLPClassifier):
        return _from_mlp(model)
    if predicts_by_module(model):
        check_is_fitted(model)
        return LogitModel(
            unwrapped(model.module_),
            classes=np.asarray(model.classes_),
            to_logits=_skorch_output(model),
        )
    raise NotDifferentiable(
        f"cannot differentiate a model of type {type(model).__name__}. Supported: {SUPPORTED}. "
        'A model that only predicts is measured by method="decision", which "auto" takes for it.'
    )


def predicts_by_module(model: Any) -> bool:
    """Tell whether an estimator has a ``module_``, by the convention of skorch and robfair."""
    if not (hasattr(model, "get_params") and hasattr(model, "fit")):
        return False
    return hasattr(type(model), "module_") or "module" in model.get_params(deep=False)


def _skorch_output(model: Any) -> Callable[[Tensor], Tensor] | None:
    # skorch's NeuralNetClassifier trains modules that return probabilities by default; their
    # logarithm is a logit that does not saturate.
    if isinstance(getattr(model, "criterion_", None), nn.NLLLoss):
        return log_probability
    if isinstance(model, NeuralNetBinaryClassifier):
        shift = math.log(model.threshold) - math.log1p(-model.threshold)
        if isinstance(model.criterion_, nn.BCELoss):
            return lambda out: torch.logit(out, torch.finfo(out.dtype).eps) - shift
        if shift:
            return lambda out: out - shift
    return None


def _linear_module(coef: NDArray[Any], intercept: Any) -> nn.Module:
    if sparse.issparse(coef):  # after sparsify()
        coef = coef.toarray()  # type: ignore[attr-defined]
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    # skip_init: drawing weights only to overwrite them would advance torch's global generator.
    layer: nn.Linear = nn.utils.skip_init(
        nn.Linear, coef.shape[1], coef.shape[0], dtype=torch.float64
    )
    layer.requires_grad_(False)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(coef))
        layer.bias.copy_(torch.from_numpy(np.broadcast_to(np.asarray(intercept), len(coef)).copy()))
    return layer


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}


def _from_mlp(model: MLPClassifier) -> LogitModel:
    """Rebuild the network in torch. Raises TypeError if `y` was multilabel."""
    check_is_fitted(model)
    if np.asarray(model.classes_).ndim != 1 or model._label_binarizer.y_type_.startswith("multil"):
        raise TypeError("MLPClassifier was fitted on multilabel y; robfair needs one class each.")
    layers: list[nn.Module] = []
    for coef, intercept in zip(model.coefs_, model.intercepts_, strict=True):
        layers += [_linear_module(coef.T, intercept), _ACTIVATIONS[model.activation]()]
    # No activation follows the output layer: the softmax is not a part of the logits.
    return LogitModel(nn.Sequential(*layers[:-1]), classes=model.classes_)
