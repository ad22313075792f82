"""Leave-one-out refits on a Dask cluster whose workers are killed, and one that goes away."""

import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.linear_model import LogisticRegression

from robfair.leave_one_out import leave_one_out

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

# Of distributed itself: it reports what it does about workers that are gone.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*:UserWarning:distributed"),
    pytest.mark.slow,
]


class Slow(LogisticRegression):
    """Takes its time, so that there is something to interrupt."""

    def fit(self, X, y, sample_weight=None):
        time.sleep(0.05)
        return super().fit(X, y, sample_weight)


rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
y = (X[:, 0] + rng.normal(size=200) > 0).astype(int)
X_test = rng.normal(size=(10, 3))
ARGUMENTS = (Slow(), X, y, X_test)
OPTIONS = {"n_left_out": 40, "n_baseline": 0}


def local_cluster(n_workers, threads_per_worker=1):
    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=threads_per_worker,
        processes=True,
        dashboard_address=None,
        silence_logs="CRITICAL",
    )


@pytest.fixture(scope="module")
def serial():
    return leave_one_out(*ARGUMENTS, **OPTIONS)


def finished(folder):
    return list(folder.glob("*.safetensors"))


class When(threading.Thread):
    """Acts as soon as so many refits are finished."""

    def __init__(self, folder, n, act):
        super().__init__(daemon=True)
        self.folder, self.n, self.act = folder, n, act
        self.start()

    def run(self):
        while len(finished(self.folder)) < self.n:
            time.sleep(0.01)
        self.act()


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def test_nothing_is_lost_with_one_of_two_workers_killed(serial, tmp_path):
    with (
        local_cluster(2) as cluster,
        distributed.Client(cluster) as client,
        parallel_config(backend="dask"),
        warnings.catch_warnings(),
    ):
        # If it was killed before the other had copies of all training data.
        warnings.filterwarnings("ignore", message="workers were lost")
        one, _ = client.run(os.getpid).values()
        killed = []
        killer = When(tmp_path, 5, lambda: (kill(one), killed.extend(finished(tmp_path))))
        result = leave_one_out(*ARGUMENTS, checkpoint=tmp_path, **OPTIONS)
        killer.join()
    assert len(killed) < 42  # in mid-run
    assert np.array_equal(result.proba, serial.proba)
    assert np.array_equal(result.proba_refitted, serial.proba_refitted)


def test_training_data_that_are_lost_and_a_cluster_that_goes_away(serial, tmp_path):
    timeouts = {"distributed.comm.timeouts.connect": "2s", "distributed.comm.retry.count": 0}
    # joblib would not send anything to a cluster with one thread in all.
    with dask.config.set(timeouts), local_cluster(1, threads_per_worker=2) as cluster:
        client = distributed.Client(cluster)
        (only,) = client.run(os.getpid).values()
        actors = [When(tmp_path, 5, lambda: kill(only)), When(tmp_path, 20, cluster.close)]
        with (
            parallel_config(backend="dask"),
            pytest.raises(RuntimeError, match=f"cannot be reached.*kept in {tmp_path}"),
            pytest.warns(UserWarning, match="workers were lost") as seen,
        ):
            leave_one_out(*ARGUMENTS, checkpoint=tmp_path, **OPTIONS)
        for actor in actors:
            actor.join()
        client.close()
    assert len(seen) == 2  # went on after the first
    before = {path: path.stat().st_mtime_ns for path in finished(tmp_path)}
    assert 20 <= len(before) < 42
    result = leave_one_out(*ARGUMENTS, checkpoint=tmp_path, **OPTIONS)
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert np.array_equal(result.proba, serial.proba)
    assert np.array_equal(result.proba_refitted, serial.proba_refitted)
