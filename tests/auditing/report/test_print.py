"""The printed form: every table with its intervals, lines that fit, notes at the end."""

import numpy as np
import pytest

RNG = np.random.default_rng(0)
NEAR, FAR = RNG.uniform(0.3, 0.5, 60), RNG.uniform(0.6, 0.8, 60)
GROUPS = {"a": NEAR, "b": FAR}
LOWER = 0.9 * np.concatenate([NEAR, FAR])


def test_an_audit_is_four_blocks(made):
    blocks = str(made(GROUPS, lower=LOWER, eps=())).split("\n\n")
    assert blocks[0].splitlines()[0] == "Linear"
    titles = blocks[1].splitlines()[0].split()
    assert titles == ["measure", "value", "95", "%", "interval", "certified"]
    assert [line.split()[0] for line in blocks[2].splitlines()] == ["group", "a", "b"]
    assert "provably ordered" in blocks[3]


def test_without_bootstrap_no_interval_is_named(made, models):
    assert "interval" not in str(made(GROUPS, confidence=None))
    assert "Rob(P) of each group, with its 95 % interval:" in str(models(one=GROUPS))


@pytest.mark.parametrize("names", [("one", "two"), ("size", "measure")])
def test_a_comparison_has_a_column_per_model(made, names):
    from robfair.auditing import Comparison

    text = str(Comparison({name: made(GROUPS, lower=LOWER) for name in names}))
    title = "Where each measure lies for certain, by proof from below and search from above:"
    measures, groups, certified, *_ = text.split("\n\n")
    assert [line.split()[0] for line in measures.splitlines()] == ["model", *names]
    assert groups.splitlines()[1].split() == ["group", "size", *names]
    assert certified.splitlines()[0] == title
    assert certified.splitlines()[1].split() == list(names)


def test_methods_that_all_share_are_told_once(made):
    from robfair.auditing import Comparison

    same = made(GROUPS)
    text = str(Comparison({"one": same, "two": same, "three": made(GROUPS, tau_max=0.7)}))
    assert "one, two: distance: linear, ThreatModel(norm=2)\n" in text
    assert "three: distance: linear, ThreatModel(norm=2), capped at 0.7\n" in text


def test_notes_are_wrapped_and_name_their_model(made, models):
    long = " ".join(["word"] * 40)
    lines = str(made(GROUPS, warnings=(long,))).splitlines()
    assert max(map(len, lines)) <= 96
    assert sum(line.count("word") for line in lines) == 40
