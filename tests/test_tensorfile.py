"""Trees of tensors and plain values in one file."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError

from robfair._tensorfile import read_tree, write_tree
from robfair.exceptions import ResultsError
from robfair.models import save_weights

NET = torch.nn.Linear(2, 2)

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
trees = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(tree=trees)
def test_plain_values_come_back(tree, tmp_path_factory):
    path = tmp_path_factory.mktemp("tree") / "file"
    write_tree(path, tree)
    back = read_tree(path)
    assert back == tree
    assert repr(back) == repr(tree)  # 1, 1.0 and True are equal


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.uint8]
)
def test_tensors_come_back(dtype, tmp_path):
    tensor = torch.tensor([[0.0, 1.5, -2.0], [3.0, 0.1, 7.0]]).to(dtype)
    parts = {"all": tensor, "part": tensor[:, 1], "turned": tensor.T, "scalar": tensor[0, 0]}
    write_tree(tmp_path / "file", {**parts, "empty": tensor[:0]})
    back = read_tree(tmp_path / "file")
    for name, part in parts.items():
        assert back[name].dtype == dtype
        assert torch.equal(back[name], part)
    assert back["empty"].shape == (0, 3)


def test_arrays_stay_arrays(tmp_path):
    tree = {"a": np.array([1.0, np.nan]), "b": np.array([True, False]), "c": np.float64(0.1)}
    write_tree(tmp_path / "file", tree)
    back = read_tree(tmp_path / "file")
    assert isinstance(back["a"], np.ndarray)
    np.testing.assert_array_equal(back["a"], tree["a"])
    assert back["b"].dtype == bool
    assert back["c"] == 0.1


def test_nan_comes_back(tmp_path):
    write_tree(tmp_path / "file", [float("nan"), float("inf")])
    assert np.isnan(read_tree(tmp_path / "file")[0])


@pytest.mark.parametrize("value", [object(), {1.5: 0}, {"a": {3, 4}}, [print]])
def test_anything_else_is_refused_and_leaves_the_old_file(value, tmp_path):
    path = tmp_path / "file"
    write_tree(path, 1)
    with pytest.raises(TypeError):
        write_tree(path, value)
    assert read_tree(path) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_tree(path, 1)

    def fail(*args, **kwargs):
        raise SafetensorError("no space left on device")

    monkeypatch.setattr("robfair._tensorfile.save_file", fail)
    with pytest.raises(OSError, match="no space"):
        write_tree(path, 2)
    assert read_tree(path) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def damaged(path):
    """Return the reason for which a file is refused."""
    with pytest.raises(ResultsError, match="is damaged, or not a checkpoint") as caught:
        read_tree(path)
    assert str(path) in str(caught.value)
    assert "Delete it to begin anew" in str(caught.value)
    return str(caught.value)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "file"
    write_tree(path, {"é": torch.arange(4), "a": np.array([True, False]), "n": [1, None, "x"]})
    return path


def test_each_changed_bit_is_refused(small):
    """Header, names, dtypes and padding as well as content."""
    content = small.read_bytes()
    for bit in range(0, 8 * len(content), 3):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        small.write_bytes(changed)
        damaged(small)


def test_numbers_of_another_kind_are_a_change(small):
    """The bytes are the same, and a checksum of these alone would be."""
    content = small.read_bytes()
    assert content.count(b'"I64"') == 1
    small.write_bytes(content.replace(b'"I64"', b'"F64"'))
    assert "SHA-256" in damaged(small)


def test_arrays_that_share_memory_or_are_views_or_read_only(tmp_path):
    one = np.arange(24.0).reshape(4, 6)
    frozen = np.arange(3)
    frozen.flags.writeable = False
    tree = {"twice": [one, one], "views": (one[1:], one[:, ::2], one.T), "frozen": frozen}
    write_tree(tmp_path / "file", tree)
    found = read_tree(tmp_path / "file")
    np.testing.assert_array_equal(found["frozen"], frozen)
    for name in ("twice", "views"):
        for a, b in zip(found[name], tree[name], strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_large_array_is_not_copied(tmp_path):
    one = np.zeros(2**20)
    tracemalloc.start()
    write_tree(tmp_path / "file", {"one": one})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * one.nbytes


def test_a_cut_off_file_is_refused(small):
    content = small.read_bytes()
    for length in range(0, len(content), 7):
        small.write_bytes(content[:length])
        damaged(small)


def test_what_is_no_file_is_refused(tmp_path):
    assert "a folder, a device or a pipe" in damaged(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "a folder, a device or a pipe" in damaged(tmp_path / "pipe")


@pytest.mark.parametrize(
    "write", [lambda path: write_tree(path, torch.zeros(3)), lambda path: save_weights(NET, path)]
)
def test_safetensors_writes_nothing_beside_the_file(write, tmp_path, monkeypatch):
    """It would write a file of another name first, which nobody removes after a kill."""
    written = []
    serialize_file = safetensors.torch.serialize_file

    def recorded(tensors, path, *args, **kwargs):
        written.append(Path(path).parent)
        return serialize_file(tensors, path, *args, **kwargs)

    monkeypatch.setattr("safetensors.torch.serialize_file", recorded)
    write(tmp_path / "file")
    assert tmp_path not in written
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
