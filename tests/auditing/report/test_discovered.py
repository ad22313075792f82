"""Subgroups that nobody named, in each form of an audit: what `discover_groups` returns."""

import json

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from robfair import audit, discover_groups
from robfair.datasets import make_group_margins

DATA = make_group_margins(600, n_features=3, random_state=0)
CLF = LogisticRegression(C=1e6).fit(DATA.X, DATA.y)
SITES = pd.DataFrame(
    {"site": np.array(["<b>north", "south"])[(DATA.groups > 0) * 1], "shoe": np.arange(600) % 7}
)


def run(discover, **options):
    options = {"sensitive_features": SITES["shoe"] % 2, "examples": 0, **options}
    return audit(CLF, DATA.X, DATA.y, discover=discover, **options)


RESULT = run(SITES)


def test_it_is_the_table_of_discover_groups():
    expected = discover_groups(CLF, DATA.X, DATA.y, columns=SITES)
    assert_frame_equal(RESULT.discovered, expected)
    assert RESULT.discovered.attrs == expected.attrs
    frame = pd.DataFrame(DATA.X, columns=["p", "q", "r"])
    model = LogisticRegression(C=1e6).fit(frame, DATA.y)
    found = audit(model, frame, DATA.y, sensitive_features=SITES["site"], discover=True)
    expected = discover_groups(model, frame, DATA.y)
    assert_frame_equal(found.discovered, expected)
    assert expected.attrs["n_searched"] > 300


@pytest.mark.parametrize("discover", [None, False])
def test_without_it_nothing_is_searched_or_said(discover):
    result = run(discover)
    assert result.discovered is None
    assert "nobody named" not in str(result) + result.to_markdown()
    assert json.loads(result.to_json())["discovered"] is None


def test_text_and_markdown():
    row = RESULT.discovered.iloc[0]
    text = str(RESULT)
    line = next(line for line in text.splitlines() if line.startswith('"<b>north"', 7))
    assert line.split()[:4] == ["site", "=", '"<b>north"', f"{row['size']}"]
    assert f"{row['robustness']:.4g}" in line
    assert f"{row['lower']:.4g} to {row['upper']:.4g}" in line
    assert "< 0.0001" in line
    assert line.endswith("confirmed")
    assert "were searched on 300 rows, and one was tested on 300 others" in " ".join(text.split())
    assert "&lt;b&gt;north" in RESULT.to_markdown()


def test_html_escapes_names_and_has_a_place_in_the_contents(tmp_path):
    RESULT.to_html(tmp_path / "audit.html")
    html = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert '<a href="#audit-discovered">' in html
    assert "&lt;b&gt;north" in html
    assert "<b>north" not in html
    assert "does not replace naming groups" in " ".join(html.split())


def test_json_has_every_number():
    record = json.loads(RESULT.to_json())["discovered"]
    expected = RESULT.discovered
    assert record["n_searched"] == expected.attrs["n_searched"]
    assert_frame_equal(pd.DataFrame(record["tested"]), expected)


def test_nothing_that_stood_out_is_said(tmp_path):
    result = run(pd.DataFrame({"coin": np.arange(600) % 2}))
    result.to_html(tmp_path / "audit.html")
    texts = str(result), result.to_markdown(), (tmp_path / "audit.html").read_text(encoding="utf-8")
    for text in texts:
        assert "none stood out to be tested on 300 others" in " ".join(text.split())


def test_unknown_distances_are_told_in_place_of_a_table():
    model = DummyClassifier(strategy="constant", constant=1).fit([[0.0]] * 2, [0, 1])
    with pytest.warns(UserWarning, match="no adversarial"):
        result = audit(model, DATA.X, DATA.y, sensitive_features=SITES["site"], discover=SITES)
    assert result.discovered is None
    assert any("no subgroups were searched: for 300 rows" in text for text in result.warnings)


def test_bad_columns_are_refused_before_the_distances(monkeypatch):
    monkeypatch.delattr("robfair._cache.measure_distance")
    with pytest.raises(ValueError, match="X is a ndarray, which does not name its columns"):
        run(True)
