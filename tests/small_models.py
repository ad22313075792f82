"""Sixty samples, and small models of each kind for them."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from oracles import network

NORMS = [2, np.inf]
X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
RELU = network([3, 5, 3], nn.ReLU)
AFFINE = [
    network([3, 3]),
    nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3).double(), network([3, 3])),
    LogisticRegression().fit(X, Y),
    make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
]


def small_forest():
    return RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, Y)
