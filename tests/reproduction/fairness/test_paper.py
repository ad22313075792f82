"""Paper B as a whole: files, tables and figures."""

import json
import shutil

import pytest

from robfair.reproduction import FAIRNESS, reproduce
from robfair.reproduction.fairness._figures import FIGURES
from robfair.reproduction.fairness._paper import CLAIMS


@pytest.mark.slow
def test_adult_writes_results_report_and_figures(adult):
    output, report = adult
    names = {path.name for path in output.iterdir()}
    assert names == {
        "results", "adult-small-report.md",
        "adult-small-figure4.png", "adult-small-figure5.png", "adult-small-figure6.png",
    }  # fmt: skip
    assert (output / "adult-small-report.md").read_text(encoding="utf-8") == report
    for place in ("Table II", "Table IV", "Table V", "Fig. 5", "Fig. 6", "CAU"):
        assert place in report
    made = json.loads((output / "results" / "adult-small-seed0.json").read_text())
    assert set(made["parts"]) == {"paper", "honest"}
    paper, honest = made["recipes"]["paper"], made["recipes"]["honest"]
    assert paper["max_epochs"] == FAIRNESS.experiment("adult").recipe("small").max_epochs
    assert set(honest) - set(paper) == {n for n in honest if n.startswith("honest_")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("only", "present", "absent"),
    [("tableIV", "Table IV", "Table V"), ("figure5", "Figure: adult-small-figure5.png", "Table")],
)
def test_one_table_or_figure_is_all_that_is_printed(adult, tmp_path, only, present, absent):
    shutil.copytree(adult[0] / "results", tmp_path / "results")
    report = reproduce(FAIRNESS, tmp_path, only=only, verbose=0)
    assert present in report
    assert absent not in report
    assert ("Figure" in report) == only.startswith("figure")
    assert (tmp_path / f"adult-small-{only}.md").read_text(encoding="utf-8") == report


def test_every_table_and_figure_of_the_paper_is_there():
    excerpts = FAIRNESS.excerpts.values()
    assert [e.figure for e in excerpts if e.figure] == list(FIGURES) == [1, 2, 3, 4, 5, 6]
    for excerpt in excerpts:
        experiment = FAIRNESS.experiment(excerpt.dataset)
        assert set(excerpt.parts) <= set(experiment.parts)
        places = {
            claim.where for claim in experiment.claims(experiment.name, experiment.recipe("full"))
        }
        assert excerpt.figure or excerpt.where in places


def test_numbers_are_fractions_and_their_order_is_the_claim():
    for claim in (claim for claims in CLAIMS.values() for claim in claims):
        standard, robust = claim.printed
        assert 0 <= standard <= 1
        assert 0 <= robust <= 1
        assert (robust - standard) * claim.sign > 0


def test_eou_of_the_figures_is_that_of_the_tables():
    """Fig. 5 and 6 print no numbers: the claims must be the ranges of Tables IV and V."""
    adult = CLAIMS["adult"]
    figures = [c for c in adult if c.where.startswith("Fig.")]
    assert len(figures) == 4
    for figure in figures:
        attribute = figure.measure.removeprefix("EOU by ")
        cells = [
            c.printed
            for c in adult
            if c.measure == f"confidence by {attribute}" and c.label == figure.label
        ]
        ranges = [max(side) - min(side) for side in zip(*cells, strict=True)]
        assert figure.printed == pytest.approx(ranges, abs=1e-9)
