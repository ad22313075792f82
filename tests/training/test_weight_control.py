"""One order of all that changes weights: guard, average, best epoch."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from robfair.training import Strategy, WeightControl


class Part:
    """Stands for the average, the guard and early stopping; notes what it is asked."""

    def __init__(self, calls, module, averaged):
        self.calls = calls
        self.averaged = averaged
        self.fallback = "several steps"
        self.has_steps = True
        self.weights_ = {name: value + 2 for name, value in module.state_dict().items()}
        self.model_ = module

    def begin(self, *args):
        self.calls.append("begin")

    def update(self, module):
        self.calls.append("update")

    @property
    def module(self):
        self.calls.append("average")
        return self.averaged

    def has_collapsed(self, net):
        self.calls.append("guard")
        with torch.no_grad():
            net.module_.weight.add_(1)  # as if this were the epoch's step
        return net.collapses

    def measure(self, net, module):
        self.calls.append(("measure", module is self.averaged, net.module_.weight.item()))


@pytest.fixture
def net():
    module = nn.Linear(1, 1)
    nn.init.zeros_(module.weight)
    attacks = []
    return SimpleNamespace(
        module_=module,
        optimizer_=torch.optim.SGD(module.parameters(), lr=0.1),
        collapses=False,
        strategy=Strategy(),
        record_strategy=lambda: None,
        evaluator=None,
        epoch_=0,
        max_epochs=1,
        attacks=attacks,
        attack_by=attacks.append,
    )


def control(net):
    calls, averaged = [], nn.Linear(1, 1)
    average, guard, stopping = (Part(calls, net.module_, averaged) for _ in range(3))
    made = WeightControl(average, guard, stopping)
    made.on_train_begin(net)
    calls.clear()
    return made, calls


def test_the_guard_comes_before_the_measurement_of_the_average(net):
    made, calls = control(net)
    made.on_batch_end(net, training=True)
    made.on_batch_end(net, training=False)
    made.on_epoch_end(net)
    assert calls == ["update", "guard", "average", ("measure", True, 1.0)]
    assert net.attacks == []


def test_a_collapse_is_taken_back_before_the_measurement(net):
    made, calls = control(net)
    net.collapses = True
    made.on_epoch_end(net)
    assert calls == ["guard", "average", ("measure", True, 0.0)]
    assert net.attacks == ["several steps"]
    made.on_epoch_end(net)
    assert calls[3:] == ["average", ("measure", True, 0.0)]  # the guard is done


def test_the_best_epoch_has_the_last_word(net):
    made, calls = control(net)
    made.on_train_end(net)
    assert calls == ["average"]
    assert net.module_.weight.item() == 2.0


def test_without_parts_nothing_happens(net):
    made = WeightControl(None, None, None)
    made.on_train_begin(net)
    made.on_epoch_end(net)
    made.on_train_end(net)
    assert net.module_.weight.item() == 0.0
