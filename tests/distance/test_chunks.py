"""Chunks of rows in threads, processes and a cluster: the same numbers to the last bit."""

import os
import signal
import threading
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from oracles import linear_layer, network
from robfair import ThreatModel, audit, boundary_distance
from robfair._problem import as_problem
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient import STRONG, minimum_norm_distance, search_pool
from tables import table

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4)).astype(np.float32)
NET = network([4, 8, 3], dtype=torch.float32)
Y = NET(torch.from_numpy(X)).argmax(dim=1).numpy()
Y[::7] = (Y[::7] + 1) % 3
FLAT = nn.Sequential(linear_layer(RNG.normal(size=(4, 4)), np.zeros(4), torch.float32), nn.ReLU(),
                     linear_layer(1e3 * RNG.normal(size=(2, 4)), [0, 0], torch.float32),
                     nn.Hardtanh(), linear_layer(np.eye(2), [0, 0], torch.float32))  # fmt: skip
TABLE, ROWS = table(0, 1100, 1, 1)
WEIGHT = RNG.normal(size=(2, TABLE.shape[1]))
CASES = {
    "auto": (NET, X, {"batch_size": 64}),
    "fallback": (FLAT, X, {"batch_size": 64}),
    "strong": (NET, X[:80], {"batch_size": 64, "method": "strong", "random_state": 3}),
    "certify": (NET, X, {"batch_size": 8, "certify": True}),
    "deepfool": (NET, X, {"batch_size": 16, "method": "deepfool"}),
    "paper": (NET, X, {"batch_size": 16, "method": "paper"}),
    "linear": (nn.Linear(4, 3), X, {"batch_size": 16}),
    "relu": (network([4, 4, 2], nn.ReLU), X[:4].astype(float), {"method": "exact"}),
    "tree": (DecisionTreeClassifier(random_state=0).fit(X, Y), np.tile(X, (60, 1)), {}),
    "trees": (RandomForestClassifier(5, max_depth=4, random_state=0).fit(X, Y),
              RNG.normal(size=(700, 4)), {}),
    "decision": (RandomForestClassifier(5, random_state=0).fit(X, Y), np.tile(X, (2, 1)),
                 {"budget": 30, "method": "decision"}),
    "table": (linear_layer(WEIGHT, [0, 0]), TABLE, {"threat_model": ROWS, "batch_size": 64}),
    "table, network": (network([len(TABLE[0]), 4, 2]), TABLE, {"threat_model": ROWS}),
    "table, labels": (linear_layer(WEIGHT, [0, 0]), TABLE,
                      {"threat_model": ROWS, "method": "decision", "budget": 30}),
}  # fmt: skip


def check_same(one, other):
    for name in ("distance", "lower", "predicted", "status", "adversarial", "n_forward"):
        if getattr(one, name) is None:
            assert getattr(other, name) is None
        else:
            assert_array_equal(getattr(other, name), getattr(one, name), name)
    assert (one.method, one.warnings_) == (other.method, other.warnings_)


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=pytest.mark.slow if c.startswith("table, ") else ()) for c in CASES],
)
def test_threads_change_nothing(case):
    model, rows, options = CASES[case]
    alone = boundary_distance(model, rows, **options)
    with parallel_config("threading", n_jobs=3):
        check_same(alone, boundary_distance(model, rows, **options))


@pytest.mark.slow
def test_processes_change_nothing(capfd):
    before = torch.get_num_threads()
    for case in ("auto", "certify", "strong", "table", "table, labels", "fallback"):
        model, rows, options = CASES[case]
        alone = boundary_distance(model, rows, **options)
        check_same(alone, boundary_distance(model, rows, n_jobs=2, **options))
    assert torch.get_num_threads() == before
    assert capfd.readouterr().err == ""  # nor do the processes warn


def test_starts_come_from_all_rows_and_not_from_those_of_a_chunk():
    # One row of the second class, in the last chunk: the only start for the others.
    class Step(nn.Module):
        def forward(self, x):
            far = x[:, 0] >= 3
            return torch.stack([~far, far], dim=1) + 0 * x[:, :1]

    rows = np.zeros((200, 2), dtype=np.float32)
    rows[-1] = 5
    for n_jobs in (None, 2):
        with parallel_config("threading"):
            result = boundary_distance(Step(), rows, batch_size=64, n_jobs=n_jobs)
        assert result.counts() == {"found": 200}
    tree = DecisionTreeClassifier(random_state=0).fit(rows, rows[:, 0] > 3)
    table_of = {"threat_model": ThreatModel(unit=1.0), "method": "decision", "budget": 50}
    many = np.concatenate([np.tile(rows[:1], (1100, 1)), rows[-1:]]).astype(float)
    assert boundary_distance(tree, many, **table_of).counts() == {"found": 1101}


