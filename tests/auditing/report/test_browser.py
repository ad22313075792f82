"""The report in a headless Chromium: no errors, no requests, sorting, printing, narrow screens."""

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from chromium import DESK, LOOKS, PHONE, faults, find_chromium, listen, open_chromium
from robfair import compare
from robfair.datasets import make_group_margins

DATA = make_group_margins([40, 9, 120], n_features=3, random_state=0)
NAMES = np.array(["<script>alert(1)</script>", "b", "a"])
COLUMNS = ['"><img src=x onerror=alert(2)>', "hours", "gain"]


@pytest.fixture(scope="module")
def browser():
    with open_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    X = pd.DataFrame(DATA.X, columns=COLUMNS)
    models = {name: LogisticRegression(C=c).fit(X, DATA.y) for name, c in (("one", 1), ("two", 9))}
    groups = pd.Series(NAMES[DATA.groups], name="group")
    result = compare(models, X, DATA.y, sensitive_features=groups, certify=True)
    path = tmp_path_factory.mktemp("report") / "audit.html"
    result.to_html(path)
    return path


@pytest.fixture
def visit(browser, report):
    """Open the report; whatever goes wrong in the page fails the test at its end."""
    wrong, contexts = [], []

    def open_page(width=1200, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        wrong.append(listen(page))
        page.goto(report.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [text for texts in wrong for text in texts] == []


def table(page):
    return page.locator("section[aria-labelledby=model-0-groups] table")


def column(page, number):
    cells = table(page).locator(f"tbody tr > :nth-child({number})").all_inner_texts()
    return [cell.replace(",", "") for cell in cells]


def test_it_renders_and_names_stay_names(visit):
    page = visit()
    assert page.title() == "one, two"
    assert set(column(page, 1)) == set(NAMES)
    assert COLUMNS[0] in page.locator("#model-0-rows-caption").locator("xpath=..").inner_text()
    sizes = page.evaluate("[...document.images].map(i => [i.complete, i.naturalWidth])")
    assert len(sizes) == 5
    assert all(complete and width > 100 for complete, width in sizes)


def test_a_click_sorts_and_another_turns_round(visit):
    page = visit()
    title = table(page).get_by_role("columnheader", name="size")
    title.get_by_role("button").click()
    assert column(page, 2) == ["9", "40", "120"]
    assert title.get_attribute("aria-sort") == "ascending"
    title.get_by_role("button").click()
    assert column(page, 2) == ["120", "40", "9"]
    assert title.get_attribute("aria-sort") == "descending"
    name = table(page).get_by_role("columnheader", name="group")
    name.get_by_role("button").click()
    assert column(page, 1) == [NAMES[0], "a", "b"]
    assert title.get_attribute("aria-sort") is None
    assert page.locator("th[aria-sort]").count() == 1


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_sorts(visit, key):
    page = visit()
    button = table(page).get_by_role("button", name="size")
    table(page).get_by_role("button", name="group").focus()
    page.keyboard.press("Tab")
    assert button.evaluate("button => button === document.activeElement")
    page.keyboard.press(key)
    assert column(page, 2) == ["9", "40", "120"]
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("size")


def test_numbers_sort_by_value_and_the_unknown_stay_at_the_end(visit):
    page = visit()
    measures = page.locator("section[aria-labelledby=model-0-measures] table")
    for turn in (1, -1):
        measures.get_by_role("button", name="certified").click()
        cells = measures.locator("tbody tr > :nth-child(4)").all_inner_texts()
        assert cells[-1] == ""  # accuracy has none
        values = [float(cell.partition(" ")[0]) for cell in cells[:-1]]
        assert values == sorted(values, reverse=turn < 0)


def test_landmarks_headings_and_alternatives(visit):
    page = visit()
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("region", name="How this was measured").count() == 2
    assert page.locator("html").get_attribute("lang") == "en"
    assert all(len(img.get_attribute("alt")) > 50 for img in page.locator("img").all())
    assert page.locator("th:not([scope])").count() == 0
    page.keyboard.press("Tab")
    skip = page.locator("a.skip")
    assert skip.evaluate("a => a === document.activeElement && a.getBoundingClientRect().x >= 0")


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_it_can_be_read_on_every_screen_and_on_paper(visit, look):
    assert faults(visit(), *look) == []


@pytest.mark.parametrize(
    ("style", "fault"),
    [
        ("td { color: #888 }", "contrast of td"),
        ("table { color: #8885 }", "contrast of th"),
        ("h1 { width: 2000px }", "wider than the screen: h1"),
        ("main { display: none }", "0 times main"),
    ],
)
def test_faults_are_found(visit, style, fault):
    page = visit()
    page.add_style_tag(content=style)
    assert any(fault in found for found in faults(page, PHONE, "screen", "light"))


SIZES = """[...document.querySelectorAll("figure img")].map(
    (i) => [i.currentSrc, i.naturalWidth, i.getBoundingClientRect().width])"""


def test_figures_are_drawn_for_the_width_of_the_screen(visit):
    shown = {}
    for width in (DESK, PHONE):
        images = visit(width=width).evaluate(SIZES)
        shown[width] = [source for source, *_ in images]
        # Letters stay as large as they were drawn, and the whole figure is on the screen.
        assert all(0.85 * natural <= drawn <= width for _, natural, drawn in images)
    assert not set(shown[DESK]) & set(shown[PHONE])


def test_it_prints(visit):
    pdf = visit().pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 20_000


def test_without_a_browser_tests_are_skipped_unless_one_is_required(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.delenv("ROBFAIR_REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Chromium: set CHROMIUM"):
        find_chromium()
    monkeypatch.setenv("ROBFAIR_REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="no Chromium: set CHROMIUM"):
        find_chromium()
