import numpy as np
import pytest
from numpy.testing import assert_array_equal

from robfair.adapters.trees import UnreadableTrees
from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._gaps import spell_out_missing

FIRST, LAST = np.nextafter(2, 0), 2.0  # two numbers that count as missing
BEFORE = np.nextafter(FIRST, 0)
SPLITS = [-1, np.nextafter(BEFORE, 0), BEFORE, LAST, np.nextafter(LAST, 3), 5]


def random_tree(rng, depth):
    n = 2**depth - 1
    node = np.arange(2 * n + 1)
    inner = node < n
    return Tree(
        feature=np.where(node == 2, 3, rng.integers(0, 3, len(node))),
        split=rng.choice(SPLITS, len(node)),
        left=np.where(inner, 2 * node + 1, -1),
        right=np.where(inner, 2 * node + 2, -1),
        missing_left=rng.random(len(node)) < 0.5,
        value=np.where(inner, 0, rng.normal(size=len(node)))[:, None],
        left_codes={2: np.arange(5) % 3 == 1} if inner[2] else {},
        unseen_left=node == 2,
    )


@pytest.mark.parametrize("seed", range(20))
def test_numbers_go_where_nan_went(seed):
    rng = np.random.default_rng(seed)
    tree = random_tree(rng, int(rng.integers(1, 6)))
    X = rng.choice([-2, *SPLITS, FIRST, LAST, np.nextafter(5, 6), 9, np.nan], (400, 4))
    X[:, 3] = rng.integers(0, 7, 400)  # codes, for which 2 is a code
    told = np.where((X >= FIRST) & (X <= LAST), np.nan, X)
    told[:, 3] = X[:, 3]
    whole = {"classes": np.arange(2), "n_features": 4, "base": [0.0]}
    expected = assemble([tree], **whole).scores(told)
    spelled = spell_out_missing(tree, FIRST, LAST)
    assert_array_equal(assemble([spelled], **whole).scores(X), expected)


def test_too_many_nodes(monkeypatch):
    monkeypatch.setattr("robfair.adapters.trees._gaps.MOST", 10)
    with pytest.raises(UnreadableTrees, match="too deep to spell that out"):
        spell_out_missing(random_tree(np.random.default_rng(0), 6), FIRST, LAST)
