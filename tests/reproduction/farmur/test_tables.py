"""Tables of paper A: its numbers beside ours, every method and every group."""

from papers import frame, rows
from robfair.reproduction.farmur._recipes import FarmurRecipe
from robfair.reproduction.farmur._tables import compare_table, list_groups, list_methods

NAMES = FarmurRecipe().names


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
