"""Runs of leave-one-out refits that are cut off, damaged, or of something else."""

import signal
import threading
from contextlib import suppress

import numpy as np
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from interrupts import usual_handler
from refits import N, Ridge, Stops, data, equal, files, network
from robfair import NaturalClassifier
from robfair._tensorfile import write_tree
from robfair.exceptions import ResultsError
from robfair.leave_one_out import leave_one_out


def test_a_run_that_was_cut_off_goes_on(tmp_path):
    X, y, X_test = data()
    fits, folder = tmp_path / "fits", tmp_path / "checkpoint"
    fits.mkdir()
    estimator = Stops(fits, at=6)
    arguments = {"n_left_out": 9, "checkpoint": folder}
    with pytest.raises(ZeroDivisionError) as error:
        leave_one_out(estimator, X, y, X_test, **arguments)
    assert "without training sample" in error.value.__notes__[0]
    assert len(files(folder)) == 5  # nothing half written
    result = leave_one_out(estimator, X, y, X_test, **arguments)
    assert len(files(fits)) == 6 + (2 + 9 - 5)  # none was done twice
    assert equal(result, leave_one_out(Ridge(), X, y, X_test, n_left_out=9))
    assert equal(result, leave_one_out(estimator, X, y, X_test, n_jobs=2, **arguments))
    assert len(files(fits)) == 12  # all from the files


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def altered(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def something_else(path):
    write_tree(path, {"proba": np.ones((2, 2))})


@pytest.mark.slow
@pytest.mark.parametrize("damage", [truncated, altered, empty, something_else])
def test_a_damaged_file_is_detected_and_done_again(tmp_path, damage):
    X, y, X_test = data(n_test=40)
    estimator = network(random_state=0)
    arguments = {"left_out": [1, 2], "n_baseline": 1, "checkpoint": tmp_path}
    first = leave_one_out(estimator, X, y, X_test, **arguments)
    damage(tmp_path / "without-2.safetensors")
    with pytest.warns(UserWarning, match=r"done again: .*without-2.safetensors is damaged"):
        again = leave_one_out(estimator, X, y, X_test, **arguments)
    assert equal(first, again)
    assert equal(first, leave_one_out(estimator, X, y, X_test, **arguments))  # repaired


def test_a_renamed_file_is_refused(tmp_path):
    X, y, X_test = data()
    arguments = {"left_out": [1, 2], "checkpoint": tmp_path}
    leave_one_out(Ridge(), X, y, X_test, **arguments)
    (tmp_path / "repeat.safetensors").replace(tmp_path / "without-2.safetensors")
    with pytest.raises(ResultsError, match=r"refit \('repeat', now 'without-2'\)"):
        leave_one_out(Ridge(), X, y, X_test, **arguments)


def scaled(module_seed=0, **params):
    torch.manual_seed(module_seed)
    module = nn.Sequential(nn.Linear(3, 2))
    return make_pipeline(StandardScaler(), NaturalClassifier(module=module, max_epochs=1, **params))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"estimator": scaled(lr=0.5)}, r"naturalclassifier__lr \(0.001, now 0.5\)"),
        ({"estimator": scaled(module_seed=1)}, "naturalclassifier__module"),
        (
            {"estimator": Ridge(), "n_baseline": 0},
            r"estimator \('sklearn.pipeline.Pipeline', now '.*Ridge with code \w+'\)",
        ),
        ({"X": data(1)[0]}, "X. Name"),
        ({"y": 1 - data()[1]}, "y. Name"),
        ({"X_test": data(1)[2]}, "X_test. Name"),
        ({"left_out": [1, 3]}, "left_out. Name"),
        ({"n_baseline": 2}, r"n_baseline \(1, now 2\)"),
        ({"sample_weight": np.ones(N)}, "sample_weight"),
        ({"random_state": 1}, "naturalclassifier__random_state .*, seeds of the baseline"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_the_folder_of_another_run_is_refused(tmp_path, changed, named):
    state = torch.get_rng_state()
    X, y, X_test = data()
    arguments = {"estimator": scaled(), "X": X, "y": y, "X_test": X_test, "left_out": [1, 2],
                 "n_baseline": 1, "checkpoint": tmp_path}  # fmt: skip
    first = leave_one_out(**arguments)
    (tmp_path / "without-1.safetensors").unlink()
    assert equal(first, leave_one_out(**arguments))
    with pytest.raises(ResultsError, match=f"differs in: .*{named}"):
        leave_one_out(**{**arguments, **changed})
    torch.set_rng_state(state)


def test_nan_among_the_parameters_is_no_difference(tmp_path):
    X, y, X_test = data()
    estimator = make_pipeline(SimpleImputer(missing_values=np.nan), Ridge())
    for _ in range(2):
        leave_one_out(estimator, X, y, X_test, n_left_out=1, checkpoint=tmp_path)


def test_parameters_that_cannot_be_compared_are_refused(tmp_path):
    X, y, X_test = data()
    lock = threading.Lock()
    estimator = NaturalClassifier(module=lambda: lock and nn.Linear(3, 2))
    with pytest.raises(TypeError, match="with checkpoint=, estimator's module must be something"):
        leave_one_out(estimator, X, y, X_test, n_left_out=1, checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()


class Swallows(Stops):
    """Ends its training by Ctrl-C as if it were finished, as skorch's classifiers do."""

    def fit(self, X, y):
        with suppress(KeyboardInterrupt):
            if len(files(self.folder)) + 1 == self.at:
                signal.raise_signal(signal.SIGINT)
        with suppress(ZeroDivisionError):
            return super().fit(X, y)
        return Ridge.fit(self, X, y)


def test_a_refit_that_ctrl_c_ended_is_not_kept(tmp_path):
    X, y, X_test = data()
    fits, folder = tmp_path / "fits", tmp_path / "checkpoint"
    fits.mkdir()
    arguments = {"left_out": [1, 2], "checkpoint": folder}
    with usual_handler(), pytest.raises(KeyboardInterrupt):
        leave_one_out(Swallows(fits, at=2), X, y, X_test, **arguments)
    assert len(files(folder)) == 1  # the first; the second was interrupted
    result = leave_one_out(Swallows(fits, at=2), X, y, X_test, **arguments)
    assert len(files(fits)) == 5
    assert equal(result, leave_one_out(Ridge(), X, y, X_test, left_out=[1, 2]))


def test_a_file_in_place_of_the_folder(tmp_path):
    X, y, X_test = data()
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="name a folder"):
        leave_one_out(Ridge(), X, y, X_test, left_out=[1], checkpoint=tmp_path / "file")
