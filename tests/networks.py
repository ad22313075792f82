"""What the tests of networks share: seeds, random images and the number of weights."""

import torch


def seeded(make, seed=0, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(**kwargs)


def images(shape, n=4):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


def n_weights(module):
    return sum(p.numel() for p in module.parameters())
