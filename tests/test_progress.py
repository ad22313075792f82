"""A process that was killed as it drew a bar does not stop the others."""

import io
import os
import subprocess
import sys

import pytest
from tqdm.auto import tqdm

from robfair import _progress
from robfair._progress import ProgressBar, shows

SCRIPT = """
import os, signal
from sklearn.linear_model import LogisticRegression
from tqdm.auto import tqdm
from robfair import boundary_distance
from robfair import _progress
from robfair._progress import ProgressBar, shows

def killed(lock):
    child = os.fork()
    if child == 0:
        lock.acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

killed(tqdm.get_lock())
killed(ProgressBar.get_lock())
clf = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
print(len(boundary_distance(clf, [[0.0], [1.0]])))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_lock_that_a_killed_child_held_is_not_waited_for():
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout == "2\n"


def test_the_user_s_bars_keep_their_lock():
    assert tqdm.get_lock() is not ProgressBar.get_lock()
    with ProgressBar(total=2, disable=True) as bar:
        bar.update()


class InterruptedStream(io.StringIO):
    def write(self, text):
        super().write(text)
        if "training" in text:
            raise KeyboardInterrupt
        return len(text)


def test_the_line_of_a_bar_that_is_interrupted_as_it_opens_is_ended():
    stream = InterruptedStream()
    with pytest.raises(KeyboardInterrupt):
        ProgressBar(total=2, desc="training", file=stream)
    assert stream.getvalue().endswith("\n")
    hidden = InterruptedStream()
    ProgressBar(total=2, desc="training", file=hidden, disable=True).close()
    assert hidden.getvalue() == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_of_its_own_accord_is_for_somebody_who_watches(monkeypatch):
    assert (shows(1), shows(0)) == (True, False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # a pipe or a file
    assert not shows(None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert shows(None)
    monkeypatch.setattr(_progress, "multiprocessing", None)  # not asked where nobody watches
    for nobody in (None, io.StringIO()):
        monkeypatch.setattr(sys, "stderr", nobody)
        if nobody is not None:
            nobody.close()
        assert not shows(None)


def test_a_notebook_counts_as_a_terminal_and_a_worker_does_not(monkeypatch):
    Kernel = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    monkeypatch.setattr(sys, "stderr", Kernel())
    assert shows(None)
    worker = type("Process", (), {"name": "LokyProcess-1"})
    monkeypatch.setattr(_progress.multiprocessing, "current_process", worker)
    assert not shows(None)


def test_it_appears_after_five_seconds_and_goes(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with ProgressBar(total=2, desc="quick", verbose=None, file=terminal) as bar:
        bar.update()
    assert terminal.getvalue() == ""
    with ProgressBar(total=2, desc="slow", verbose=None, file=terminal) as bar:
        bar.start_t -= 6
        bar.last_print_t -= 6
        bar.update()
        assert "slow:  50%" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")  # the line is empty again
