"""Options of an attack: ranges, what goes with a method, what a table has no use for."""

import numpy as np
import pytest

from robfair import ThreatModel
from robfair.attacks._options import AttackOptions, as_threat_model, searches_rows

TABLE = ThreatModel(categories=[[0, 1]])


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"method": "apgd"}, ValueError, "method must be one of pgd, fgsm, kl; got 'apgd'"),
        ({"n_steps": 0}, ValueError, "n_steps and n_restarts must be at least 1; got 0 and 1"),
        ({"n_restarts": 1.5}, TypeError, "integer"),
        ({"step_size": np.inf}, ValueError, "step_size must be a positive number or None"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"method": "fgsm", "step_size": 0.1}, ValueError, '"fgsm" is one step of length eps'),
        ({"method": "kl", "random_start": False}, ValueError, '"kl" needs random_start=True'),
        ({"method": "kl", "target": 1}, ValueError, '"kl" has no target: use method="pgd"'),
    ],
)
def test_what_is_refused(options, error, match):
    with pytest.raises(error, match=match):
        AttackOptions(**options)


def test_threat_models():
    assert as_threat_model(None).norm == np.inf
    assert as_threat_model(TABLE) is TABLE
    with pytest.raises(TypeError, match="must be a ThreatModel or None; got 2"):
        as_threat_model(2)


def test_a_search_of_rows_refuses_options_of_steps():
    assert searches_rows(TABLE, AttackOptions(batch_size=3, random_state=1))
    assert not searches_rows(ThreatModel(2), AttackOptions(n_steps=3, target=1), "tolerance")
    with pytest.raises(ValueError, match="leave out tolerance, n_steps, step_size"):
        searches_rows(TABLE, AttackOptions(n_steps=3, step_size=0.1), "tolerance")
    with pytest.raises(ValueError, match="leave out method; got 'kl'"):
        searches_rows(TABLE, AttackOptions(method="kl"))
    with pytest.raises(ValueError, match="target must be None; got 1"):
        searches_rows(TABLE, AttackOptions(target=1))
