"""The draw of held-out samples, and that it can be told without a fit."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from robfair import FarmurClassifier
from robfair.datasets import make_group_margins
from robfair.training import draw_held_out, held_out_mask


@pytest.mark.parametrize("fraction", [0.1, 0.34, 0.5, 0.99])
def test_each_group_gives_its_share_of_every_group(fraction):
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2, 3], [2, 3, 40, 101])
    codes = rng.integers(2, size=len(groups))
    mask = draw_held_out(groups, codes, fraction, list("abcd"), 7)
    for group, size in enumerate(np.bincount(groups)):
        members = groups == group
        held = int((mask & members).sum())
        assert held == min(max(round(fraction * size), 1), size - 1)
        for code in (0, 1):
            share = (codes[members] == code).mean() * held
            assert abs((mask & members & (codes == code)).sum() - share) <= 1
    assert_array_equal(mask, draw_held_out(groups, codes, fraction, list("abcd"), 7))
    assert not np.array_equal(mask, draw_held_out(groups, codes, fraction, list("abcd"), 8))


def test_a_single_sample_is_an_error():
    with pytest.raises(ValueError, match=r"group 'b' has 1 sample\(s\).*need at least one each"):
        draw_held_out(np.array([0, 0, 1]), np.array([0, 1, 0]), 0.5, ["a", "b"], 0)


def test_the_mask_is_that_of_a_fit():
    class Watch(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            self.trained_ = X["X"]

    data, watch = make_group_margins(60, n_features=3, random_state=0), Watch()
    y, groups = np.array(["no", "yes"])[data.y], np.array(list("cab"))[data.groups]
    FarmurClassifier(
        max_epochs=1, retrain_epochs=1, n_steps=1, validation_fraction=0.3, random_state=5,
        callbacks=[watch],
    ).fit(data.X, y, groups=groups)  # fmt: skip
    mask = held_out_mask(y, groups, validation_fraction=0.3, random_state=5)
    assert_array_equal(watch.trained_, data.X[~mask].astype(np.float32))
