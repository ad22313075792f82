"""Paper A as data: `FARMUR` holds its experiments, with a recipe for each scale."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from robfair.datasets import fetch_cifar10, fetch_mnist, fetch_utkface
from robfair.models import alexnet, lenet5, resnet18, utkface_network
from robfair.reproduction._paper import Experiment, Paper, Part
from robfair.reproduction.farmur._claims import claims
from robfair.reproduction.farmur._measure import DISTANCES, PGD, attacked, measure
from robfair.reproduction.farmur._recipes import (
    FarmurRecipe,
    adult_by_race,
    digits_by_class,
    images,
)
from robfair.reproduction.farmur._report import report
from robfair.reproduction.farmur._train import TRAINING, train

__all__ = ["FARMUR"]

# Adam needs no search for a learning rate on standardised tables and for the small network of
# digits.
_TABLE = FarmurRecipe(batch_size=256, optimizer="adam", lr=1e-3, eps=0.1, step_size=0.025)
_LENET = FarmurRecipe(n_path=2000)
_RESNET = FarmurRecipe(momentum=0.9, lr_schedule="step", n_path=1000, n_distance=2000)
# All training images, and at most five hours of a core of a CPU: few epochs of few steps, for which
# Adam needs no search for a learning rate. TRADES begins with the natural network: with beta = 6 so
# few steps from random weights may end with a network that predicts one class.
_REDUCED = replace(
    _LENET, epochs=4, retrain_epochs=2, optimizer="adam", lr=1e-3, lr_schedule="cyclic", n_steps=2,
    step_size=0.02, averaging=0.995, n_distance=2000, natural_start=True, has_controls=False,
    has_even_margins=True,
)  # fmt: skip
# With beta = 6 six epochs on faces ended with a network that predicts two of five classes.
_REDUCED_FACES = replace(_REDUCED, beta=1.0)
# In bfloat16 epochs take half the time; a twentieth of 50,000 or 60,000 images is enough to judge
# groups by. At a rate of 0.001 AlexNet diverged in the second epoch of TRADES.
_REDUCED_ALEXNET = replace(
    _REDUCED, epochs=5, retrain_epochs=1, lr=3e-4, validation_fraction=0.05, bfloat16=True
)
_REDUCED_RESNET = replace(
    _REDUCED_ALEXNET, epochs=10, retrain_epochs=2, batch_size=128, optimizer="sgd", lr=0.1,
    momentum=0.9, weight_decay=5e-4, beta=3.0, width=16, augmented=True,
)  # fmt: skip
# For a GPU: sixteen times the arithmetic of a quarter of the width.
_WIDE_RESNET = replace(_REDUCED_RESNET, epochs=15, retrain_epochs=3, width=None)

_PARTS = {
    # The weights do not depend on how they are measured.
    TRAINING: Part(train, unused=("n_test", "n_distance")),
    **{distance: Part(partial(measure, distance=distance)) for distance in DISTANCES},
    PGD: Part(attacked),
}


# "full" of MNIST with LeNet-5 is a shorter, cyclic schedule that a CPU can run; "paper" has the
# paper's own epochs, which are "full" for all others.
FARMUR = Paper(
    "FARMUR: Fair Adversarial Retraining to Mitigate Unfairness in Robustness",
    tuple(
        Experiment(dataset, model, recipes, load, _PARTS, claims)
        for dataset, model, load, recipes in (
            ("digits", "tabular", digits_by_class, {
                "small": replace(_TABLE.small(n_train=500, n_measured=100), batch_size=16),
                "full": replace(_TABLE, batch_size=64),
            }),
            ("adult", "tabular", adult_by_race, {
                "small": _TABLE.small(n_train=1000, n_measured=100), "full": _TABLE,
            }),
            ("mnist", "lenet5", partial(images, fetch=fetch_mnist, module=lenet5), {
                "small": _LENET.small(),
                "full": replace(
                    _LENET, epochs=20, retrain_epochs=4, lr_schedule="cyclic", n_path=1000,
                    has_even_margins=True,
                ),
                "paper": _LENET,
            }),
            ("mnist", "alexnet", partial(images, fetch=fetch_mnist, module=alexnet), {
                "small": _LENET.small(), "reduced": _REDUCED_ALEXNET, "full": _LENET,
            }),
            ("cifar10", "resnet18", partial(images, fetch=fetch_cifar10, module=resnet18), {
                "small": _RESNET.small(n_train=40, n_measured=5), "reduced": _REDUCED_RESNET,
                "wide": _WIDE_RESNET, "full": _RESNET,
            }),
            ("utkface", "utkface", partial(images, fetch=fetch_utkface, module=utkface_network), {
                "small": _LENET.small(), "reduced": _REDUCED_FACES, "full": _LENET,
            }),
        )
    ),
    report,
)  # fmt: skip
