"""A first layer that scales the inputs, so that an attack sees them in their own unit."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

__all__ = ["Standardize"]


class Standardize(nn.Module):
    """First layer of a network that scales its inputs: (x - mean) / scale.

    Data that is scaled *before* the network moves the unit of every eps and every distance. With
    this layer in the network they stay in the unit of the data: pixels in [0, 1], years, dollars.

    Parameters
    ----------
    mean, scale : array-like
        Numbers, or arrays that broadcast with one sample: of shape (n_features,) for a table, of
        shape (n_channels, 1, 1) for images. Each scale is above 0.

    Attributes
    ----------
    mean, scale : Tensor
        The same, broadcast to a common shape. They are buffers: saved with the module, never
        trained.

    Raises
    ------
    ValueError
        If a number is not finite, a scale is not above 0, or the shapes do not broadcast.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : Scales a table before the model sees it.

    Examples
    --------
    >>> import torch
    >>> from robfair.models import Standardize
    >>> layer = Standardize([40.0, 1000.0], [10.0, 500.0])
    >>> layer(torch.tensor([[50.0, 0.0]]))
    tensor([[ 1., -2.]])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: ArrayLike, scale: ArrayLike) -> None:
        super().__init__()
        dtype = torch.get_default_dtype()
        given = [torch.as_tensor(value, dtype=dtype) for value in (mean, scale)]
        try:
            common = torch.broadcast_tensors(*given)
        except RuntimeError:
            shapes = " and ".join(str(tuple(value.shape)) for value in given)
            raise ValueError(f"mean and scale must broadcast; got shapes {shapes}.") from None
        for name, value in zip(("mean", "scale"), common, strict=True):
            # A copy: the module must not change when the given array does.
            self.register_buffer(name, value.clone())
        if self.mean.is_meta:  # there are no values yet
            return
        if not (self.mean.isfinite().all() and self.scale.isfinite().all()):
            raise ValueError("mean and scale must be finite.")
        if not (self.scale > 0).all():
            raise ValueError(
                f"scale must be above 0 everywhere; its smallest is {self.scale.min():g}. Use 1 "
                "for a feature that does not vary."
            )

    def forward(self, X: Tensor) -> Tensor:
        """Scale a batch."""
        return (X - self.mean) / self.scale

    def extra_repr(self) -> str:
        """Return what ``repr`` shows in parentheses."""
        if self.mean.ndim == 0:
            return f"mean={self.mean:g}, scale={self.scale:g}"
        return f"shape={tuple(self.mean.shape)}"
