"""The limits that a verdict names: what is left out, capped, proven, or only found by a search."""

import numpy as np
import pytest

from robfair.auditing.report._verdict import judge_audit as judge
from robfair.exceptions import CensoredDistanceWarning

RNG = np.random.default_rng(0)
NEAR, FAR = RNG.uniform(0.3, 0.5, 200), RNG.uniform(0.6, 0.8, 200)


def details(result):
    return " ".join(judge(result).details)


def test_what_is_not_known_is_left_out_and_named(made):
    groups = {"a": NEAR, "b": FAR, "tiny": NEAR[:29], "far": np.append(FAR, np.inf)}
    with pytest.warns(CensoredDistanceWarning):
        result = made(groups)
    assert "for a more easily than for b" in judge(result).headline
    assert "Nothing is said of far: some of the rows could not be flipped" in details(result)
    assert "Nothing is said of tiny (29): fewer than 30 samples are too few." in details(result)
    assert "a warning, which limits" in details(result)
    capped = made(groups, tau_max=0.7)
    assert "Nothing is said of far" not in details(capped)
    n = sum((values >= 0.7).sum() for values in groups.values())
    assert f"capped at 0.7, which {n} of 630 rows reach" in details(capped)


def test_certified_orders(made):
    d = {"a": NEAR, "b": FAR}
    both = np.concatenate([NEAR, FAR])
    proven = made(d, method="auto", status="found", lower=0.9 * both)
    assert "That a is less robust than b is proven for these samples" in details(proven)
    loose = made(d, method="auto", status="found", lower=0.1 * both)
    assert "For these samples it is not proven: the certified intervals of a and b overlap" in (
        details(loose)
    )
    same = made({"a": FAR, "b": FAR + 0.001}, status="found", lower=np.tile(FAR, 2))
    assert "0 of 1 pairs of groups are provably ordered" in details(same)


def test_exact_distances_among_those_of_a_search_are_counted(made):
    status = np.repeat(["exact", "found"], [370, 30])
    assert "Of 400 distances 370 are exact; the others come from a search" in details(
        made({"a": NEAR, "b": FAR}, method="exact", status=status)
    )


def test_the_paper_s_distances_are_no_bound(made):
    assert "bound the true ones from neither side" in details(
        made({"a": NEAR, "b": FAR}, method="paper", status="found")
    )
