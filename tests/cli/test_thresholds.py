"""``--fail-if``: what is parsed, and when it holds."""

import argparse
import re

import pandas as pd
import pytest

from robfair.cli._thresholds import parse_threshold
from robfair.metrics import find_measure


class Result:
    def __init__(self, measure, value, column="value", table="overall"):
        setattr(self, table, pd.DataFrame({column: {find_measure(measure).symbol: value}}))


@pytest.mark.parametrize(
    ("text", "value", "crossed"),
    [
        ("v_f > 0.05", 0.06, True),
        ("v_f > 0.05", 0.05, False),
        ("v_f >= 0.05", 0.05, True),
        ("v_f>=.05", 0.04, False),
        ("accuracy < 0.8", 0.79, True),
        ("accuracy < 0.8", 0.8, False),
        (" worst_group <= 1e-1 ", 0.1, True),
        ("rob_f <= 1", 1.1, False),
        ("gap > -1", 0.0, True),
        ("cv > 0.2", float("nan"), True),
        ("cv < 0.2", float("nan"), True),
    ],
)
def test_conditions(text, value, crossed):
    threshold = parse_threshold(text)
    assert threshold.judge(Result(threshold.measure, value))["crossed"] is crossed


@pytest.mark.parametrize("column", ["lower", "upper", "corrected", "low", "high"])
def test_a_condition_on_an_end_reads_this_end_alone(column):
    threshold = parse_threshold(f"v_f.{column} > 0.05")
    assert str(threshold) == f"v_f.{column} > 0.05"
    assert threshold.is_certified is (column in ("low", "high"))
    assert not threshold.judge(Result("v_f", 0.04, column))["crossed"]
    judged = threshold.judge(Result("v_f", 0.06, column))
    assert judged["crossed"]
    assert judged["message"].endswith(f" of V_f is 0.06, 0.01 above the limit of {threshold}.")


@pytest.mark.parametrize("end", ["", ".lower"])
def test_a_condition_on_the_standardised_measure(end):
    threshold = parse_threshold(f"standardized.gap{end} > 0.2")
    assert str(threshold) == f"standardized.gap{end} > 0.2"
    column = end.removeprefix(".") or "value"
    judged = threshold.judge(Result("gap", 0.3, column, table="standardized"))
    assert judged["crossed"]
    assert f"the standardised gap is 0.3, 0.1 above the limit of {threshold}" in judged["message"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("standardized.accuracy < 1", "no standardised accuracy: put the condition on accuracy"),
        ("standardized.gap.low > 1", "no standardised gap.low"),
        ("standardised.gap > 1", "no measure 'standardised'"),
        ("gap.lwer > 1", "gap has no end 'lwer'. Did you mean 'lower'?"),
        ("gap.corrected > 1", "gap has no 'corrected': put the condition on gap itself"),
        ("accuracy.lower < 1", "accuracy has no 'lower'"),
        ("accuracy.high < 1", "accuracy has no 'high'"),
        ("gp.lower > 1", "Did you mean 'gap'?"),
        ("vf > 1", "Did you mean 'v_f'?"),
        ("V_f > 1", "Did you mean 'v_f'?"),
        ("fairness > 1", "There are 'accuracy', 'rob_f'"),
        ("v_f", "must be a measure"),
        ("", "must be a measure"),
        ("v_f == 1", "the operator must be"),
        ("v_f => 1", "the operator must be"),
        ("v_f > high", "'high' in 'v_f > high' is not a finite number"),
        ("v_f > nan", "is not a finite number"),
        ("v_f >", "is not a finite number"),
        ("v_f > 1 2", "must be a measure"),
    ],
)
def test_bad_conditions(text, part):
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(part)):
        parse_threshold(text)


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("v_f > 0.05", 0.061, "V_f is 0.061, 0.011 above the limit of v_f > 0.05."),
        ("accuracy < 0.8", 0.7, "accuracy is 0.7, 0.1 below the limit of accuracy < 0.8."),
        ("gap >= 1", 1.0, "gap is 1, the limit itself of gap >= 1."),
        ("cv > 1", float("nan"), "CV is NaN (see the warnings), and counts as crossing cv > 1."),
        ("cv > 1", 0.5, ""),
    ],
)
def test_how_far_it_is_crossed(text, value, message):
    threshold = parse_threshold(text)
    assert threshold.judge(Result(threshold.measure, value))["message"] == message
