"""Natural training, the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from robfair.estimators._base import BaseRobustClassifier
from robfair.training import NaturalObjective, Objective

__all__ = ["NaturalClassifier"]


class NaturalClassifier(BaseRobustClassifier):
    """Neural network trained on clean samples: the baseline of robust training.

    Parameters
    ----------
    module : torch.nn.Module, or callable that makes one, default=None
        A network that returns logits, one per class. A class or function is called with what
        `net_params` holds under ``module__``; an instance is copied, and training starts from its
        weights. None: a fully connected network with `hidden_layer_sizes`.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Widths of the hidden layers (ReLU) if `module` is None.
    max_epochs : int, default=20
        Number of passes over the training data.
    batch_size : int, default=128
        Samples in a batch.
    lr : float, default=1e-3
        Learning rate.
    optimizer : {"adam", "sgd"} or torch optimizer class, default="adam"
        The optimiser; its other options go into `net_params` under ``optimizer__``.
    class_weight : dict, {"balanced", "oversample"} or None, default=None
        Weights of the classes, which multiply `sample_weight`: a dict ``{label: weight}``, or
        "balanced" for weights inversely proportional to the classes' frequencies. "oversample"
        repeats the samples of smaller classes in every epoch instead, each class the whole number
        of times that brings it closest to the largest; held-out samples are not repeated.
    callbacks : list of skorch callbacks, default=None
        Called during training.
    device : str or torch.device, default="cpu"
        Where to train.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last `fit`.
    verbose : int, default=0
        1: a progress bar over the epochs. 2: skorch's table, a row per epoch.
    random_state : int, RandomState or None, default=None
        Seed of weights and batches. The global states of numpy and torch are not touched. The same
        seed gives the same weights, whatever `n_jobs` around it; with a `module` of your own, for
        the same number of torch threads.
    net_params : dict, default=None
        Further parameters of :class:`skorch.NeuralNet`, such as
        ``{"optimizer__weight_decay": 1e-4}``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if X had string column names.
    groups_ : pandas.Index
        Labels of the groups given to `fit`; the classes if none were given.
    history_ : pandas.DataFrame
        A row per epoch: phase, both losses and the duration in seconds.
    net_ : skorch.NeuralNet
        The net; its module is `module_`.

    See Also
    --------
    AdversarialClassifier : Training on attacked samples.
    FarmurClassifier : Fair adversarial retraining.

    Examples
    --------
    >>> from robfair import NaturalClassifier
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> clf = NaturalClassifier(random_state=0).fit(data.X, data.y)
    >>> clf.predict(data.X[:3]).shape
    (3,)
    """

    def __init__(
        self,
        *,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        max_epochs: int = 20,
        batch_size: int = 128,
        lr: float = 1e-3,
        optimizer: Any = "adam",
        class_weight: Any = None,
        callbacks: list[Any] | None = None,
        device: Any = "cpu",
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
        net_params: dict[str, Any] | None = None,
    ) -> None:
        self.module = module
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.device = device
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.net_params = net_params

    def _get_objective(self) -> Objective:
        return NaturalObjective()
