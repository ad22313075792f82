"""Slots are filled in the order of X and refilled as samples are finished."""

import numpy as np
import torch
from torch import nn

from robfair import ThreatModel
from robfair._problem import Problem
from robfair.adapters import LogitModel
from robfair.distance.gradient._slots import Queue


def queue(n, batch_size=4):
    X = np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)
    return Queue(Problem(LogitModel(nn.Linear(2, 2)), X, None, 2, ThreatModel(), batch_size))


def test_takes_samples_in_order():
    samples = queue(5)
    first, second, none = samples.take(3), samples.take(3), samples.take(3)
    assert first.index.tolist() == [0, 1, 2]
    assert second.index.tolist() == [3, 4]
    assert len(none) == 0
    assert (first.label == -1).all()
    assert torch.equal(first.point, first.start)


def test_the_iterate_is_no_view_of_the_sample():
    slots = queue(3).take(3)
    slots.point += 1
    assert not torch.equal(slots.point, slots.start)


def test_finished_slots_are_refilled_then_dropped():
    samples = queue(6)
    slots = samples.take(4)
    slots.steps += 7
    slots = samples.refill(slots, torch.tensor([False, True, False, True]))
    assert slots.index.tolist() == [0, 4, 2, 5]
    assert slots.steps.tolist() == [7, 0, 7, 0]
    assert torch.equal(slots.start, torch.tensor([[0.0, 1], [8, 9], [4, 5], [10, 11]]))
    slots = samples.refill(slots, torch.tensor([True, False, False, True]))
    assert slots.index.tolist() == [4, 2]
    assert samples.refill(slots, torch.tensor([False, False])) is slots
