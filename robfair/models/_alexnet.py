"""AlexNet."""

from __future__ import annotations

from torch import nn

from robfair.models._lenet import MNIST_MEAN, MNIST_SCALE
from robfair.models._standardize import Standardize

__all__ = ["alexnet"]


def alexnet(n_classes: int = 10) -> nn.Sequential:
    """AlexNet [1]_ for grey images of 28 x 28, as for MNIST in [2]_; it returns logits.

    The original is for colour images of 224 x 224, and the paper [2]_ does not say how it was
    reduced. This is the form that most code for MNIST shares: AlexNet's five convolutions and three
    dense layers, its overlapping last pooling and its dropout, with small windows and fewer units:

    - pixels scaled by MNIST's mean and standard deviation, 0.1307 and 0.3081,
    - convolution to 32 channels; maximum pooling 2 x 2; ReLU,
    - convolution to 64 channels; maximum pooling 2 x 2; ReLU,
    - convolutions to 128, 256 and 256 channels, each with ReLU; maximum pooling 3 x 3, stride 2,
    - dropout of one half before each of two dense layers of 1,024 and 512 units with ReLU,
    - a dense layer to the logits.

    All convolutions are 3 x 3 and keep the size of the image. With ten classes it has
    3,868,170 weights.

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
    lenet5 : A smaller network for the same images.

    References
    ----------
    .. [1] Krizhevsky, A., Sutskever, I. and Hinton, G. E. (2012). ImageNet Classification with
       Deep Convolutional Neural Networks. NeurIPS 25.
    .. [2] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", section 6.1.

    Examples
    --------
    >>> import torch
    >>> from robfair.models import alexnet
    >>> alexnet()(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    """
    return nn.Sequential(
        Standardize(MNIST_MEAN, MNIST_SCALE),
        *(nn.Conv2d(1, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(128, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.MaxPool2d(3, stride=2), nn.ReLU()),
        nn.Flatten(),
        # The poolings leave 14, 7 and 3 of 28 pixels.
        *(nn.Dropout(0.5), nn.Linear(256 * 3 * 3, 1024), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(1024, 512), nn.ReLU()),
        nn.Linear(512, n_classes),
    )
