"""LeNet-5."""

from __future__ import annotations

import torch
from torch import nn

from robfair.models._standardize import Standardize

__all__ = ["MNIST_MEAN", "MNIST_SCALE", "lenet5"]

# Of the pixels of MNIST's 60,000 training images, in [0, 1].
MNIST_MEAN, MNIST_SCALE = 0.1307, 0.3081


def lenet5(n_classes: int = 10) -> nn.Sequential:
    """LeNet-5 [1]_ for grey images of 28 x 28, as for MNIST in [2]_; it returns logits.

    In the form that is common today, with ReLU, maximum pooling and linear outputs. The paper [2]_
    does not list the layers; they are:

    - pixels scaled by MNIST's mean and standard deviation, 0.1307 and 0.3081,
    - convolution 5 x 5 to 6 channels, padding 2; maximum pooling 2 x 2; ReLU,
    - convolution 5 x 5 to 16 channels; maximum pooling 2 x 2; ReLU,
    - dense layers of 120 and 84 units, each with ReLU,
    - a dense layer to the logits.

    With ten classes it has 61,706 weights.

    Parameters
    ----------
    n_classes : int, default=10
        Number of outputs.

    Returns
    -------
    torch.nn.Sequential
        The module, with torch's default initial weights. Its inputs are images of shape
        (n_samples, 1, 28, 28) with values in [0, 1], as :func:`~robfair.datasets.fetch_mnist`
        returns them. It scales them itself, so a distance is in the unit of the pixels.

    See Also
    --------
    alexnet : A larger network for the same images.

    References
    ----------
    .. [1] LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based learning
       applied to document recognition. Proceedings of the IEEE 86(11).
    .. [2] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", section 6.1.

    Examples
    --------
    >>> import torch
    >>> from robfair.models import lenet5
    >>> lenet5()(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    """
    # A maximum before ReLU is the same as after it, with a quarter of the work for ReLU.
    network = nn.Sequential(
        Standardize(MNIST_MEAN, MNIST_SCALE),
        *(nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU()),
        nn.Flatten(),
        *(nn.Linear(16 * 5 * 5, 120), nn.ReLU()),
        *(nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, n_classes),
    )
    # Pooling with channels last is vectorised: on a CPU a step takes three quarters of the time.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