def test_random_starts_depend_on_the_row_and_not_on_the_chunk():
    problem = as_problem(NET, X[:10], None, ThreatModel(), 5)
    budget = STRONG.within(None, 2)
    known = search_pool(problem, X[10:20], budget, seed=3)
    search = partial(minimum_norm_distance, budget=budget, known=known)
    whole = ResultWriter(problem, keep_adversarial=True)
    search(problem, whole)
    chunk = ResultWriter(problem.chunk(slice(5, 10)), keep_adversarial=True)
    search(chunk.problem, chunk)
    assert_array_equal(chunk.adversarial, whole.adversarial[5:])


@pytest.mark.slow
def test_bars_count_each_row_once(capsys):
    boundary_distance(NET, X, y=Y, batch_size=64, verbose=1)
    with parallel_config("threading", n_jobs=2):
        boundary_distance(NET, X, batch_size=8, certify=True, verbose=1)
        boundary_distance(FLAT, X, batch_size=64, verbose=1)
    bars = capsys.readouterr().err.replace("\r", "\n").splitlines()
    ends = [bar for bar, after in pairwise([*bars, ""]) if bar and "150" in bar and not after]
    assert len(ends) == 4
    assert all("150/150" in bar for bar in ends)


@pytest.mark.slow
def test_an_audit_takes_jobs():
    groups = np.arange(len(X)) % 2
    options = {"sensitive_features": groups, "batch_size": 64}
    alone = audit(NET, X, Y, **options)
    with parallel_config("threading"):
        shared = audit(NET, X, Y, n_jobs=2, **options)
    assert_array_equal(shared.distances.distance, alone.distances.distance)


# --- Lost workers


class Deadly(nn.Module):
    """Ends the first process that it is sent to."""

    def __init__(self, net, folder):
        super().__init__()
        self.net, self.folder, self.home = net, folder, os.getpid()

    def forward(self, x):
        if os.getpid() != self.home:
            first = self.folder / "killed"
            if not first.exists():
                first.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return self.net(x)


@pytest.mark.slow
def test_a_process_that_is_killed_changes_nothing(tmp_path):
    alone = boundary_distance(NET, X, batch_size=16)
    with pytest.warns(UserWarning, match="workers were lost .*computed again"):
        result = boundary_distance(Deadly(NET, tmp_path), X, batch_size=16, n_jobs=2)
    assert_array_equal(result.distance, alone.distance)
    assert_array_equal(result.adversarial, alone.adversarial)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*:UserWarning:distributed")
@pytest.mark.filterwarnings("ignore:workers were lost")
def test_a_cluster_one_of_whose_workers_is_killed_changes_nothing(tmp_path):
    distributed = pytest.importorskip("distributed")
    alone = boundary_distance(NET, X, batch_size=16)
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs="CRITICAL",
    )
    with cluster, distributed.Client(cluster), parallel_config("dask"):
        result = boundary_distance(Deadly(NET, tmp_path), X, batch_size=16)
    assert (tmp_path / "killed").exists()
    assert_array_equal(result.distance, alone.distance)
    assert_array_equal(result.adversarial, alone.adversarial)


# --- Bad input


@pytest.mark.slow
def test_a_model_that_cannot_be_pickled():
    model = nn.Sequential(NET)
    model.lock = threading.Lock()
    with pytest.raises(TypeError, match="n_jobs=2 needs a model that can be pickled"):
        boundary_distance(model, X, batch_size=64, n_jobs=2)
    with parallel_config("threading"):
        result = boundary_distance(model, X, batch_size=64, n_jobs=2)
    assert_array_equal(result.distance, boundary_distance(NET, X, batch_size=64).distance)


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2"])
def test_jobs_that_are_no_number(n_jobs):
    with pytest.raises((TypeError, ValueError), match="n_jobs"):
        boundary_distance(NET, X, n_jobs=n_jobs)


def test_errors_of_the_model_come_through():
    class Fails(nn.Module):
        def forward(self, x):
            if len(x) == 22:
                raise ZeroDivisionError("of the model")
            return NET(x)

    with parallel_config("threading"), pytest.raises(Exception, match="of the model"):
        boundary_distance(Fails(), X, batch_size=64, n_jobs=2)
