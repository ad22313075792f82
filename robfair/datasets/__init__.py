"""Data sets: embedded, downloaded, from your own files, and synthetic with a known Rob(P)."""

from robfair.datasets._adult import load_adult
from robfair.datasets._cifar10 import fetch_cifar10
from robfair.datasets._mnist import fetch_mnist
from robfair.datasets._synthetic import make_group_margins
from robfair.datasets._utkface import fetch_utkface

__all__ = ["fetch_cifar10", "fetch_mnist", "fetch_utkface", "load_adult", "make_group_margins"]
