"""FARMUR, fair adversarial retraining."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from robfair._names import ClassWeight, HeldOutMethod, OptimizerName, ScheduleName
from robfair.estimators._adversarial import AttackedClassifier
from robfair.estimators._spec import TrainingSpec
from robfair.threat import ThreatModel
from robfair.training import Farmur, Noise, Objective, RobustNet

__all__ = ["FarmurClassifier"]


class FarmurClassifier(AttackedClassifier):
    """Neural network trained by FARMUR: adversarial training, then attacks on vulnerable groups.

    Algorithm 1 of [1]_: after `max_epochs` of adversarial training, the robustness Rob(P) of each
    group is measured on held-out data. Groups with ``Rob(P) < Rob(f)`` are vulnerable (Def. 5).
    For `retrain_epochs` more, vulnerable groups keep the robust loss (Eq. 9) and the others are
    trained on clean samples (Eq. 10); the losses of the two are added (Eq. 11).

    Parameters
    ----------
    module : torch.nn.Module, or callable that makes one, default=None
        A network that returns logits, one per class. A class or function is called with what
        `net_params` holds under ``module__``; an instance is copied, and training starts from its
        weights. None: a fully connected network with `hidden_layer_sizes`.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Widths of the hidden layers (ReLU) if `module` is None.
    objective : {"trades", "pgd", "n-fgsm"} or Objective, default="trades"
        Loss of an attacked sample. "trades": CE(f(x), y) + beta * max KL(p(x) || p(x')) over the
        eps-ball around x. "pgd": CE(f(x'), y), with x' the attacked sample. "n-fgsm" (fast): the
        same, with x' from a single step of length eps (L-inf) from a random point within 2 eps,
        not brought back into the eps-ball [2]_. A single step may be overfitted to: after every
        epoch each group's robust accuracy is measured on at most a hundred held-out samples, and
        where it collapses the epoch is taken back, a warning names the group, and training goes on
        as by "pgd". An object of your own is called as :class:`robfair.training.Objective` says.
    eps : float, default=0.1
        Radius of the attack in training, in the units of X.
    norm : {2, numpy.inf}, default=numpy.inf
        Norm of the attack in training.
    n_steps : int, default=10
        Steps of the attack; each is one forward and one backward pass. With "n-fgsm", those that
        come after a collapse.
    step_size : float, default=None
        Length of a step. None: ``2.5 * eps / n_steps``.
    beta : float, default=6.0
        Weight of the robust loss in TRADES.
    max_epochs : int, default=20
        Epochs of adversarial training before the groups are evaluated. 0: evaluate `module` as it
        is, which must then be a trained instance (or `warm_start` a fitted classifier).
    retrain_epochs : int, default=4
        Epochs of retraining. The paper has 100 and 20.
    reduction : {"subset", "batch"}, default="subset"
        Sum of the two losses: "subset" takes the mean over each of the two subsets of a
        batch and adds them (Eq. 11); "batch" takes the mean over the whole batch.
    soft_beta : bool, default=False
        False: the paper's algorithm, where groups that are not vulnerable lose their robust loss.
        True: before every epoch of retraining, `beta` of a group is multiplied by
        ``clip(1 + 3 * (1 - Rob(P) / Rob(f)), 0, 2)``, with Rob(P) of at most 200 training samples
        of each group, and Rob(f) when retraining begins. `reduction` is then "batch".
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
    averaging : float, "retraining" or None, default=None
        Decay of an exponential moving average of the weights over steps, such as 0.999, or
        "retraining": the mean of the weights after each epoch of the second half of retraining,
        which has nothing of the training before. The network then has the average, with batch
        normalisation estimated anew from the training samples.
    early_stopping : bool, default=False
        Whether to measure robust accuracy (PGD, ten steps) on held-out samples after every epoch,
        to end the run after `n_iter_no_change` epochs without a new best one, and to go back to the
        weights of the best epoch of the last phase.
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
        Part of each group that is held out, to evaluate groups, for `early_stopping` and "n-fgsm".
    distance_method : {"auto", "strong", "deepfool", "linear", "paper"}, default="auto"
        Method by which distances of held-out samples are measured; see `boundary_distance`.
    threat_model : ThreatModel, default=None
        Box and mutable features of the attack, and the norm in which distances of held-out samples
        are measured. None: no box, everything mutable, L2.
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
        Labels of the groups, tuples for several columns; the classes if none were given.
    vulnerable_groups_ : ndarray
        Labels of the vulnerable groups.
    group_robustness_ : ndarray of shape (n_groups,)
        Rob(P) of each of `groups_` on held-out data, before retraining.
    history_ : dict of str to ndarray of shape (n_epochs,)
        "epoch", "phase", "natural_loss", "robust_loss", "robust_accuracy" on held-out samples (NaN
        where it was not measured), "lr" at the end of the epoch, and "dur", its seconds.
    net_ : skorch.NeuralNet
        The net; its module is `module_`.
    strategy_ : Farmur
        The strategy that was followed.

    See Also
    --------
    AdversarialClassifier : The same without retraining.
    robfair.audit : Measures by group, to see what retraining did.

    Notes
    -----
    The paper leaves open on which data groups are evaluated (here: held out of the training data),
    the number of attack steps, beta, and what happens to ties (here: robust, Def. 5).

    References
    ----------
    .. [1] S. A. Mousavi, H. Mousavi, M. Daneshtalab, "FARMUR: Fair Adversarial Retraining to
       Mitigate Unfairness in Robustness", ADBIS 2023.
    .. [2] P. de Jorge, A. Bibi, R. Volpi, A. Sanyal, P. Torr, G. Rogez, P. Dokania, "Make Some
       Noise: Reliable and Efficient Single-Step Adversarial Training", NeurIPS 2022.

    Examples
    --------
    >>> from robfair import FarmurClassifier
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> clf = FarmurClassifier(eps=0.2, max_epochs=5, retrain_epochs=1, random_state=0)
    >>> clf = clf.fit(data.X, data.y, groups=data.groups)
    >>> clf.history_["phase"].tolist()[-2:]
    ['adversarial', 'retraining']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AttackedClassifier._parameter_constraints,
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "retrain_epochs": [Interval(Integral, 1, None, closed="left")],
        "reduction": [StrOptions({"subset", "batch"})],
        "soft_beta": ["boolean"],
        "averaging": [Interval(Real, 0, 1, closed="neither"), StrOptions({"retraining"}), None],
    }

    def __init__(
        self,
        *,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        objective: Literal["trades", "pgd", "n-fgsm"] | Objective = "trades",
        eps: float = 0.1,
        norm: float = np.inf,
        n_steps: int = 10,
        step_size: float | None = None,
        beta: float = 6.0,
        max_epochs: int = 20,
        retrain_epochs: int = 4,
        reduction: Literal["subset", "batch"] = "subset",
        soft_beta: bool = False,
        batch_size: int = 128,
        lr: float = 1e-3,
        lr_schedule: ScheduleName | Callable[[float], float] | None = None,
        optimizer: OptimizerName | Callable[..., Any] = "adam",
        averaging: float | Literal["retraining"] | None = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        checkpoint: Any = None,
        class_weight: ClassWeight | dict[Any, float] | None = None,
        validation_fraction: float = 0.1,
        distance_method: HeldOutMethod = "auto",
        threat_model: ThreatModel | None = None,
        callbacks: list[Any] | None = None,
        device: Any = "cpu",
        warm_start: bool = False,
        verbose: int | None = None,
        random_state: Any = None,
        net_params: dict[str, Any] | None = None,
    ) -> None:
        self.module, self.hidden_layer_sizes = module, hidden_layer_sizes
        self.objective, self.reduction, self.distance_method = objective, reduction, distance_method
        self.eps, self.norm, self.threat_model = eps, norm, threat_model
        self.n_steps, self.step_size, self.beta = n_steps, step_size, beta
        self.max_epochs, self.retrain_epochs, self.batch_size = (
            max_epochs,
            retrain_epochs,
            batch_size,
        )
        self.lr, self.lr_schedule, self.optimizer = lr, lr_schedule, optimizer
        self.soft_beta, self.averaging, self.checkpoint = soft_beta, averaging, checkpoint
        self.early_stopping, self.n_iter_no_change = early_stopping, n_iter_no_change
        self.class_weight, self.validation_fraction = class_weight, validation_fraction
        self.callbacks, self.device, self.warm_start = callbacks, device, warm_start
        self.verbose, self.random_state, self.net_params = verbose, random_state, net_params

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        groups: Any = None,
        sensitive_features: Any = None,
        sample_weight: Any = None,
    ) -> FarmurClassifier:
        """Train the network, evaluate the groups, and retrain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with a `module`
            Training samples, standardised.
        y : array-like of shape (n_samples,)
            Class labels.
        groups : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
            The group of each sample. With several columns, groups are their combinations. With
            metadata routing, `groups` is requested without further ado. None: the classes are the
            groups, as for MNIST and CIFAR-10 in the paper, and a warning says so; ``groups=y`` says
            the same without a warning.
        sensitive_features : array-like, default=None
            Another name for `groups`, as in fairlearn. If both are given they must be equal.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples' losses: the loss of a batch is their weighted mean (of each
            subset, where `reduction` says so), so that only ratios matter. A sample of weight 0 is
            left out as if it had been removed, and the others keep their order and their random
            numbers. Groups are evaluated without weights.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            As in :class:`robfair.AdversarialClassifier`, and if there are less than two groups.
        RuntimeError
            If training ended before the groups were evaluated.
        """
        super().fit(
            X, y, groups=groups, sensitive_features=sensitive_features, sample_weight=sample_weight
        )
        return self

    def _set_fitted(self, net: RobustNet, classes: NDArray[Any], labels: Any) -> None:
        super()._set_fitted(net, classes, labels)
        strategy = self.strategy_
        # A callback may end the run; without retraining this is not FARMUR.
        if not hasattr(strategy, "robustness_"):
            n = len(self.history_["epoch"])
            raise RuntimeError(
                f"training ended after {n} of {self.net_.max_epochs} epochs, before the groups "
                "were evaluated: there was no retraining. Did a callback stop it?"
            )
        self.group_robustness_ = strategy.robustness_
        self.vulnerable_groups_ = self.groups_[strategy.vulnerable_]

    def _training_spec(self, X: NDArray[Any], noise: Noise) -> TrainingSpec:
        # The strategy judges the groups when the first of the two phases has ended.
        average = self.averaging == "retraining"
        strategy = Farmur(self.max_epochs, self.reduction, self.soft_beta, average)
        return self._attacked_spec(X, noise, strategy, self.max_epochs + self.retrain_epochs)
