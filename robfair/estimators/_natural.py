"""Natural training, the baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._names import ClassWeight, OptimizerName, ScheduleName
from robfair.estimators._base import BaseRobustClassifier
from robfair.estimators._spec import TrainingSpec
from robfair.threat import ThreatModel
from robfair.training import Attack, NaturalObjective, Noise, Strategy

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
    lr_schedule : {"step", "cosine", "cyclic"}, callable or None, default=None
        Schedule of the learning rate, batch by batch: a function from the fraction of the run that
        is done to a factor of `lr`. "step": a tenth after half of the run, a hundredth after three
        quarters. "cosine": from 1 to 0 along half a cosine. "cyclic": up to 1 at two fifths, then
        down to 0. None: a constant rate.
    optimizer : {"adam", "sgd"} or torch optimizer class, default="adam"
        The optimiser; its other options go into `net_params` under ``optimizer__``.
    averaging : float or None, default=None
        Decay of an exponential moving average of the weights over steps, such as 0.999. The network
        then has the average, also of the statistics of batch normalisation.
    early_stopping : bool, default=False
        Whether to measure accuracy on held-out samples after every epoch, to end the run after
        `n_iter_no_change` epochs without a new best one, and to go back to the weights of the best
        epoch.
    n_iter_no_change : int, default=10
        Epochs that early stopping waits for.
    checkpoint : path-like or None, default=None
        File (safetensors) to which the state of the run is written after every epoch. If the file
        exists, `fit` goes on from it and ends with the same weights, to the last bit, as without an
        interruption. A file of another run (other parameters, data or versions) is an error. The
        state of `callbacks` is not in it, except for those of robfair. Needs an integer
        `random_state`.
    class_weight : dict, {"balanced", "oversample"} or None, default=None
        Weights of the classes, which multiply `sample_weight`: a dict ``{label: weight}``, or
        "balanced" for weights inversely proportional to the classes' frequencies. "oversample"
        repeats the samples of smaller classes in every epoch instead, each class the whole number
        of times that brings it closest to the largest; held-out samples are not repeated.
    validation_fraction : float, default=0.1
        Part of each group that is held out, for `early_stopping`.
    callbacks : list of skorch callbacks, default=None
        Called during training. There is no validation set of skorch: one that monitors "valid_loss"
        is refused, and `early_stopping` does what it is for.
    device : str or torch.device, default="cpu"
        Device of the training.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last `fit`.
    verbose : int, default=None
        None: a progress bar over the epochs, on a terminal or in a notebook, after five seconds. 0:
        nothing. 1: the bar at once. 2: skorch's table, a row per epoch.
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
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X had string column names.
    groups_ : ndarray of shape (n_groups,)
        Labels of the groups given to `fit`, tuples for several columns; the classes if none were
        given.
    history_ : dict of str to ndarray of shape (n_epochs,)
        "epoch", "phase", "natural_loss", "robust_loss", "robust_accuracy" on held-out samples (NaN
        where it was not measured), "lr" at the end of the epoch, and "dur", its seconds.
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
    >>> clf.score(data.X, data.y)  # a margin of 0.25 separates the classes
    1.0
    """

    def __init__(
        self,
        *,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        max_epochs: int = 20,
        batch_size: int = 128,
        lr: float = 1e-3,
        lr_schedule: ScheduleName | Callable[[float], float] | None = None,
        optimizer: OptimizerName | Callable[..., Any] = "adam",
        averaging: float | None = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        checkpoint: Any = None,
        class_weight: ClassWeight | dict[Any, float] | None = None,
        validation_fraction: float = 0.1,
        callbacks: list[Any] | None = None,
        device: Any = "cpu",
        warm_start: bool = False,
        verbose: int | None = None,
        random_state: Any = None,
        net_params: dict[str, Any] | None = None,
    ) -> None:
        self.module, self.hidden_layer_sizes = module, hidden_layer_sizes
        self.max_epochs, self.batch_size = max_epochs, batch_size
        self.lr, self.lr_schedule, self.optimizer = lr, lr_schedule, optimizer
        self.averaging, self.checkpoint = averaging, checkpoint
        self.early_stopping, self.n_iter_no_change = early_stopping, n_iter_no_change
        self.class_weight, self.validation_fraction = class_weight, validation_fraction
        self.callbacks, self.device, self.warm_start = callbacks, device, warm_start
        self.verbose, self.random_state, self.net_params = verbose, random_state, net_params

    def _training_spec(self, X: NDArray[Any], noise: Noise) -> TrainingSpec:
        never = Attack(0, 0.0, np.inf, ThreatModel(), noise)  # the objective does not attack
        return TrainingSpec(NaturalObjective(), Strategy(), never, self.max_epochs)
