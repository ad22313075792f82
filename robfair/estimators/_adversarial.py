"""Adversarial training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, Options, StrOptions

from robfair._names import ClassWeight, HeldOutMethod, OptimizerName, ScheduleName
from robfair.estimators._base import BaseRobustClassifier
from robfair.estimators._spec import TrainingSpec
from robfair.threat import ThreatModel
from robfair.training import Attack, Noise, Objective, PgdObjective, Strategy, TradesObjective

__all__ = ["AdversarialClassifier", "AttackedClassifier"]

OBJECTIVES: dict[str, type[Objective]] = {
    "trades": TradesObjective,
    "pgd": PgdObjective,
    "n-fgsm": PgdObjective,
}


class AttackedClassifier(BaseRobustClassifier):
    """Base of the classifiers that attack their training samples."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseRobustClassifier._parameter_constraints,
        "objective": [StrOptions(set(OBJECTIVES)), callable],
        "eps": [Interval(Real, 0, None, closed="neither")],
        "norm": [Options(Real, {2, np.inf})],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "beta": [Interval(Real, 0, None, closed="left")],
        "distance_method": [StrOptions({"auto", "strong", "deepfool", "linear", "paper"})],
        "threat_model": [ThreatModel, None],
    }

    objective: str | Objective
    eps: float
    norm: float
    n_steps: int
    step_size: float | None
    beta: float
    distance_method: str
    threat_model: ThreatModel | None

    def _attacked_spec(
        self, X: NDArray[Any], noise: Noise, strategy: Strategy, n_epochs: int
    ) -> TrainingSpec:
        """Describe a run in which samples are attacked."""
        objective = self._objective()
        threat_model = self._bound_threat_model(X)
        step_size = 2.5 * self.eps / self.n_steps if self.step_size is None else self.step_size
        # Lengths in units of eps, since a strategy may give each group an eps of its own.
        attack = Attack(self.n_steps, step_size / self.eps, self.norm, threat_model, noise)
        fallback = None
        if self.objective == "n-fgsm":
            if self.norm != np.inf:
                raise ValueError(
                    'objective="n-fgsm" is defined for norm=numpy.inf; got norm='
                    f'{self.norm!r}. Use objective="pgd".'
                )
            fallback = attack  # what "pgd" would have done
            # A step of eps from within 2 eps ends within 3 eps, so that the ball never binds.
            attack = Attack(1, 1.0, self.norm, threat_model, noise, spread=2.0, radius=3.0)
        return TrainingSpec(
            objective, strategy, attack, n_epochs, eps=float(self.eps),
            beta=float(self.beta), distance_method=self.distance_method, fallback=fallback,
        )  # fmt: skip

    def _objective(self) -> Objective:
        """Return the objective, of which there may be a name."""
        if isinstance(self.objective, str):
            return OBJECTIVES[self.objective]()
        if isinstance(self.objective, type):
            raise TypeError(
                f"objective must be an instance or a name; got the class {self.objective.__name__}."
            )
        return self.objective

    def _bound_threat_model(self, X: NDArray[Any]) -> ThreatModel:
        """Return the threat model, with the box of X if it asks for that one."""
        if self.threat_model is None:
            return ThreatModel()
        if self.threat_model.is_mixed:
            raise ValueError(
                "training attacks by gradient steps, which know no categories, integer or unit; "
                f"got {self.threat_model!r}. Train with norm, bounds and mutable alone, and audit "
                "with the whole."
            )
        threat_model = self.threat_model.bind(X)
        threat_model.check(X)  # an attack from outside the box would start by leaving its sample
        return threat_model


class AdversarialClassifier(AttackedClassifier):
    """Neural network trained on attacked samples (adversarial robustness): TRADES or PGD.

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
        not brought back into the eps-ball [3]_. A single step may be overfitted to: after every
        epoch each group's robust accuracy is measured on at most a hundred held-out samples, and
        where it collapses the epoch is taken back, a warning names the group, and training goes on
        as by "pgd". An object of your own is called as :class:`robfair.training.Objective` says.
    strategy : Strategy, default=None
        Gives each group its eps, beta and weights, epoch by epoch; see :mod:`robfair.training`.
        None: the same for all.
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
        Part of each group that is held out, for strategies that evaluate groups, `early_stopping`
        and "n-fgsm".
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
        Labels of the groups given to `fit`, tuples for several columns; the classes if none were
        given.
    history_ : dict of str to ndarray of shape (n_epochs,)
        "epoch", "phase", "natural_loss", "robust_loss", "robust_accuracy" on held-out samples (NaN
        where it was not measured), "lr" at the end of the epoch, and "dur", its seconds.
    net_ : skorch.NeuralNet
        The net; its module is `module_`.
    strategy_ : Strategy
        The strategy that was followed, with what it learnt.

    See Also
    --------
    NaturalClassifier : Training on clean samples.
    FarmurClassifier : Fair adversarial retraining.

    References
    ----------
    .. [1] H. Zhang, Y. Yu, J. Jiao, E. Xing, L. El Ghaoui, M. Jordan, "Theoretically Principled
       Trade-off between Robustness and Accuracy", ICML 2019.
    .. [2] A. Madry, A. Makelov, L. Schmidt, D. Tsipras, A. Vladu, "Towards Deep Learning Models
       Resistant to Adversarial Attacks", ICLR 2018.
    .. [3] P. de Jorge, A. Bibi, R. Volpi, A. Sanyal, P. Torr, G. Rogez, P. Dokania, "Make Some
       Noise: Reliable and Efficient Single-Step Adversarial Training", NeurIPS 2022.

    Examples
    --------
    >>> from robfair import AdversarialClassifier
    >>> from robfair.datasets import make_group_margins
    >>> data = make_group_margins(random_state=0)
    >>> clf = AdversarialClassifier(eps=0.2, max_epochs=5, random_state=0).fit(data.X, data.y)
    >>> clf.history_["phase"].tolist()
    ['training', 'training', 'training', 'training', 'training']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AttackedClassifier._parameter_constraints,
        "strategy": [Strategy, None],
    }

    def __init__(
        self,
        *,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        objective: Literal["trades", "pgd", "n-fgsm"] | Objective = "trades",
        strategy: Strategy | None = None,
        eps: float = 0.1,
        norm: float = np.inf,
        n_steps: int = 10,
        step_size: float | None = None,
        beta: float = 6.0,
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
        self.objective, self.strategy, self.distance_method = objective, strategy, distance_method
        self.eps, self.norm, self.threat_model = eps, norm, threat_model
        self.n_steps, self.step_size, self.beta = n_steps, step_size, beta
        self.max_epochs, self.batch_size = max_epochs, batch_size
        self.lr, self.lr_schedule, self.optimizer = lr, lr_schedule, optimizer
        self.averaging, self.checkpoint = averaging, checkpoint
        self.early_stopping, self.n_iter_no_change = early_stopping, n_iter_no_change
        self.class_weight, self.validation_fraction = class_weight, validation_fraction
        self.callbacks, self.device, self.warm_start = callbacks, device, warm_start
        self.verbose, self.random_state, self.net_params = verbose, random_state, net_params

    def _training_spec(self, X: NDArray[Any], noise: Noise) -> TrainingSpec:
        # A copy, so that the parameter does not change while the strategy learns.
        strategy = Strategy() if self.strategy is None else clone(self.strategy)
        return self._attacked_spec(X, noise, strategy, self.max_epochs)
