"""What the tests of networks share: seeds, random images and the number of weights."""

import numpy as np
import torch
from torch import nn


def seeded(make, seed=0, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(**kwargs)


def images(shape, n=4):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def n_weights(module):
    return sum(p.numel() for p in module.parameters())


class Net(nn.Module):
    """A module with a parameter of its own, and dropout."""

    def __init__(self, width=3, n_classes=2):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(
            nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.2), nn.Linear(width, n_classes)
        )

    def forward(self, X):
        return self.layers(X)


def weights(clf):
    return [p.detach().numpy().copy() for p in clf.module_.parameters()]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))
