"""Audits of made-up distances, and one audit and one comparison to export."""

import numpy as np
import pytest
import torch
from torch import nn

from exported import CLF, DATA, GROUPS
from robfair import BoundaryDistance, ThreatModel, audit, compare
from robfair.auditing import Comparison, _run

MODEL = nn.Linear(1, 2)


@pytest.fixture
def made(monkeypatch):
    """Audit made-up distances: an array for each group, NaN where the model is wrong.

    Labels are 0, unless an array of 0 and 1 is given for each group.
    """

    def make(
        groups, *, labels=None, method="linear", status="exact", lower=None, warnings=(), **options
    ):
        distance = np.concatenate(list(groups.values()))
        names = np.repeat(list(groups), [len(values) for values in groups.values()])
        n = len(distance)
        y = (
            np.zeros(n, dtype=int)
            if labels is None
            else np.concatenate([labels[g] for g in groups])
        )
        statuses = np.where(np.isnan(distance), "skipped", status).astype("<U8")
        statuses[np.isinf(distance)] = "censored"
        found = BoundaryDistance(
            distance=distance,
            lower=lower,
            predicted=np.where(np.isnan(distance), 1 - y, y),
            status=statuses,
            adversarial=None,
            method=method,
            threat_model=ThreatModel(),
            n_forward=np.ones(n, dtype=np.int32),
            n_backward=np.zeros(n, dtype=np.int32),
            warnings_=warnings,
        )
        monkeypatch.setattr(_run, "shared_distance", lambda *args, **kwargs: found)
        features = options.pop("sensitive_features", names)
        options = {"n_check": 0, "certify": lower is not None, **options}
        X = torch.zeros(n, 1)
        return audit(MODEL, X, y, sensitive_features=features, **options)

    return make


@pytest.fixture
def models(made):
    """Compare models with made-up distances by group."""
    return lambda **groups: Comparison({name: made(g) for name, g in groups.items()})


@pytest.fixture(scope="session")
def result():
    return audit(CLF, DATA.X, DATA.y, sensitive_features=GROUPS, certify=True)


@pytest.fixture(scope="session")
def comparison():
    return compare(
        {"one": CLF, "two": CLF}, DATA.X, DATA.y, sensitive_features=GROUPS, confidence=None
    )
