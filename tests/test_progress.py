"""A process that was killed as it drew a bar does not stop the others."""

import io
import os
import subprocess
import sys

import pytest
from tqdm.auto import tqdm

from robfair._progress import ProgressBar

SCRIPT = """
import os, signal
from sklearn.linear_model import LogisticRegression
from tqdm.auto import tqdm
from robfair import boundary_distance
from robfair._progress import ProgressBar

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
