"""Distances of rows that are read block by block."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression

from robfair import ThreatModel, audit
from robfair.auditing import Checkpoint, _block_distances, _passes
from robfair.datasets import make_group_margins
from robfair.exceptions import ResultsError
from row_blocks import Rows


@pytest.fixture(scope="module")
def case():
    data = make_group_margins(n_samples=400, random_state=0)
    model = LogisticRegression(C=1e6).fit(data.X, data.y)
    y = np.where(np.arange(400) % 9, data.y, 1 - data.y)  # some are wrong
    options = {
        "sensitive_features": data.groups,
        "threat_model": ThreatModel(),
        "favorable_label": 1,
    }
    return model, data.X, y, options


def assert_same(found, expected):
    for table in ("overall", "by_group", "by_label", "by_eps", "metrics", "favorable", "examples"):
        pd.testing.assert_frame_equal(getattr(found, table), getattr(expected, table), rtol=1e-12)
    for name in ("distance", "lower"):  # the last bit of a sum depends on the rows beside it
        assert_allclose(getattr(found.distances, name), getattr(expected.distances, name), 1e-12)
    for name in ("predicted", "status"):
        assert_array_equal(getattr(found.distances, name), getattr(expected.distances, name))
    assert found.warnings == expected.warnings


def test_the_numbers_are_those_of_all_rows_at_once(case):
    model, X, y, options = case
    assert_same(audit(model, Rows(X), y, **options), audit(model, X, y, **options))


def test_rows_are_measured_once_for_several_partitions(case):
    model, X, y, options = case
    rows = Rows(X)
    first = audit(model, rows, y, **options, examples=0)
    before = rows.n_read
    second = audit(model, rows, y, **options | {"sensitive_features": y}, examples=0)
    assert rows.n_read == before
    assert_array_equal(first.distances.distance, second.distances.distance)


def test_a_model_that_was_fitted_again_and_other_labels_are_measured_again(case):
    _, X, y, options = case
    model, rows = LogisticRegression().fit(X, y), Rows(X)
    audit(model, rows, y, **options)
    model.fit(X, X[:, 1] > 0)
    y = np.roll(y, 1)  # the same labels in another order
    assert_same(audit(model, rows, y, **options), audit(model, X, y, **options))


def test_finished_rows_survive_an_interrupt(case, tmp_path, capsys):
    model, X, y, options = case
    path = tmp_path / "rows"
    with pytest.raises(KeyboardInterrupt):
        audit(model, Rows(X, Checkpoint(path, {"data": 1}), fails_after=200), y, **options)
    assert f"140 of 400 rows are kept in {path}" in capsys.readouterr().err
    rest = Rows(X, Checkpoint(path, {"data": 1}))
    found = audit(model, rest, y, **options, examples=0, metrics=[])
    n_wrong = int((found.distances.predicted != y).sum())
    assert rest.n_read == 260 + n_wrong
    assert_same(
        audit(model, Rows(X, Checkpoint(path, {"data": 1})), y, **options),
        audit(model, X, y, **options),
    )
    with pytest.raises(ResultsError, match="is of another run, which differs in: data"):
        audit(model, Rows(X, Checkpoint(path, {"data": 2})), y, **options)


@pytest.mark.parametrize("threat_model", [None, ThreatModel(bounds="data")])
def test_a_block_does_not_know_the_range_of_the_others(case, threat_model):
    model, X, y, options = case
    with pytest.raises(ValueError, match="rows in blocks need threat_model="):
        audit(model, Rows(X), y, **options | {"threat_model": threat_model})


def test_blocks_of_slow_searches_are_short(case, monkeypatch):
    model, X, y, options = case
    by_labels = BaggingClassifier(model, 2, random_state=0).fit(X, y)
    monkeypatch.setattr(_block_distances, "FIRST", 30)
    monkeypatch.setattr(_passes, "FIRST", 30)
    options = options | {"examples": 0, "metrics": [], "budget": 20, "favorable_label": None}
    for classifier, sizes in ((model, [30, 60, 10]), (by_labels, [30, 30, 30, 10])):
        rows = Rows(X[:100])
        rows.size = 60
        audit(classifier, rows, y[:100], **options | {"sensitive_features": y[:100]})
        assert rows.sizes == sizes
