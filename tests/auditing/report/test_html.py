"""The HTML of a report, read without a browser: what stands in it, and that all is data."""

import base64
import hashlib
import re
import tomllib
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from robfair import audit, compare
from robfair.auditing.report._glossary import GLOSSARY
from robfair.datasets import make_group_margins
from robfair.exceptions import CensoredDistanceWarning, UndefinedMetricWarning

DATA = make_group_margins(150, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)
GROUPS = np.array(["a", "b", "c"])[DATA.groups]
VOID = {"meta", "link", "img", "source", "br"}


class Page(HTMLParser):
    """Elements in order, each with its attributes and the text inside; tags must balance."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.open = [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    @property
    def text(self):
        return " ".join(self.all("body")[0]["text"].split())


def report(result, tmp_path):
    result.to_html(tmp_path / "report.html")
    return Page(tmp_path / "report.html")


@pytest.fixture(scope="module")
def result():
    return audit(CLF, DATA.X, DATA.y, sensitive_features=GROUPS, certify=True, name="my model")


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    return report(result, tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def comparison():
    options = {"sensitive_features": GROUPS, "tau_max": 3.0}
    return compare({"one": CLF, "two": CLF, "3": CLF}, DATA.X, DATA.y, **options)


@pytest.fixture(scope="module")
def side_by_side(comparison, tmp_path_factory):
    return report(comparison, tmp_path_factory.mktemp("comparison"))


def test_it_holds_what_the_audit_found(result, page):
    assert page.all("h1")[0]["text"] == "my model"
    assert result.verdict().partition(": ")[0] in page.text
    for sentence in result.verdict().split(". ")[1:]:
        assert sentence.rstrip(".") in page.text
    for group, row in result.by_group.iterrows():
        cells = f"{row['low']:.4g} to {row['high']:.4g}"
        assert cells in page.text, group
        assert f"{row['robustness']:.4g}" in page.text
    for words in result.examples["changed"]:
        assert words in page.text
    versions = result.settings["versions"]
    assert f"torch {versions['torch']}, scikit-learn {versions['scikit-learn']}" in page.text
    for text in (
        "linear: exact for affine models", "L2, Euclidean", "ThreatModel(norm=2)", "every feature",
        "150 samples:", "95 %, from the mean, spread and skewness of each group",
        result.settings["date"],
    ):  # fmt: skip
        assert text in page.text
    for term, meaning in GLOSSARY:
        assert f"{term} {meaning}" in page.text


@pytest.mark.parametrize("kind", ["result", "comparison"])
def test_title_and_notes_stand_on_top_as_data(kind, request, tmp_path):
    found = request.getfixturevalue(kind)
    path = tmp_path / "report.html"
    found.to_html(path, title="Credit <2026>", notes="Owner: <b>us</b>.\n\nRows of 1994.")
    page = Page(path)
    assert page.all("h1")[0]["text"] == page.all("title")[0]["text"] == "Credit <2026>"
    notes = [p["text"] for p in page.all("p") if p.get("class") == "notes"]
    assert notes == ["Owner: <b>us</b>.", "Rows of 1994."]
    (facts,) = [p["text"] for p in page.all("p") if p.get("class") == "facts"]
    audits = [found] if kind == "result" else list(found.audits.values())
    assert all(each.name in facts for each in audits)
    assert "150 rows in 3 groups" in facts
    assert audits[0].settings["date"][:10] in facts


@pytest.mark.slow
def test_warnings_come_before_the_tables(tmp_path):
    few = audit(CLF, DATA.X[:60], DATA.y[:60], sensitive_features=GROUPS[:60])
    page = report(few, tmp_path)
    at = page.text.index("Groups of fewer than 30 samples")
    assert page.text.index("Warnings of the measurement") < at < page.text.index("Measures over")
    assert (
        "Warnings of the measurement"
        not in report(audit(CLF, DATA.X, DATA.y, sensitive_features=GROUPS), tmp_path).text
    )


@pytest.mark.slow
@pytest.mark.parametrize("which", ["page", "side_by_side"])
def test_references_resolve_and_identifiers_are_unique(which, request):
    page = request.getfixturevalue(which)
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(set(ids)) == len(ids)
    named = {
        element["aria-labelledby"] for element in page.elements if "aria-labelledby" in element
    }
    links = {a["href"].removeprefix("#") for a in page.all("a")}
    assert named | links <= set(ids)
    assert all(a["href"].startswith("#") for a in page.all("a"))
    levels = [int(e["tag"][1]) for e in page.elements if re.fullmatch("h[1-6]", e["tag"])]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_nothing_is_fetched_and_the_script_is_the_one_allowed(page):
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    (script,) = page.all("script")
    digest = base64.b64encode(hashlib.sha256(script["text"].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy
    for element in page.elements:
        for name in ("src", "href"):
            assert element.get(name, "#").startswith(("data:", "#"))
    assert "http" not in re.sub(r'"data:[^"]*"|http-equiv', "", page.source)


def test_a_comparison_shows_each_model(comparison, side_by_side):
    page = side_by_side
    headings = [h["text"] for h in page.all("h2")]
    assert headings[:6] == [
        "What was found", "Models side by side", "Groups by model", "one", "two", "3"
    ]  # fmt: skip
    assert len(page.all("img")) == 1 + 3 * 2
    assert "one: Rob(f) " in page.all("img")[0]["alt"]
    tables = [t["text"].split() for t in page.all("table")]
    assert len(tables) == 2 + 3 * 8
    for name in comparison.audits:
        assert f"{comparison.overall['Rob(f)'][name]:.4g}" in tables[0]


EVIL = ["<script>alert(1)</script>", "</style>{{ 7 * 7 }}", '" onmouseover="alert(2)']


@pytest.mark.slow
def test_names_are_data(tmp_path):
    frame = pd.DataFrame(DATA.X, columns=['"><img src=x onerror=alert(3)>', "$b$_{", "a & b"])
    model = LogisticRegression().fit(frame, DATA.y)
    groups = pd.Series(np.array(EVIL)[DATA.groups], name="<i>race</i>")
    y = np.array(["<u>", "</main>"])[DATA.y]
    result = compare(
        {"<script>alert(4)</script>": model.fit(frame, y), "b": model.fit(frame, y)},
        frame, y, sensitive_features=groups,
    )  # fmt: skip
    page = report(result, tmp_path)
    assert len(page.all("script")) == 1
    assert page.all("i") == page.all("u") == []
    assert all("onerror" not in e and "onmouseover" not in e for e in page.elements)
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    for name in (*EVIL, *frame.columns, "<i>race</i>", "<script>alert(4)</script>"):
        assert name in page.text


@pytest.mark.parametrize("examples", [0, 2])
def test_rows_are_left_out_if_they_were_not_asked_for(examples, tmp_path):
    result = audit(
        CLF, DATA.X, DATA.y, sensitive_features=GROUPS, confidence=None, examples=examples
    )
    text = report(result, tmp_path).text
    assert ("These are rows of data" in text) == (examples > 0)
    assert ("(examples=0)" in text) == (examples == 0)
    assert "interval" not in text.partition("Glossary")[0].lower().replace("intervals none", "")


def constant():
    module = nn.Linear(3, 2).double()
    with torch.no_grad():
        module.weight.zero_()
        module.bias.copy_(torch.tensor([1.0, 0.0]))
    return module


@pytest.mark.slow
def test_measures_that_are_not_known(tmp_path):
    with pytest.warns(CensoredDistanceWarning):
        result = audit(constant(), DATA.X, DATA.y, sensitive_features=GROUPS)
    page = report(result, tmp_path)
    assert "No verdict: " in page.text
    assert "Nothing is said of a, b, c: some of the rows could not be flipped" in page.text
    assert "unknown" in page.text
    assert page.all("img") == []
    with pytest.warns(UndefinedMetricWarning):
        one = audit(CLF, DATA.X, DATA.y, sensitive_features=["all"] * 150)
    assert "No comparison: all samples are in one group, all." in report(one, tmp_path).text


@pytest.mark.slow
def test_many_groups_and_rows_stay_small(tmp_path):
    data = make_group_margins(
        [30] * 150, n_features=3, margins=np.linspace(1, 2, 150), random_state=0
    )
    model = LogisticRegression().fit(data.X, data.y)
    # Declared, since more than fifty groups are refused where nobody says that all are meant.
    names = pd.Categorical([f"a rather long name of a group, number {g}" for g in data.groups])
    result = audit(model, data.X, data.y, sensitive_features=names)
    page = report(result, tmp_path)
    assert len(page.source) < 3e6
    assert "Only the 40 lowest groups are drawn." in page.text
    rows = page.all("table")[-1]["text"]
    assert len(re.findall("number", rows)) == 40 * 3


def test_the_templates_are_shipped():
    root = Path(__file__).resolve().parents[3]
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = {
        path
        for pattern in settings["tool"]["setuptools"]["package-data"]["robfair"]
        for path in (root / "robfair").glob(pattern)
    }
    templates = set((root / "robfair" / "auditing" / "report" / "templates").iterdir())
    assert len(templates) == 4
    assert templates <= shipped
