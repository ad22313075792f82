"""What the documentation must not lack: a page for every public name, a place for every example."""

import importlib
import pkgutil
import re
import runpy

import pytest
from docutils.core import publish_doctree, publish_from_doctree

import robfair
from pages import ROOT

API = runpy.run_path(str(ROOT / "docs" / "api_pages.py"))
FOLD = runpy.run_path(str(ROOT / "docs" / "fold_tables.py"))["fold"]
FORMULAS = runpy.run_path(str(ROOT / "docs" / "mathml.py"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    (folder / "generated").mkdir()
    (folder / "generated" / "robfair.gone.rst").write_text("of a name that is no more")
    API["write_api_pages"](folder)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.rst")}


def test_every_public_package_is_documented():
    found = {module.name for module in pkgutil.iter_modules(robfair.__path__, "robfair.")}
    public = {name for name in found if not name.rpartition(".")[2].startswith("_")}
    assert set(API["PACKAGES"]) == {"robfair", *public} - {"robfair.cli"}
    contents = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^api/(\S+)$", contents, re.MULTILINE)) == set(API["PACKAGES"])


def test_every_public_name_is_documented(pages):
    for package in API["PACKAGES"]:
        module = importlib.import_module(package)
        for name in module.__all__:
            listed = re.search(
                rf"^ +(~robfair[a-z_.]*\.)?{name}$|py:data:: {package}\.{name}$",
                pages[f"{package}.rst"],
                re.MULTILINE,
            )
            assert listed, f"{package}.rst lacks {name}"


def test_a_page_documents_what_a_user_calls(pages):
    page = pages["generated/robfair.ThreatModel.rst"]
    assert ".. autoclass:: ThreatModel" in page
    assert "from_transformer" in page
    fitted = pages["generated/robfair.FarmurClassifier.rst"]
    assert re.search(r":members: .*\bfit\b.*\bpredict_proba\b", fitted)
    assert "set_params" not in fitted  # scikit-learn's own


def test_one_object_has_one_page(pages):
    assert "generated/robfair.audit.rst" in pages
    assert "generated/robfair.auditing.audit.rst" not in pages
    assert "~robfair.audit\n" in pages["robfair.auditing.rst"]


def test_pages_of_names_that_are_gone_go_too(pages):
    assert "generated/robfair.gone.rst" not in pages


def test_every_example_has_its_place():
    order = (ROOT / "docs" / "example_order.py").read_text(encoding="utf-8")
    examples = {path.name for path in (ROOT / "examples").glob("plot_*.py")}
    assert set(re.findall(r'"(plot_\w+\.py)"', order)) == examples


def test_every_example_shows_groups_within_labels():
    examples = (ROOT / "examples").glob("plot_*.py")
    texts = {path.name: path.read_text(encoding="utf-8") for path in examples}
    assert [
        n for n, text in texts.items() if not re.search("by_label|control_features", text)
    ] == []


@pytest.mark.parametrize(
    ("tex", "tags"),
    [
        (r"\bar L_P", ["msub", "mover", "mi", "mo", "mi"]),  # the index beside L, not below it
        (r"\hat r_g^2", ["msup", "msub", "mover", "mi", "mo", "mi", "mn"]),
        (r"\sum_s \pi_s", ["munder", "mo", "mi", "msub", "mi", "mi"]),
    ],
)
def test_formulas_are_drawn_without_the_network(tex, tags):
    drawn = FORMULAS["to_mathml"](tex)
    assert re.findall(r"<([a-z]+)", drawn) == ["math", *tags]


def test_long_tables_but_the_first_are_folded():
    def table(name, rows):
        cells = "\n".join(f"{i:8}  b" for i in range(rows))
        return f"========  =\n{name:8}  x\n========  =\n{cells}\n========  =\n"

    page = publish_doctree("\n".join(map(table, ("first", "short", "long"), (9, 6, 7))))
    FOLD(page)
    html = publish_from_doctree(page, writer="html5").decode().partition("<body>")[2]
    opened = re.split(r"<details[^>]*>.*?</details>", html, flags=re.DOTALL)
    assert len(opened) == 2
    assert "first" in opened[0]
    assert "short" in opened[0]
    assert "Table of 7 rows: long, x" in html
    assert "long" not in opened[0] + opened[1]
