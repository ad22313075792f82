"""ResNet-18 for small colour images."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from robfair.models._standardize import Standardize

__all__ = ["resnet18"]

# Of the red, green and blue pixels of CIFAR-10's 50,000 training images, in [0, 1].
_MEAN, _SCALE = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class _Block(nn.Module):
    """Two convolutions, and a shortcut around them."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        # No bias: the batch normalisation that follows would subtract it.
        self.residual = nn.Sequential(
            *(nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(n_out)),
            nn.ReLU(),
            *(nn.Conv2d(n_out, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out)),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or n_in != n_out:
            projection = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(n_out))

    def forward(self, X: Tensor) -> Tensor:
        return torch.relu(self.residual(X) + self.shortcut(X))


def resnet18(n_classes: int = 10, *, width: int = 64) -> nn.Sequential:
    """ResNet-18 [1]_ for colour images of 32 x 32, as for CIFAR-10 in [2]_; it returns logits.

    In the form of the official code of TRADES [3]_ and of most work on CIFAR-10: the first layer is
    a convolution 3 x 3 without stride, no pooling follows it, and four stages of two blocks have
    64, 128, 256 and 512 channels, each but the first halving the image. The mean over the rest of
    the image goes to a dense layer. A shortcut between different sizes is a convolution 1 x 1;
    every convolution is followed by batch normalisation. Unlike TRADES, it first scales the pixels
    by the mean and the standard deviation of CIFAR-10 in each channel.

    With ten classes it has 11,173,962 weights.

    Parameters
    ----------
    n_classes : int, default=10
        Number of outputs.
    width : int, default=64
        Channels of the first stage; the others have two, four and eight times as many. A quarter of
        the default takes about a sixteenth of the time, and has a sixteenth of the weights.

    Returns
    -------
    torch.nn.Sequential
        The module, with torch's default initial weights. Its inputs are images of shape
        (n_samples, 3, 32, 32) with values in [0, 1], as
        :func:`~robfair.datasets.fetch_cifar10` returns them; other sizes work, too. It scales
        them itself, so a distance is in the unit of the pixels.

    Raises
    ------
    ValueError
        If `width` is less than 1.

    See Also
    --------
    cifar_network : A much smaller network for the same images.

    References
    ----------
    .. [1] He, K., Zhang, X., Ren, S. and Sun, J. (2016). Deep Residual Learning for Image
       Recognition. CVPR.
    .. [2] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", section 6.1.
    .. [3] Zhang, H. et al. (2019). Theoretically Principled Trade-off between Robustness and
       Accuracy. ICML. https://github.com/yaodongyu/TRADES

    Examples
    --------
    >>> import torch
    >>> from robfair.models import resnet18
    >>> resnet18().eval()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    if width < 1:
        raise ValueError(f"width must be at least 1; got {width}.")
    stages = [width, 2 * width, 4 * width, 8 * width]
    blocks = [
        *(_Block(width, width, stride=1), _Block(width, width, stride=1)),
        *(
            block
            for n_in, n_out in pairwise(stages)
            for block in (_Block(n_in, n_out, stride=2), _Block(n_out, n_out, stride=1))
        ),
    ]
    return nn.Sequential(
        Standardize(*(torch.tensor(values).reshape(3, 1, 1) for values in (_MEAN, _SCALE))),
        *(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()),
        *blocks,
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(stages[-1], n_classes),
    )
