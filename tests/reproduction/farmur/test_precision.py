"""Training in bfloat16: which passes are, what stays in float32, and how far losses may move."""

import numpy as np
import pytest
import torch
from torch import nn

from robfair import AdversarialClassifier
from robfair.reproduction.farmur._precision import Bfloat16
from robfair.training import PgdObjective, TradesObjective

X = np.random.default_rng(0).uniform(size=(16, 3, 8, 8)).astype(np.float32)
y = np.arange(16) % 2
SHORT = {"eps": 0.05, "n_steps": 2, "max_epochs": 1, "batch_size": 16, "random_state": 0}


class Recorder(nn.Module):
    """A small network of images that keeps what its convolution gave, and in which mode it was."""

    seen: list  # of each pass: data type, and whether batch normalisation was in training mode

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.last = nn.Linear(4, 2)

    def forward(self, X):
        maps = self.layers(X)
        if len(X) == len(y):  # not one of the few samples that show what the module takes
            self.seen.append((maps.dtype, self.layers[1].training))
        return self.last(maps.mean(dim=(2, 3)))


def fit(objective):
    Recorder.seen = []
    model = AdversarialClassifier(module=Recorder, objective=objective, **SHORT).fit(X, y)
    return model, Recorder.seen


def test_every_pass_of_training_is_in_bfloat16_and_what_is_learnt_is_not():
    half, seen = fit(Bfloat16(TradesObjective()))
    _, full = fit(TradesObjective())
    assert {kind for kind, _ in seen} == {torch.bfloat16}
    assert {kind for kind, _ in full} == {torch.float32}
    # The attack's passes, between those of the clean and of the attacked samples, do not move
    # the statistics of batch normalisation.
    assert [training for _, training in seen] == [training for _, training in full]
    assert {training for _, training in seen} == {True, False}
    assert all(p.dtype == torch.float32 for p in half.module_.parameters())
    Recorder.seen = []
    half.predict(X)
    assert {kind for kind, _ in Recorder.seen} == {torch.float32}


def test_losses_are_those_of_float32_up_to_rounding():
    half, full = fit(Bfloat16(PgdObjective()))[0], fit(PgdObjective())[0]
    (half_loss,), (full_loss,) = half.history_["robust_loss"], full.history_["robust_loss"]
    assert half_loss == pytest.approx(full_loss, rel=0.01)
    assert half_loss != full_loss
