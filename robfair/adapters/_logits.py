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
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.model_selection._search import BaseSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNetBinaryClassifier
from torch import Tensor, nn

from robfair.adapters._modes import evaluation_mode
from robfair.adapters._vjp import ForwardVjp, autograd_vjp, forward_vjp

__all__ = [
    "Adapted",
    "Chain",
    "LogitModel",
    "NotDifferentiable",
    "as_logits",
    "from_pipeline",
    "is_torch_estimator",
    "refitted",
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
        if self.transform is not None:
            X = self.transform(X)
            if sparse.issparse(X):  # OneHotEncoder's default output
                X = X.toarray()  # type: ignore[attr-defined]
        return check_array(  # type: ignore[no-any-return]
            X, dtype=(np.float64, np.float32), allow_nd=True, input_name="X"
        )

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
        y = np.asarray(y)
        classes = np.arange(n_classes) if self.classes is None else self.classes
        order = np.argsort(classes)  # skorch keeps `classes=` in the user's order
        found = np.searchsorted(classes[order], y).clip(max=n_classes - 1)
        unknown = classes[order][found] != y
        if np.any(unknown):
            raise ValueError(
                f"y holds labels that the model does not know: {np.unique(y[unknown])[:5]}; its "
                f"classes are {classes[:10]}."
            )
        return order[found]  # type: ignore[no-any-return]


Model = TypeVar("Model", bound=Adapted)


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
    """

    module: nn.Module
    classes: NDArray[Any] | None = None
    transform: Callable[[Any], Any] | None = None
    to_logits: Callable[[Tensor], Tensor] | None = None
    dtype: torch.dtype = field(init=False)
    device: torch.device = field(init=False)

    def __post_init__(self) -> None:
        floating = [p for p in self.module.parameters() if p.is_floating_point()]
        first = floating[0] if floating else torch.zeros(0)
        object.__setattr__(self, "dtype", first.dtype)  # the dataclass is frozen
        object.__setattr__(self, "device", first.device)

    @contextmanager
    def forward(self, shape: tuple[int, ...]) -> Iterator[Callable[[Tensor], Tensor]]:
        """Yield the function from flattened samples (n, n_features) to logits (n, n_classes).

        The function raises ValueError if the module does not return a tensor.
        """

        def logits(flat: Tensor) -> Tensor:
            out: Tensor = self.module(flat.reshape(len(flat), *shape))
            if not isinstance(out, Tensor):
                raise ValueError(
                    "the module must return logits of shape (n_samples, n_classes); it returned a "
                    f"{type(out).__name__}."
                )
            if self.to_logits is not None:
                out = self.to_logits(out)
            if out.ndim < 2 or out.shape[1] == 1:
                # One output is the logit of the second of two classes.
                out = out.reshape(-1, 1)
                out = torch.cat([torch.zeros_like(out), out], dim=1)
            return out

        with evaluation_mode(self.module):
            yield logits

    @contextmanager
    def forward_vjp(self, shape: tuple[int, ...]) -> Iterator[ForwardVjp]:
        """Yield the function from flattened samples to logits and their vector-Jacobian product."""
        with self.forward(shape) as forward:
            # Logits derived from the output of the module need autograd.
            yield autograd_vjp(forward) if self.to_logits else forward_vjp(self.module, forward)

    def check_output(self, X: NDArray[Any]) -> int:
        """Return the number of classes. Raises ValueError if the model does not fit `X`."""
        with torch.no_grad(), self.forward(X.shape[1:]) as forward:
            try:
                out = forward(self.tensor(X[:1]))
            except (RuntimeError, IndexError) as error:
                raise ValueError(
                    f"the model does not take samples of shape {X.shape[1:]}: {error}"
                ) from error
        if out.ndim != 2 or len(out) != 1:
            raise ValueError(
                "the module must return logits of shape (n_samples, n_classes); for one sample it "
                f"returned shape {tuple(out.shape)}."
            )
        if not bool(torch.isfinite(out).all()):
            raise ValueError(
                "the module returns NaN or infinity for the first sample of X; check its weights "
                "and the scale of X."
            )
        n_classes = out.shape[1]
        if self.classes is not None and n_classes != len(self.classes):
            raise ValueError(
                f"the module returns {n_classes} logits, but the model has {len(self.classes)} "
                "classes."
            )
        return n_classes


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
        return LogitModel(model)
    if isinstance(model, BaseSearchCV):
        return as_logits(refitted(model))
    if isinstance(model, Pipeline):
        return from_pipeline(model, as_logits)
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
    if hasattr(model, "get_params") and hasattr(model, "fit") and is_torch_estimator(model):
        check_is_fitted(model)
        return LogitModel(
            model.module_, classes=np.asarray(model.classes_), to_logits=_skorch_output(model)
        )
    raise NotDifferentiable(
        f"cannot differentiate a model of type {type(model).__name__}. Supported: {SUPPORTED}. "
        'A model that only predicts is measured by method="decision", which "auto" takes for it.'
    )


def is_torch_estimator(model: Any) -> bool:
    """Tell whether `model` has a ``module_``, by the convention of skorch and robfair."""
    return hasattr(type(model), "module_") or "module" in model.get_params(deep=False)


def _skorch_output(model: Any) -> Callable[[Tensor], Tensor] | None:
    # skorch's NeuralNetClassifier trains modules that return probabilities by default; their
    # logarithm is a logit that does not saturate.
    if isinstance(getattr(model, "criterion_", None), nn.NLLLoss):
        return lambda out: out.clamp_min(torch.finfo(out.dtype).tiny).log()
    if isinstance(model, NeuralNetBinaryClassifier):
        shift = math.log(model.threshold) - math.log1p(-model.threshold)
        if isinstance(model.criterion_, nn.BCELoss):
            return lambda out: torch.logit(out, torch.finfo(out.dtype).eps) - shift
        if shift:
            return lambda out: out - shift
    return None


def from_pipeline(pipeline: Pipeline, adapt: Callable[[Any], Model]) -> Model:
    """Adapt the last step of a Pipeline. Raises TypeError if that is "passthrough"."""
    last = pipeline.steps[-1][1]
    if last in (None, "passthrough"):
        raise TypeError("the Pipeline ends in 'passthrough', not in a classifier.")
    inner = adapt(last)
    if len(pipeline.steps) == 1:
        return inner
    check_is_fitted(pipeline)
    transform = pipeline[:-1].transform  # bound to the fitted steps, without the classifier
    if inner.transform is not None:
        transform = Chain(transform, inner.transform)
    return replace(inner, transform=transform)  # type: ignore[type-var]


def refitted(search: BaseSearchCV) -> Any:
    """Return the model that a search has refitted. Raises TypeError if it has not."""
    check_is_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise TypeError(f"{type(search).__name__} was fitted with refit=False: it has no model.")
    return search.best_estimator_


@dataclass(frozen=True)
class Chain:
    """Two transformations, one after the other; a class so that it can be pickled and hashed."""

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, X: Any) -> Any:
        return self.second(self.first(X))


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
