"""What the verdict says of labels, on made-up distances whose means are known."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from robfair.auditing.report._verdict import judge_audit as judge

N = 400


def groups_of(*cells, spread=0.05, wrong=0.0, seed=0):
    """Make a group of rows of label 0 and of label 1 from (n, mean) of each."""
    rng = np.random.default_rng(seed)
    distance = [mean * rng.uniform(1 - spread, 1 + spread, n) for n, mean in cells]
    values = np.concatenate(distance)
    values[: int(wrong * len(values))] = np.nan
    return values, np.repeat([0, 1], [n for n, _ in cells])


def audited(made, groups, **options):
    values = {name: distance for name, (distance, _) in groups.items()}
    labels = {name: label for name, (_, label) in groups.items()}
    return made(values, labels=labels, **options)


# Adult in small: women are farther over all, since they have label 0, and nearer within label 1.
TURNED = {
    "Female": groups_of((360, 0.7), (40, 0.25)),
    "Male": groups_of((200, 0.5), (200, 0.35), seed=1),
}
HEADLINE = "A small change flips the decision for Male more easily than for Female"


def test_an_order_that_turns_round_stands_in_the_first_sentence(made):
    result = audited(made, TURNED)
    low, high = (f"{result.by_label.loc[(1, sex), 'robustness']:.3g}" for sex in ("Female", "Male"))
    assert judge(result).headline == (
        f"{HEADLINE}, but among rows labelled 1 it is the other way round: Female {low}, Male "
        f"{high}."
    )
    assert result.verdict().startswith(judge(result).headline)


def test_one_that_may_turn_round_by_chance_is_told_as_such(made):
    noisy = {
        "Female": groups_of((360, 0.7), (40, 0.29), spread=0.9),
        "Male": groups_of((200, 0.5), (200, 0.35), spread=0.9, seed=1),
    }
    result = audited(made, noisy)
    low, high = (f"{result.by_label.loc[(1, sex), 'robustness']:.3g}" for sex in ("Female", "Male"))
    assert float(low) < float(high)
    assert judge(result).headline == (
        f"{HEADLINE}, but among these rows labelled 1 it is the other way round, by what may be "
        f"chance: Female {low}, Male {high}."
    )
    # By a few hundredths, or of 29 rows, it is not worth a word.
    near = {**noisy, "Female": groups_of((360, 0.7), (40, 0.32), spread=0.9)}
    assert judge(audited(made, near)).headline == f"{HEADLINE}."
    few = {**TURNED, "Female": groups_of((371, 0.7), (29, 0.25))}
    assert judge(audited(made, few)).headline == f"{HEADLINE}."


def test_control_features_are_named(made):
    region = np.where(np.concatenate([label for _, label in TURNED.values()]), "north", "south")
    values = {name: distance for name, (distance, _) in TURNED.items()}
    result = made(values, control_features=pd.Series(region, name="region"))
    assert "but among rows with region north it is the other way round" in judge(result).headline
    assert "mix of region" in result.verdict()


def test_the_pair_that_turns_need_not_be_the_farthest(made):
    groups = {
        "a": groups_of((200, 0.3), (200, 0.2)),
        "b": groups_of((360, 0.7), (40, 0.25), seed=1),
        "c": groups_of((200, 0.5), (200, 0.35), seed=2),
    }
    headline = judge(audited(made, groups)).headline
    assert headline.startswith("A small change flips the decision for a more easily than for b, ")
    assert "among rows labelled 1 the order of c and b turns round: b 0.2" in headline
    cells = {
        "a": ((200, 0.3), (200, 0.2)),
        "b": ((360, 0.7), (40, 0.28)),
        "c": ((200, 0.5), (200, 0.35)),
    }
    noisy = {
        name: groups_of(*each, spread=0.9, seed=seed)
        for seed, (name, each) in enumerate(cells.items())
    }
    text = judge(audited(made, noisy))
    assert text.headline.endswith("for a more easily than for b.")
    assert re.search(
        r"The order of other groups is the other way round, which may be chance: c and b among "
        r"rows labelled 1 \(b 0.\d+, c 0.\d+\)\.", " ".join(text.details),
    )  # fmt: skip


def test_several_labels_and_pairs(made):
    rng = np.random.default_rng(0)
    cells = {"a": {0: (300, 2.0), 1: (60, 0.3), 2: (60, 0.4)}, "b": {
        0: (40, 1.0), 1: (300, 0.5), 2: (60, 0.6)}}  # fmt: skip
    values = {g: np.concatenate([m * rng.uniform(0.9, 1.1, n) for n, m in c.values()])
              for g, c in cells.items()}  # fmt: skip
    labels = np.concatenate(
        [np.repeat(list(c), [n for n, _ in c.values()]) for c in cells.values()]
    )
    result = made(values, control_features=labels)
    assert re.search(
        r"for b more easily than for a, but it is the other way round among rows with control 1 "
        r"\(a 0.3\d*, b 0.[45]\d*\), rows with control 2 \(a 0.4\d*, b 0.[56]\d*\)\.",
        judge(result).headline,
    )  # fmt: skip


def test_a_difference_within_a_label_alone(made):
    groups = {
        "Female": groups_of((200, 0.6), (200, 0.2)),
        "Male": groups_of((200, 0.4), (200, 0.4), seed=1),
    }
    groups["Male"][0][:] *= np.mean(groups["Female"][0]) / np.mean(groups["Male"][0])
    result = audited(made, groups)
    assert judge(result).headline.startswith(
        "Over all rows no difference between groups is larger than the error of sampling, but "
        "among rows labelled "
    )
    assert "withstands less than" in judge(result).headline
    assert "Over all rows Rob(P) is lowest for" in judge(result).details[0]


def sentence(result):
    (text,) = [s for s in judge(result).details if "mix of" in s]
    return text


def test_what_makes_the_difference(made):
    # The same distances within labels, and another mix.
    mix = {"a": groups_of((300, 0.6), (100, 0.2)), "b": groups_of((100, 0.6), (300, 0.2), seed=1)}
    result = audited(made, mix)
    parts = result.decomposition.loc["a"] - result.decomposition.loc["b"]
    assert parts["label_mix"] == pytest.approx(0.5 * 0.4, rel=0.02)
    assert sentence(result).startswith(
        f"Most of the difference, {parts['label_mix']:.3g} of {parts['difference']:.3g}, comes "
        "from the groups' mix of labels; accuracy within labels 0 and distance within labels "
    )
    # Another distance, the same mix.
    far = {"a": groups_of((300, 0.6), (100, 0.2)), "b": groups_of((300, 0.3), (100, 0.1), seed=1)}
    assert sentence(audited(made, far)).startswith("Of the difference of 0.252 the groups' mix of ")
    assert "mix of labels makes 0, accuracy" in sentence(audited(made, far))
    # Two thirds, and then four tenths.
    some = {"a": groups_of((300, 0.65), (100, 0.2)), "b": groups_of((150, 0.5), (250, 0.2), seed=1)}
    assert sentence(audited(made, some)).startswith("Most of the difference, ")
    less = {"a": groups_of((300, 0.8), (100, 0.2)), "b": groups_of((230, 0.6), (170, 0.2), seed=1)}
    assert sentence(audited(made, less)).startswith("Of the difference of ")
    more = {"a": groups_of((360, 0.6), (40, 0.2)), "b": groups_of((40, 0.7), (360, 0.24), seed=1)}
    assert "makes more than the whole difference" in sentence(audited(made, more))


def test_groups_that_are_the_labels_have_no_mix(made):
    labels = {"no": np.zeros(200, dtype=int), "yes": np.ones(200, dtype=int)}
    rng = np.random.default_rng(0)
    result = made({"no": rng.uniform(1, 2, 200), "yes": rng.uniform(0.3, 0.5, 200)}, labels=labels)
    assert "mix" not in result.verdict()
    assert "for yes more easily than for no." in judge(result).headline
    assert "Groups within" not in str(result)
    assert result.by_label["robustness"].isna().tolist() == [False, True, True, False]


def test_a_group_with_one_label_only(made):
    groups = {"a": groups_of((200, 0.6), (0, 1.0)), "b": groups_of((100, 0.6), (100, 0.2), seed=1)}
    result = audited(made, groups)
    assert result.by_label.loc[(1, "a"), "size"] == 0
    assert np.isnan(result.by_label.loc[(1, "a")].iloc[1:]).all()
    assert result.decomposition.sum(axis=1)["a"] == pytest.approx(
        2 * result.decomposition["difference"]["a"]
    )
    assert "Most of the difference" in result.verdict()


def test_a_second_search_that_turns_the_order_within_a_label(made):
    result = audited(made, TURNED)
    n = pd.DataFrame({"n": [50, 50]}, index=["Female", "Male"])
    check = n.assign(auto=[0.6, 0.4], strong=[0.6, 0.25])
    assert judge(replace(result, check=check)).headline == f"{HEADLINE}."
    kept = n.assign(auto=[0.6, 0.4], strong=[0.6, 0.39])
    assert "other way round" in judge(replace(result, check=kept)).headline
