"""One file format of checkpoints: the same run reads it, any other one is refused."""

import numpy as np
import pytest
import torch

from robfair._checkpoint import read_checkpoint, write_checkpoint
from robfair._tensorfile import DamagedFileError, write_tree
from robfair.exceptions import ResultsError

RUN = {"seed": 0, "X": {"hash": "abc"}, "version of torch": "2.0", "missing": float("nan")}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run"
    write_checkpoint(path, RUN, {"weights": torch.arange(300.0), "epoch": 3})
    return path


def test_the_same_run_reads_it(path, tmp_path):
    content = read_checkpoint(path, RUN)
    assert torch.equal(content["weights"], torch.arange(300.0))
    assert content["epoch"] == 3
    assert read_checkpoint(tmp_path / "none", RUN) is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, r"seed \(0, now 1\)\. "),
        ({"X": {"hash": "abd"}}, r"X\. "),
        ({"version of torch": "3.0"}, r"version of torch \('2.0', now '3.0'\)\. "),
        ({"refit": "all"}, r"refit \(None, now 'all'\)\. "),
    ],
)
def test_another_run_is_refused_and_the_difference_named(path, changed, named):
    before = path.read_bytes()
    with pytest.raises(ResultsError, match=f"is of another run, which differs in: {named}"):
        read_checkpoint(path, {**RUN, **changed})
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_changed_bit_is_damage(path, place):
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"is damaged.*Delete it to begin anew"):
        read_checkpoint(path, RUN)


@pytest.mark.parametrize("tree", [{"weights": np.zeros(3)}, [1, 2], None])
def test_a_file_of_something_else_is_refused(path, tree):
    write_tree(path, tree)
    with pytest.raises(DamagedFileError, match="it holds something else"):
        read_checkpoint(path, RUN)
