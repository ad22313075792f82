"""The settings of an audit: seed, options, space, date, versions."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair import ThreatModel, audit
from robfair.datasets import make_group_margins

DATA = make_group_margins(60, n_features=3, random_state=0)
X = pd.DataFrame(DATA.X, columns=["age", "hours", "gain"])
CLF = LogisticRegression().fit(X, DATA.y)


def settings(model=CLF, **options):
    options = {**options}
    return audit(model, X, DATA.y, sensitive_features=DATA.groups, **options).settings


@pytest.mark.parametrize(
    ("random_state", "told"),
    [(7, 7), (None, None), (np.int64(3), 3), (np.random.default_rng(0), "Generator")],
)
def test_the_seed_is_told_or_its_kind(random_state, told):
    assert settings(random_state=random_state)["random_state"] == told


def test_the_space_in_which_distances_live():
    assert settings()["space"] == "X"
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, DATA.y)
    assert settings(pipeline)["space"] == "the input of the last step of the Pipeline"


@pytest.mark.parametrize(
    ("mutable", "told"), [(None, "every feature"), ([True, False, True], "age, gain")]
)
def test_what_may_change_is_named(mutable, told):
    assert settings(threat_model=ThreatModel(mutable=mutable))["mutable"] == told


def test_date_and_versions():
    made = settings()
    assert datetime.fromisoformat(made["date"]).tzinfo is not None
    assert made["versions"]["torch"] == torch.__version__


def test_options_that_were_changed_are_told_as_plain_values():
    assert settings()["distance_options"] == {}
    made = settings(certify=True, batch_size=8, background=DATA.X[:5], random_state=4)
    assert made["distance_options"] == {
        "certify": True, "background": "ndarray of shape (5, 3)", "batch_size": 8
    }  # fmt: skip
