"""Trees of tensors and plain values in one file."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError

from robfair._tensorfile import read_tree, write_tree
from robfair.exceptions import ResultsError

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


def test_a_cut_off_file_is_refused(tmp_path):
    path = tmp_path / "file"
    write_tree(path, {"a": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ResultsError, match="damaged"):
        read_tree(path)
