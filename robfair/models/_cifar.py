"""The network for CIFAR-10."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["cifar_network"]


def cifar_network() -> nn.Sequential:
    """Small convolutional network, as for CIFAR-10 in [1]_; it returns logits.

    Two convolutions, each followed by max pooling and ReLU, two hidden dense layers with ReLU and
    10 outputs. The paper does not give the widths. Here the convolutions are 3 x 3 with 32 and 64
    channels and keep the size of the image, each pooling halves it, and the dense layers have 256
    and 128 units: 1,102,410 weights in all.

    Returns
    -------
    torch.nn.Sequential
        The module, with torch's default initial weights. Its inputs are images of shape
        (n_samples, 3, 32, 32) with values in [0, 1], as
        :func:`~robfair.datasets.fetch_cifar10` returns them; it does not scale them any further,
        so a distance is in the unit of the pixels.

    See Also
    --------
    robfair.datasets.fetch_cifar10 : The data.

    References
    ----------
    .. [1] "Adversarial Training Negatively Affects Fairness", section IV.A.

    Examples
    --------
    >>> import torch
    >>> from robfair.models import cifar_network
    >>> cifar_network()(torch.rand(5, 3, 32, 32)).shape
    torch.Size([5, 10])
    """
    network = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
        nn.Flatten(),
        *(nn.Linear(64 * 8 * 8, 256), nn.ReLU()),  # two poolings leave 8 of 32 pixels
        *(nn.Linear(256, 128), nn.ReLU()),
        nn.Linear(128, 10),
    )
    # Pooling with channels last is vectorised: on a CPU a step takes two thirds of the time.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
