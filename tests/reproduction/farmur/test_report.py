"""The report on paper A: drawn from files alone, with tables of its numbers beside ours."""

import shutil
from dataclasses import replace

import pytest

from papers import frame, rows, with_experiment
from robfair.reproduction import FARMUR, reproduce
from robfair.reproduction.farmur._report import (
    compare_table,
    list_attacked,
    list_classes,
    list_groups,
    list_methods,
)

STEM = "digits-tabular-small"
RECIPE = FARMUR.experiment("digits").recipe("small")
NAMES = RECIPE.names
FIVE = replace(RECIPE, has_controls=False, has_even_margins=True).names
FIGURES = {f"{STEM}-{name}.png" for name in ("curves-paper", "curves-auto", "pareto")}


@pytest.mark.slow
def test_files(digits):
    output, report = digits
    names = {path.name for path in output.iterdir()}
    folders = {"results", "weights", "checkpoints", "measured"}
    assert names == {*folders, f"{STEM}-report.md", *FIGURES}
    assert (output / f"{STEM}-report.md").read_text(encoding="utf-8") == report
    for place in ("## Table 1", "## Section 6.2", "FARMUR 2+1", "TRADES 3 averaged"):
        assert place in report
    for name in FIGURES:
        assert f"Figure: {name}\n" in report
        assert (output / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_it_is_drawn_again_without_data(digits, tmp_path):
    shutil.copytree(digits[0] / "results", tmp_path / "results")
    paper = with_experiment(FARMUR, "digits", load=None)
    assert reproduce(paper, tmp_path, verbose=0) == digits[1]
    assert {path.name for path in tmp_path.glob("*.png")} == FIGURES


@pytest.mark.slow
def test_two_seeds_are_two_runs_and_one_report(digits, tmp_path):
    shutil.copytree(digits[0] / "results", tmp_path / "results")
    report = reproduce(FARMUR, tmp_path, seeds=[0, 1], verbose=0)
    assert "Seeds 0, 1" in report
    assert "±" in report
    assert "(1 seed)" not in report


def test_accuracy_under_attack_and_that_of_the_worst_group():
    of = "pgd", NAMES.farmur, "PGD-20 accuracy"
    measures = frame(
        rows(*of, [0.4, 0.6]), rows(*of, [0.2, 0.8], group="a"), rows(*of, [0.6, 0.4], group="b")
    )
    table = list_attacked(measures, NAMES)
    assert table["method"].tolist() == [NAMES.farmur]
    assert table.loc[0, "PGD-20 accuracy"] == "0.5 ± 0.141"
    assert table.loc[0, "worst group"] == "0.3 ± 0.141"  # 0.2 and 0.4: the worst of each seed
    assert list_attacked(frame(rows("auto", NAMES.farmur, "V_f", [1.0])), NAMES).empty


def test_table_1_beside_ours():
    measures = frame(*(rows(p, NAMES.farmur, "Rob(f)", [1.0, 2.0]) for p in ("paper", "auto")))
    table = compare_table("mnist-lenet5", measures, NAMES).set_index(["measure", "method"])
    assert table.loc[("Rob(f)", NAMES.farmur)].tolist() == ["1.24", *["1.5 ± 0.707"] * 2]
    assert table.loc[("test accuracy", "natural"), "paper"] == "0.9908"
    assert table.loc[("CV", NAMES.trades), "paper"] == f"{0.019**0.5 / 1.26:.3g}"
    assert "paper" not in compare_table("digits-tabular", measures, NAMES)


def test_one_seed_has_its_interval():
    measures = frame(
        rows("auto", "natural", "V_f", [0.02]),
        rows("auto", "natural", "V_f", [0.01], label="lower"),
        rows("auto", "natural", "V_f", [0.03], label="upper"),
        rows("auto", "natural", "test accuracy", [0.5]),
    )
    table = list_methods(measures, "auto", NAMES).set_index("method")
    assert list(table.columns) == ["test accuracy", "Rob(f)", "V_f", "CV", "worst group", "gap"]
    assert table.loc["natural", "V_f"] == "0.02 (0.01 to 0.03)"
    assert table.loc["natural", "CV"] == "-"
    assert table.loc["natural", "test accuracy"] == "0.5"  # has no interval


def test_groups_show_how_rob_comes_about():
    measured = {
        "group size": [40, 40], "group accuracy": [0.5, 0.7],
        "group mean_distance": [2.0, 2.0], "Rob(P)": [1.0, 1.4],
    }  # fmt: skip
    measures = frame(
        *(
            rows("auto", method, measure, values, group="cat")
            for method in (NAMES.trades, NAMES.farmur)
            for measure, values in measured.items()
        ),
        rows("training", NAMES.farmur, "vulnerable", [1, 0], group="cat"),
    )
    table = list_groups(measures, "auto", NAMES)
    assert table.iloc[0].tolist() == ["cat", "40", "1", *["0.6 × 2 = 1.2"] * 2]


def test_even_margins_stand_beside_what_they_begin_with():
    measures = frame(*(rows(p, FIVE.even, "Rob(f)", [1.0, 2.0]) for p in ("paper", "auto")))
    table = compare_table("utkface-utkface", measures, FIVE).set_index(["measure", "method"])
    assert table.loc[("Rob(f)", FIVE.even)].tolist() == ["-", *["1.5 ± 0.707"] * 2]
    assert table.loc[("Rob(f)", FIVE.farmur), "paper"] == "1.31"
    assert list(table.loc["V_f"].index) == list(FIVE)


def test_groups_are_compared_within_each_class():
    cells = {("young", "A"): 1.0, ("young", "B"): 3.0, ("old", "A"): 2.0, ("old", "B"): 2.0}
    measures = frame(
        *(
            rows("auto", FIVE.trades, measure, [value], label=label, group=group)
            for (label, group), value in cells.items()
            for measure, value in (("Rob(P) in class", value), ("size in class", 10 * value))
        ),
        *(
            rows("auto", FIVE.trades, f"{measure}, same labels", [value])
            for measure, value in {"Rob(f)": 2.0, "V_f": 0.25, "CV": 0.25}.items()
        ),
    )
    table = list_classes(measures, "auto", FIVE).set_index("class")
    assert table[FIVE.trades].to_dict() == {
        "old": "2, 0, 0", "young": "2, 1, 0.5", "all, same labels": "2, 0.25, 0.25",
    }  # fmt: skip
    assert table["smallest cell"].tolist() == ["20", "10", "-"]
    assert list_classes(measures, "paper", FIVE).empty
