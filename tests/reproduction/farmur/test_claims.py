"""Claims of paper A: its own numbers add up as stated, ours are judged in the right direction."""

import numpy as np
import pytest

from papers import frame, rows
from robfair.reproduction.farmur._claims import ERRATA, TABLE, TABLE_1, TEXT, claims
from robfair.reproduction.farmur._recipes import FarmurRecipe

RECIPE = FarmurRecipe()
NAMES = RECIPE.names
NATURAL, TRADES, FARMUR = range(3)


def percent(row, method, base):
    return 100 * (1 - row.v_f[method] / row.v_f[base])


def test_the_errata_follow_from_table_1():
    alexnet, cifar, faces = (
        TABLE_1[name] for name in ("mnist-alexnet", "cifar10-resnet18", "utkface-utkface")
    )
    assert f"{percent(alexnet, FARMUR, NATURAL):.2f} %" == "29.17 %"
    assert f"{percent(alexnet, FARMUR, TRADES):.1f} %" == "51.4 %"
    assert f"{percent(cifar, FARMUR, TRADES):.0f} %" == "45 %"
    assert f"{percent(faces, FARMUR, TRADES):.2f} %" == "19.18 %"
    assert 100 * (1 - cifar.rob[FARMUR] / cifar.rob[TRADES]) == pytest.approx(6.25)
    assert 100 * (cifar.accuracy[TRADES] - cifar.accuracy[FARMUR]) == pytest.approx(2.6)
    for number in ("29.17 %", "51.4 %", "45 %", "19.18 %", "6.25 %", "2.6 points", "93.58 %"):
        assert any(number in sentence for sentence in ERRATA)
    assert all(row.v_f[TRADES] > row.v_f[NATURAL] for row in TABLE_1.values())
    falls = {name: row.cv[TRADES] - row.cv[NATURAL] for name, row in TABLE_1.items()}
    assert all(change < 0 for change in falls.values())
    # V_f of CIFAR-10's natural network, 0.003, stands for numbers from 0.0025 to 0.0035.
    assert 0.0025**0.5 / cifar.rob[NATURAL] < cifar.cv[TRADES] < cifar.cv[NATURAL]
    assert 0.0135**0.5 / TABLE_1["mnist-lenet5"].rob[NATURAL] > TABLE_1["mnist-lenet5"].cv[TRADES]


def test_how_much_v_f_rises_is_as_the_text_says():
    for name, (rises, _) in TEXT.items():
        row = TABLE_1[name]
        assert row.v_f[TRADES] / row.v_f[NATURAL] == pytest.approx(
            float(rises.split()[0]), abs=0.01
        )


def judge(measure, before, after):
    """What is said of a measure of TRADES and FARMUR in four seeds."""
    measures = frame(
        rows("auto", NAMES.trades, measure, before), rows("auto", NAMES.farmur, measure, after)
    )
    (claim,) = [
        c
        for c in claims("mnist-alexnet", RECIPE)
        if (c.before, c.after, c.measure) == (NAMES.trades, NAMES.farmur, measure)
    ]
    return TABLE.compare([claim], measures, ["auto"]).iloc[0]


HIGH, LOW = [0.40, 0.41, 0.39, 0.42], [0.20, 0.22, 0.20, 0.21]


@pytest.mark.parametrize("measure", ["V_f", "CV", "gap"])
def test_less_is_better_for_differences(measure):
    assert judge(measure, HIGH, LOW)['holds? ("auto")'] == "yes"
    assert judge(measure, LOW, HIGH)['holds? ("auto")'] == "no"


@pytest.mark.parametrize("measure", ["worst group", "test accuracy"])
def test_more_is_better_for_the_worst_group(measure):
    assert judge(measure, LOW, HIGH)['holds? ("auto")'] == "yes"
    assert judge(measure, HIGH, LOW)['holds? ("auto")'] == "no"


def test_almost_the_same_robustness_is_the_greatest_loss_of_table_1():
    rob = np.array([1.0, 1.2, 1.1, 1.3])
    noise = np.array([0.001, -0.001, 0.002, 0])
    assert judge("Rob(f)", rob, 0.95 * rob + noise)['holds? ("auto")'] == "yes"
    assert judge("Rob(f)", rob, 0.92 * rob + noise)['holds? ("auto")'] == "no"


def test_a_claim_shows_both_numbers_and_the_change():
    row = judge("V_f", [0.4, 0.6], [0.2, 0.3])
    assert row['ours, "auto"'] == "0.5 ± 0.141 → 0.25 ± 0.0707 (-50%)"
    assert row["paper"] == "-29.17 %"
    assert judge("V_f", [0.0], [0.2])['ours, "auto"'] == "0 → 0.2"


FIVE = FarmurRecipe(has_controls=False, has_even_margins=True)


@pytest.mark.parametrize(
    ("measure", "good"),
    [("V_f", LOW), ("CV", LOW), ("worst group", HIGH), ("test accuracy", HIGH), ("Rob(f)", HIGH)],
)
def test_even_margins_are_held_against_averaged_trades(measure, good):
    names = FIVE.names
    (claim,) = [c for c in claims("x", FIVE) if (c.where, c.measure) == ("EvenMargins", measure)]
    for values, answer in ((good, "yes"), (LOW if good is HIGH else HIGH, "no")):
        other = LOW if values is HIGH else HIGH
        measures = frame(
            rows("auto", names.averaged, measure, other), rows("auto", names.even, measure, values)
        )
        table = TABLE.compare([claim], measures, ["auto"])
        assert table.loc[0, 'holds? ("auto")'] == answer


def test_only_methods_that_are_run_are_judged():
    for recipe in (RECIPE, FIVE):
        for name in TABLE_1:
            judged = {m for c in claims(name, recipe) for m in (c.before, c.after)}
            assert judged == set(recipe.names)
    same = {c.measure for c in claims("utkface-utkface", FIVE) if c.where == "same labels"}
    assert "V_f, same labels" in same
    assert not any(c.where == "same labels" for c in claims("mnist-alexnet", FIVE))
