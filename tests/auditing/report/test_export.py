"""Audits as JSON, Markdown and a section of a model card; files are there whole or as before."""

import errno
import json
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from skops.card import Card

from robfair import audit, compare
from robfair._text import escaped
from robfair.auditing.report._exports import write_file
from robfair.auditing.report._json import plain
from robfair.datasets import make_group_margins

DATA = make_group_margins(150, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)
GROUPS = np.array(["a|b", "<b>", "c_c"])[DATA.groups]


@pytest.fixture(scope="module")
def result():
    return audit(CLF, DATA.X, DATA.y, sensitive_features=GROUPS, n_boot=20, certify=True)


@pytest.fixture(scope="module")
def comparison():
    return compare({"one": CLF, "two": CLF}, DATA.X, DATA.y, sensitive_features=GROUPS, n_boot=None)


def strict(text):
    """Read JSON as other languages do, which know no NaN."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_json_holds_the_tables(result):
    read = strict(result.to_json())
    assert read["verdict"] == result.verdict()
    assert read["n_samples"] == 150
    for name, row in result.overall.iterrows():
        for column, value in row.items():
            told = read["overall"][name][column]
            assert told == value or (told is None and np.isnan(value))
    for (group, row), told in zip(result.by_group.iterrows(), read["by_group"], strict=True):
        assert told.pop("group") == group
        assert told == row.to_dict()
    assert read["examples"] == result.examples.to_dict(orient="records")
    assert read["status"] == result.distances.counts()
    assert read["passes"] == {"forward": result.distances.n_forward.sum(), "backward": 0}
    assert read["settings"]["random_state"] == 0
    assert set(read["settings"]["versions"]) > {"robfair", "torch", "scikit-learn", "numpy"}


def test_json_of_crossed_columns_with_names_of_ours():
    frame = pd.DataFrame({"size": GROUPS, "group": np.arange(150) % 2})
    crossed = audit(CLF, DATA.X, DATA.y, sensitive_features=frame, n_boot=None, n_check=0)
    read = strict(crossed.to_json())
    assert read["sensitive_features"] == ["size", "group"]
    assert read["by_group"][0]["group"] == ["<b>", 0]
    assert read["by_group"][0]["size"] == crossed.by_group["size"].iloc[0]


def test_json_of_a_comparison(comparison):
    read = strict(comparison.to_json())
    assert [model["name"] for model in read["models"]] == ["one", "two"]
    assert read["models"][0]["overall"]["V_f"]["value"] == comparison.overall["V_f"]["one"]
    assert read["models"][0]["overall"]["V_f"]["lower"] is None


def test_values_that_json_does_not_know():
    values = {1: [np.float64("inf"), np.nan, -np.inf], "t": (np.int64(3), np.bool_(True), None)}
    expected = {"1": ["inf", None, "-inf"], "t": [3, True, None]}
    assert strict(json.dumps(plain(values), allow_nan=False)) == expected
    assert plain(pd.Timestamp("2020-01-02")) == "2020-01-02 00:00:00"


def cells(line):
    """Split a line of a Markdown table at the bars that are not escaped."""
    return [c.strip() for c in line.replace(r"\|", "\0").strip("|").split("|")]


def test_markdown_tables_have_a_row_per_measure_and_group(result):
    lines = [line for line in result.to_markdown().splitlines() if line.startswith("|")]
    measures, groups = lines[2:8], lines[10:]
    assert [cells(line)[0] for line in measures] == [escaped(name) for name in result.overall.index]
    assert [cells(line)[0].replace("\0", "|") for line in groups] == ["&lt;b&gt;", "a|b", r"c\_c"]
    assert len({len(cells(line)) for line in lines[:8]}) == 1
    assert len({len(cells(line)) for line in lines[8:]}) == 1
    row = result.by_group.loc["a|b"]
    assert f"{row['robustness']:.4g}" in cells(groups[1])
    assert f"{row['low']:.4g} to {row['high']:.4g}" in cells(groups[1])


def test_markdown_of_a_comparison(comparison):
    text = comparison.to_markdown()
    assert text.startswith("V\\_f is smallest for one, ")
    assert "without intervals nothing is known of the error of sampling" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert cells(lines[0]) == ["model", "accuracy", "Rob(f)", r"V\_f", "CV", "worst group", "gap"]
    assert [cells(line)[0] for line in lines[2:4]] == ["one", "two"]
    assert cells(lines[4])[1:] == ["size", "one", "two"]


def test_warnings_stand_in_markdown():
    few = audit(CLF, DATA.X[:60], DATA.y[:60], sensitive_features=GROUPS[:60], n_boot=20)
    assert few.warnings
    assert escaped(few.warnings[0]) in few.to_markdown()


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
    with pytest.raises(IsADirectoryError, match=r"is a folder: name a file, such as .*audit\.html"):
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
