"""Audits as files and as a section of a model card; files are there whole or as before."""

import errno
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from skops.card import Card

from exported import CLF, strict
from robfair import audit
from robfair._text import escaped
from robfair.auditing.report._exports import write_file


@pytest.mark.parametrize("what", ["result", "comparison"])
def test_a_section_of_a_card(what, request):
    exported = request.getfixturevalue(what)
    card = Card(CLF)
    assert exported.add_to_card(card) is card
    section = card.render().partition("# Adversarial robustness by group")[2]
    assert escaped(exported.verdict()) in section
    assert "&lt;b&gt;" in section
    assert "<b>" not in section


def test_no_card(result):
    with pytest.raises(TypeError, match=r"card must be a skops\.card\.Card; got a dict"):
        result.add_to_card({})


@pytest.mark.parametrize(
    ("missing", "call", "extra"),
    [
        ("skops.card", lambda r, path: r.add_to_card(None), "cli"),
        ("jinja2", lambda r, path: r.to_html(path), "report"),
        ("matplotlib", lambda r, path: r.to_html(path), "report"),
    ],
)
def test_what_is_missing_is_named(result, tmp_path, monkeypatch, missing, call, extra):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf'pip install "robfair\[{extra}\]"'):
        call(result, tmp_path / "audit.html")
    assert list(tmp_path.iterdir()) == []


def test_files(result, tmp_path):
    assert result.to_json(tmp_path / "audit.json") is None
    assert strict((tmp_path / "audit.json").read_text(encoding="utf-8")) == strict(result.to_json())
    result.to_html(str(tmp_path / "audit.html"))
    assert (tmp_path / "audit.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert len(list(tmp_path.iterdir())) == 2


def never():
    raise AssertionError("nothing is to be drawn for a file that cannot be written")


def test_a_bad_path_is_told_before_anything_is_drawn(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none: make it"):
        write_file(tmp_path / "none" / "audit.html", never)
    with pytest.raises(IsADirectoryError, match="is a folder: name a file"):
        write_file(tmp_path, never)


def test_an_old_report_survives_a_full_disk(tmp_path):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "audit.html"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(OSError, match="No space left"):
        write_file(path, full)
    assert path.read_text(encoding="utf-8") == "old"
    write_file(path, lambda: "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


EVIL = ["\x1b[31mred", "a\nb", "\u202egnp.exe", "zero\u200bwidth", "tab\there"]


def test_names_cannot_change_what_a_reader_sees(tmp_path):
    """Escapes of a terminal, line breaks, direction of text and characters without width."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    y = (X.sum(axis=1) > 0).astype(int)
    groups = pd.Series(np.array(EVIL)[np.arange(100) % 5], name="by\x1b[2J\u202e")
    model = LogisticRegression().fit(X, y)
    result = audit(model, X, y, sensitive_features=groups, name="mo\x1b[2Jdel\u2066")
    result.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    for text in (str(result), result.verdict(), result.to_markdown(), page):
        unseen = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}} - {"\n"}
        assert not unseen
    for text in (str(result), page):
        for name in EVIL:
            assert name.encode("unicode_escape").decode() in text
