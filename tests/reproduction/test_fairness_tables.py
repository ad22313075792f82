"""Tables of paper B beside ours: numbers found by name, directions that follow the seeds."""

import pandas as pd
import pytest

from robfair.reproduction._fairness import FIGURE_OF, TABLE_OF
from robfair.reproduction._fairness_figures import FIGURES, draw_figure
from robfair.reproduction._fairness_tables import CLAIMS, Claim, compare_claims, markdown
from robfair.reproduction._records import COLUMNS

CAU = Claim("text", "CAU", 0.02, 0.03, "CAU")


def rows(protocol, model, measure, values, **more):
    base = {"protocol": protocol, "model": model, "measure": measure, "eps": None,
            "label": None, "group": None}  # fmt: skip
    return [{"seed": i, **base, **more, "value": v} for i, v in enumerate(values)]


def verdict(standard, robust, claim=CAU):
    frame = pd.DataFrame(
        rows("paper", "standard", "CAU", standard) + rows("paper", "robust", "CAU", robust),
        columns=["seed", *COLUMNS],
    )
    return compare_claims([claim], frame, ("paper",)).iloc[0]


@pytest.mark.parametrize(
    ("standard", "robust", "expected"),
    [
        ([0.1, 0.11, 0.12], [0.2, 0.21, 0.22], "yes"),
        ([0.2, 0.21, 0.22], [0.1, 0.11, 0.12], "no"),
        # Differences 0.1 and 0.2, 1 and 0: 0.15 is three standard errors from zero, and Student's
        # t asks for 12.7 of them with two seeds, for 4.3 with three.
        ([0.1, 0.1], [0.2, 0.3], "undecided"),
        ([0.1, 0.1, 0.1], [0.2, 0.3, 0.22], "yes"),
        ([0.1, 0.1, 0.1], [0.2, 0.3, 0.15], "undecided"),
        ([0.1], [0.2], "yes (1 seed)"),
        ([0.2], [0.1], "no (1 seed)"),
        ([], [], "-"),
    ],
)
def test_direction(standard, robust, expected):
    assert verdict(standard, robust)["same direction? (paper)"] == expected


def test_numbers_are_means_and_deviations_over_seeds():
    row = verdict([0.1, 0.3], [0.005, 0.015])
    assert row["ours, paper protocol"] == "0.200 ± 0.141 → 0.0100 ± 0.0071"
    assert row["paper"] == "0.0200 → 0.0300"


def test_eps_label_and_group_choose_the_row():
    claim = Claim("T", "x", 0, 1, "m", 10, 0.5, label="rich", group="f")
    frame = pd.DataFrame(
        [
            *rows("paper", "standard", "m", [0.1], eps=10, label="rich", group="f"),
            *rows("paper", "standard", "m", [9], eps=15, label="rich", group="f"),
            *rows("paper", "standard", "m", [9], eps=10, label="poor", group="f"),
            *rows("paper", "standard", "m", [9], eps=10, label="rich", group="m"),
            *rows("honest", "standard", "m", [0.3], eps=0.5, label="rich", group="f"),
            *rows("paper", "robust", "m", [0.2], eps=10, label="rich", group="f"),
            *rows("honest", "robust", "m", [0.4], eps=0.5, label="rich", group="f"),
        ]
    )
    row = compare_claims([claim], frame, ("paper", "honest")).iloc[0]
    assert row["ours, paper protocol"] == "0.100 → 0.200"
    assert row["ours, honest protocol"] == "0.300 → 0.400"


def test_every_table_and_figure_of_the_paper_is_there():
    places = {claim.where for claims in CLAIMS.values() for claim in claims}
    assert {f"Table {n}" for n in TABLE_OF} <= places
    assert set(FIGURES) == set(FIGURE_OF) == {1, 2, 3, 4, 5, 6}
    for claims in CLAIMS.values():
        assert all(0 <= c.standard <= 1 and 0 <= c.robust <= 1 for c in claims)


def test_eou_of_the_figures_is_that_of_the_tables():
    """Fig. 5 and 6 print no numbers: the claims must be the ranges of Tables IV and V."""
    adult = CLAIMS["adult"]
    for figure in (c for c in adult if c.where.startswith("Fig.")):
        attribute = figure.measure.removeprefix("EOU by ")
        cells = [
            c
            for c in adult
            if c.measure == f"confidence by {attribute}" and c.label == figure.label
        ]
        for side in ("standard", "robust"):
            values = [getattr(c, side) for c in cells]
            assert getattr(figure, side) == pytest.approx(max(values) - min(values), abs=1e-9)


def test_markdown_aligns_and_escapes():
    text = markdown(pd.DataFrame({"a": ["x|y", "z"], "long name": ["1", "22"]}))
    lines = text.split("\n")
    assert len({len(line) for line in lines}) == 1
    assert "x\\|y" in text
    assert lines[1].replace(" ", "") == "|----|---------|"


@pytest.mark.parametrize("number", FIGURES)
def test_figures_are_drawn_from_what_there_is(number, tmp_path):
    name = FIGURES[number][0]
    grouped = [
        row
        for model in ("standard", "robust")
        for group in ("cat", "dog")
        for eps in (0.1, 0.2)
        for row in rows("paper", model, name, [0.1, 0.3], group=group, eps=eps, label="<=50K")
    ]
    path = tmp_path / "deeper" / "figure.png"
    assert draw_figure(number, pd.DataFrame(grouped), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    nothing = pd.DataFrame(rows("paper", "standard", "other", [1.0]))
    assert not draw_figure(number, nothing, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
