"""Evaluation mode for a while: the module is left as found, by errors, Ctrl-C and threads too."""

import threading

import pytest
import torch
from torch import nn

from robfair.adapters import evaluation_mode


def test_evaluation_mode_restores_each_submodule():
    module = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    module[1][0].eval()  # frozen by the user
    before = [part.training for part in module.modules()]
    assert before == [True, True, True, False, True]
    with pytest.raises(KeyError), evaluation_mode(module):  # noqa: PT012
        assert not any(part.training for part in module.modules())
        raise KeyError
    assert [part.training for part in module.modules()] == before


def flags(*modules):
    return [part.training for module in modules for part in module.modules()]


def test_blocks_that_overlap_leave_evaluation_mode_to_the_last():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout().eval())
    first, second = evaluation_mode(module), evaluation_mode(module)
    before = flags(module)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert flags(module) == [False, False, False]
    second.__exit__(None, None, None)
    assert flags(module) == before == [True, True, False]


def test_modules_may_share_a_submodule():
    shared = nn.Dropout()
    one, other = nn.Sequential(shared, nn.ReLU()), nn.Sequential(nn.Tanh(), shared)
    first, second = evaluation_mode(one), evaluation_mode(other)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert flags(one) == [True, False, True]
    assert flags(other) == [False, False, False]
    second.__exit__(None, None, None)
    assert all(flags(one, other))


def test_threads_measure_one_module_in_training_mode():
    torch.manual_seed(0)
    module = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    X = torch.randn(20, 3)
    with evaluation_mode(module):
        right = module(X)
    wrong = []

    def measure():
        for _ in range(300):
            with evaluation_mode(module):
                wrong.append(not torch.equal(module(X), right))

    threads = [threading.Thread(target=measure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(wrong)
    assert len(wrong) == 1200
    assert all(flags(module))
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


class Merging(nn.Linear):
    """Does more in evaluation mode than to set a flag, as adapters of low rank do."""

    def train(self, mode=True):
        self.merged = not mode
        return super().train(mode)


def test_a_module_undoes_what_it_does_in_evaluation_mode():
    module = nn.Sequential(Merging(2, 2), nn.ReLU())
    with evaluation_mode(module):
        assert module[0].merged
    assert not module[0].merged
    assert all(flags(module))


def test_training_mode_meanwhile_is_noticed():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    seen = pytest.warns(UserWarning, match="Dropout was put into training mode while")
    with seen, evaluation_mode(module):
        module[1].train()
    assert all(flags(module))


def test_ctrl_c_in_the_middle_of_leaving():
    class Interrupted(nn.Linear):
        presses = 1

        def train(self, mode=True):
            if mode and Interrupted.presses:
                Interrupted.presses = 0
                raise KeyboardInterrupt
            return super().train(mode)

    module = nn.Sequential(nn.Dropout(), Interrupted(2, 2), nn.Dropout().eval())
    before = flags(module)
    with pytest.raises(KeyboardInterrupt), evaluation_mode(module):
        pass
    assert flags(module) == before
    with evaluation_mode(module):  # nothing is left behind
        assert not any(flags(module))
    assert flags(module) == before
