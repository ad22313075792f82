"""The classifier of faces."""

from __future__ import annotations

from torch import nn

__all__ = ["utkface_network"]


def utkface_network(n_classes: int = 5, *, image_size: int = 48) -> nn.Sequential:
    """Classifier of faces in UTKFace by Nanda et al. [1]_, as in [2]_; it returns logits.

    - convolution 7 x 7 to 32 channels, padding 2; ReLU; dropout of 0.3; maximum pooling 2 x 2,
    - convolution 5 x 5 to 64 channels, padding 2; ReLU; dropout of 0.3; maximum pooling 2 x 2,
    - a dense layer of 256 units; ReLU; dropout of 0.5,
    - a dense layer to the logits.

    The layers are those of the published code [3]_, for images of 200 x 200 there. With five
    classes of age and images of 48 x 48 it has 2,040,005 weights.

    Parameters
    ----------
    n_classes : int, default=5
        Number of outputs.
    image_size : int, default=48
        Height and width of the images, at least 6.

    Returns
    -------
    torch.nn.Sequential
        The module, with torch's default initial weights. Its inputs are images of shape
        (n_samples, 3, image_size, image_size) with values in [0, 1], as
        :func:`~robfair.datasets.fetch_utkface` returns them; like the original it does not scale
        them any further, so a distance is in the unit of the pixels.

    Raises
    ------
    ValueError
        If `image_size` is too small.

    See Also
    --------
    robfair.datasets.fetch_utkface : The data.

    References
    ----------
    .. [1] Nanda, V., Dooley, S., Singla, S., Feizi, S. and Dickerson, J. P. (2021). Fairness
       Through Robustness: Investigating Robustness Disparity in Deep Learning. FAccT.
    .. [2] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", section 6.1.
    .. [3] https://github.com/nvedant07/Fairness-Through-Robustness, ``code/custom_models.py``.

    Examples
    --------
    >>> import torch
    >>> from robfair.models import utkface_network
    >>> utkface_network().eval()(torch.rand(2, 3, 48, 48)).shape
    torch.Size([2, 5])
    """
    if image_size < 6:
        raise ValueError(
            f"image_size must be at least 6, or nothing is left of the image; got {image_size}."
        )
    pooled = (image_size - 2) // 2 // 2  # 7 x 7 takes two pixels off
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 7, padding=2), nn.ReLU(), nn.Dropout(0.3), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.Dropout(0.3), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(64 * pooled * pooled, 256), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(256, n_classes),
    )
