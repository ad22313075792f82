"""`Audit`: data that can be copied, pickled and printed."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

GROUPS = {"a": np.linspace(0.3, 0.5, 40), "b": np.linspace(0.6, 0.8, 40)}


def test_it_is_data(made):
    result = made(GROUPS)
    frame = result.to_frame()
    frame["size"] = 0
    assert (result.by_group["size"] > 0).all()
    copy = pickle.loads(pickle.dumps(result))
    assert str(copy) == repr(result) == str(result)
    with pytest.raises(FrozenInstanceError):
        result.name = "another"


def test_the_verdict_opens_markdown_and_stands_in_json(made):
    result = made(GROUPS)
    assert result.verdict().startswith("A small change flips the decision for a ")
    assert result.to_markdown().startswith("A small change flips the decision for a ")
    assert "A small change flips the decision for a " in result.to_json()
