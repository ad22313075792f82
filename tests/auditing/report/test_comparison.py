"""`Comparison`: tables of several audits, and two kinds of verdict."""

import numpy as np
import pytest

NEAR, FAR = np.linspace(0.3, 0.5, 40), np.linspace(0.6, 0.8, 40)


@pytest.fixture
def comparison(models):
    return models(even={"a": NEAR, "b": NEAR}, uneven={"a": NEAR, "b": FAR})


def test_tables(comparison):
    assert comparison.to_frame().equals(comparison.overall)
    assert comparison.overall.index.tolist() == ["even", "uneven"]
    assert comparison.by_group.index.names[0] == "model"
    for name, audit in comparison.audits.items():
        assert comparison.overall.loc[name].tolist() == audit.overall["value"].tolist()
        assert comparison.by_group.loc[name].equals(audit.by_group)


def test_the_baseline_chooses_the_verdict(comparison):
    assert comparison.verdict().startswith("V_f is smallest for even, ")
    against = comparison.verdict(baseline="uneven")
    assert against.startswith("V_f is lower for even than for uneven: ")
    assert comparison.verdict() in comparison.to_json().replace("\\n", "\n")
