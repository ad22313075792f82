"""Passes over rows in blocks: each goes on where it was ended, whatever has ended it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression

from robfair import ThreatModel, audit
from robfair._checkpoint import read_checkpoint
from robfair.auditing import Checkpoint, _passes
from robfair.auditing._passes import RowPass, run_pass
from robfair.datasets import make_group_margins
from row_blocks import Rows

X = np.arange(400.0).reshape(400, 1)
ALL = np.arange(400)


def squares(X, key="squares", **options):
    return RowPass("squares", lambda rows: X.read(rows)[:, 0] ** 2, key, **options)


def kept(path, fails_after=None):
    return Rows(X, Checkpoint(Path(path), {"data": 1}), fails_after)


def test_all_rows_or_some():
    for rows in (ALL, ALL[::3]):
        assert_array_equal(run_pass(squares(blocks := Rows(X)), blocks, rows, 0), X[rows, 0] ** 2)
        assert blocks.sizes[0] == 70
        assert blocks.n_read == len(rows)


def test_a_pass_goes_on_after_an_interrupt(tmp_path, capsys):
    path = tmp_path / "rows"
    with pytest.raises(KeyboardInterrupt):
        run_pass(squares(blocks := kept(path, fails_after=200)), blocks, ALL, 0)
    assert f"squares: 140 of 400 rows are kept in {path}: the same" in capsys.readouterr().err
    blocks = kept(path)
    assert_array_equal(run_pass(squares(blocks), blocks, ALL, 1), X[:, 0] ** 2)
    assert blocks.n_read == 260
    assert "squares: 140 of 400 rows are done" in capsys.readouterr().err
    run_pass(squares(blocks := kept(path)), blocks, ALL, 0)
    assert blocks.n_read == 0


def test_finished_rows_are_written_while_it_runs(tmp_path, monkeypatch):
    """As a kill needs it, after which nothing runs any more."""
    monkeypatch.setattr(_passes, "OFTEN", -1)
    checkpoint = Checkpoint(tmp_path / "rows", {"data": 1})
    done = []

    class Watched(Rows):
        def read(self, rows):
            found = read_checkpoint(checkpoint.path, checkpoint.description) or {}
            done.append(found.get("squares", {"done": 0})["done"])
            return super().read(rows)

    run_pass(squares(blocks := Watched(X, checkpoint)), blocks, ALL, 0)
    assert done == [0, 70, 140, 210, 280, 350]


def test_a_pass_begins_once(tmp_path):
    begun = []
    for _ in range(2):
        blocks = kept(tmp_path / "rows")
        run_pass(squares(blocks, begin=lambda: begun.append(1)), blocks, ALL, 0)
    assert len(begun) == 1


def test_other_rows_are_not_taken_for_those_of_the_file(tmp_path):
    run_pass(squares(blocks := kept(tmp_path / "rows")), blocks, ALL[:200], 0)
    blocks = kept(tmp_path / "rows")
    assert_array_equal(run_pass(squares(blocks), blocks, ALL[200:], 0), X[200:, 0] ** 2)


def test_a_result_is_kept_for_its_key_and_rows():
    blocks = Rows(X)
    for key, rows, n_read in (
        ("a", ALL, 400), ("a", ALL, 400), ("a", ALL[1:], 799), ("b", ALL[1:], 1198),
        (None, ALL, 1598), (None, ALL, 1998),
    ):  # fmt: skip
        run_pass(squares(blocks, key), blocks, rows, 0)
        assert blocks.n_read == n_read


def test_the_next_block_is_as_long_as_the_last_part_says():
    blocks = Rows(X)
    run_pass(squares(blocks, size=lambda part: len(part) // 2 + 20), blocks, ALL, 0)
    assert blocks.sizes[:4] == [70, 55, 47, 43]


@pytest.mark.parametrize("n_blocks", range(1, 16))
def test_an_audit_goes_on_in_whatever_pass_it_was_ended(n_blocks, tmp_path):
    """Distances, probabilities and distances of wrong rows: each block is computed once."""
    data = make_group_margins(n_samples=400, random_state=0)
    model = LogisticRegression().fit(data.X, data.y)
    y = np.where(np.arange(400) % 3, data.y, 1 - data.y)  # a third are wrong
    options = {
        "sensitive_features": data.groups, "threat_model": ThreatModel(), "favorable_label": 1,
        "examples": 0, "n_check": 0,
    }  # fmt: skip
    checkpoint = Checkpoint(tmp_path / "rows", {"data": 1})
    whole = Rows(data.X)
    expected = audit(model, whole, y, **options)
    assert len(whole.sizes) >= 14
    first = Rows(data.X, checkpoint, fails_after=sum(whole.sizes[:n_blocks]))
    if n_blocks < len(whole.sizes):
        with pytest.raises(KeyboardInterrupt):
            audit(model, first, y, **options)
    else:
        audit(model, first, y, **options)
    rest = Rows(data.X, checkpoint)
    found = audit(model, rest, y, **options)
    assert rest.sizes == whole.sizes[n_blocks:]
    for table in ("overall", "by_group", "metrics", "favorable"):
        pd.testing.assert_frame_equal(getattr(found, table), getattr(expected, table), rtol=1e-12)
