"""The path from TRADES to FARMUR: its ends, what lies between, and which network is chosen."""

import pytest
import torch
from torch import nn

from robfair.reproduction._records import read_runs
from robfair.reproduction.farmur._path import WeightPath, copy_weights


@pytest.fixture
def path():
    torch.manual_seed(0)
    make = [nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)) for _ in range(2)]
    X = torch.randn(40, 3)
    for network in make:
        network(X)  # so that there are statistics
    ends = [copy_weights(network.state_dict()) for network in make]
    return WeightPath(make[0], *ends, X, batch_size=10)


@pytest.mark.parametrize("t", [0.0, 1.0])
def test_the_ends_of_the_path_are_what_they_were(path, t):
    expected = path.last if t else path.first
    mixed = path.at(t)
    for name, value in expected.items():
        assert torch.equal(mixed[name], value)


def test_between_the_ends_weights_are_mixed_and_statistics_are_new(path):
    mixed = path.at(0.3)
    for name in ("0.weight", "1.bias", "2.weight"):
        torch.testing.assert_close(mixed[name], 0.7 * path.first[name] + 0.3 * path.last[name])
    hidden = path.X @ mixed["0.weight"].T + mixed["0.bias"]
    torch.testing.assert_close(mixed["1.running_mean"], hidden.mean(dim=0))
    batches = torch.stack([batch.var(dim=0) for batch in hidden.split(10)])
    torch.testing.assert_close(mixed["1.running_var"], batches.mean(dim=0))
    assert not path.module.training


@pytest.mark.slow
def test_the_interpolation_keeps_rob(digits):
    measures, _ = read_runs(digits[0] / "results", "digits-tabular", "small")
    path = measures.query("protocol == 'path'")
    rob = path.query("measure == 'Rob(f)'").set_index("label")["value"]
    assert list(rob.index.astype(float)) == [i / 10 for i in range(11)]
    (chosen,) = path.query("measure == 't'")["value"]
    enough = rob.index[rob >= 0.99 * rob.iloc[0]].astype(float)
    assert chosen == max(enough)
    assert set(path["measure"]) == {"Rob(f)", "V_f", "CV", "t"}
