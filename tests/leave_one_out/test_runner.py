"""The loop over refits: backends, processes that are killed, and workers that are lost."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

import robfair
from refits import Ridge, data, equal, network
from robfair.leave_one_out import leave_one_out


def test_result_depends_neither_on_the_backend_nor_on_the_seed_of_another_run():
    X, y, X_test = data()
    options = {"n_left_out": 3, "n_baseline": 2}
    serial = leave_one_out(network(), X, y, X_test, **options)
    with parallel_config(backend="threading", n_jobs=2):
        assert equal(serial, leave_one_out(network(), X, y, X_test, **options))
    assert not equal(serial, leave_one_out(network(), X, y, X_test, random_state=1, **options))


class Killer(TransformerMixin, BaseEstimator):
    """Changes nothing; the first to find the file removes it and kills its process."""

    def __init__(self, file):
        self.file = file

    def fit(self, X, y=None):
        if os.path.exists(self.file):
            os.remove(self.file)
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def transform(self, X):
        return X


@pytest.mark.slow
def test_result_is_the_same_from_two_processes_one_of_them_killed(tmp_path):
    X, y, X_test = data()
    file = tmp_path / "kill"
    estimator = make_pipeline(Killer(file), network())
    options = {"n_left_out": 4, "n_baseline": 2}
    serial = leave_one_out(estimator, X, y, X_test, **options)
    file.touch()
    with pytest.warns(UserWarning, match="workers were lost"):
        result = leave_one_out(estimator, X, y, X_test, n_jobs=2, **options)
    assert not file.exists()
    assert equal(serial, result)


@pytest.mark.parametrize("error", [CancelledError, BrokenProcessPool])
def test_workers_lost_again_and_again_are_an_error(tmp_path, monkeypatch, error):
    class Loses:
        """Returns one result in its first call, and loses its workers in every one."""

        n_calls = 0

        def __init__(self, **kwargs):
            type(self).n_calls += 1

        def __call__(self, tasks):
            for function, args, kwargs in tasks:
                if self.n_calls > 1:
                    break
                yield function.function(*args, **kwargs)
                break
            raise error("gone")

    monkeypatch.setattr("robfair.leave_one_out._runner.Parallel", Loses)
    X, y, X_test = data()
    for checkpoint, where in ((None, "gone: pass checkpoint"), (tmp_path, f"kept in {tmp_path}")):
        Loses.n_calls = 0
        with (
            pytest.raises(RuntimeError, match=rf"1 of 8 refits are finished and {where}") as raised,
            pytest.warns(UserWarning, match=rf"workers were lost \({error.__name__}: gone\)"),
        ):
            leave_one_out(Ridge(), X, y, X_test, n_left_out=6, checkpoint=checkpoint)
        assert Loses.n_calls == 2
        assert isinstance(raised.value.__cause__, error)


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_too(tmp_path):
    code = f"""
from refits import data, network
from robfair.leave_one_out import leave_one_out
X, y, X_test = data()
print("begins", flush=True)
leave_one_out(network(), X, y, X_test, n_left_out=30, n_baseline=9999, n_jobs=2,
              checkpoint={str(tmp_path / "folder")!r})
"""
    roots = [Path(robfair.__file__).parent.parent, Path(__file__).parent.parent]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE,
        start_new_session=True, text=True,
    )  # fmt: skip
    while len(list(tmp_path.rglob("*.safetensors"))) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it, too
    err = process.communicate()[1]
    assert process.returncode == -signal.SIGINT
    # That of the process itself, which does not catch it. A worker between two refits is loky's,
    # which may be collecting garbage, and then shows where.
    assert err.count("Traceback") - err.count("Process LokyProcess") == 1, err
    assert err.endswith("KeyboardInterrupt\n")
