"""Torch modules of the papers and for tables, and their weights as files."""

from robfair.models._alexnet import alexnet
from robfair.models._cifar import cifar_network
from robfair.models._lenet import lenet5
from robfair.models._resnet import resnet18
from robfair.models._standardize import Standardize
from robfair.models._tabular import adult_network, tabular_network
from robfair.models._utkface import utkface_network
from robfair.models._weights import load_weights, save_weights

__all__ = [
    "Standardize",
    "adult_network",
    "alexnet",
    "cifar_network",
    "lenet5",
    "load_weights",
    "resnet18",
    "save_weights",
    "tabular_network",
    "utkface_network",
]
