"""Parameters reach the net, and callbacks are called in one order."""

import pytest
import torch
from skorch.callbacks import Callback

from robfair import AdversarialClassifier, NaturalClassifier
from robfair.training import Checkpoint, EpochProgress, WeightControl


class Mine(Callback):
    pass


def test_the_order_of_callbacks(data, tmp_path, capfd):
    clf = AdversarialClassifier(
        max_epochs=1, n_steps=1, averaging=0.9, early_stopping=True, callbacks=[Mine()],
        checkpoint=tmp_path / "run", verbose=1, random_state=0,
    ).fit(data.X, data.y)  # fmt: skip
    kinds = (WeightControl, Mine, Checkpoint, EpochProgress)
    order = [type(callback) for _, callback in clf.net_.callbacks_ if isinstance(callback, kinds)]
    assert order == list(kinds)
    capfd.readouterr()


def test_parameters(data):
    clf = NaturalClassifier(
        max_epochs=2, lr=0.5, batch_size=7, optimizer=torch.optim.Adagrad,
        net_params={"optimizer__eps": 0.25, "iterator_valid__batch_size": 3},
    ).fit(data.X, data.y)  # fmt: skip
    (group,) = clf.net_.optimizer_.param_groups
    assert isinstance(clf.net_.optimizer_, torch.optim.Adagrad)
    assert (group["lr"], group["eps"]) == (0.5, 0.25)
    assert (clf.net_.batch_size, clf.net_.max_epochs) == (7, 2)


@pytest.mark.parametrize(("verbose", "shown"), [(0, 0), (1, 0), (2, 1)])
def test_verbose_of_the_net(data, verbose, shown, capfd):
    clf = NaturalClassifier(max_epochs=1, verbose=verbose).fit(data.X, data.y)
    assert clf.net_.verbose == shown
    capfd.readouterr()
