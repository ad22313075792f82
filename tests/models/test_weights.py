"""Weights as files."""

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from robfair.exceptions import ResultsError
from robfair.models import lenet5, load_weights, save_weights, tabular_network


@pytest.mark.parametrize("make", [lenet5, lambda: tabular_network(5, 2)])
def test_they_come_back(make, tmp_path):
    torch.manual_seed(0)
    module, other = make(), make()
    save_weights(module, tmp_path / "file")
    assert load_weights(other, tmp_path / "file") is other
    theirs = other.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in module.state_dict().items())


def test_others_can_read_the_file(tmp_path):
    module = tabular_network(3, 2)
    save_weights(module, tmp_path / "file")
    loaded = load_file(tmp_path / "file")
    assert loaded.keys() == module.state_dict().keys()


def test_tied_weights(tmp_path):
    first = nn.Linear(4, 4)
    module = nn.Sequential(first, nn.ReLU(), first)
    save_weights(module, tmp_path / "file")
    second = nn.Linear(4, 4)
    again = load_weights(nn.Sequential(second, nn.ReLU(), second), tmp_path / "file")
    assert torch.equal(again[0].weight, first.weight)


@pytest.mark.parametrize("other", [tabular_network(4, 2), tabular_network(3, 2, [5]), lenet5()])
def test_another_architecture_is_refused(other, tmp_path):
    save_weights(tabular_network(3, 2), tmp_path / "file")
    with pytest.raises(ResultsError, match="does not hold the weights"):
        load_weights(other, tmp_path / "file")


def test_damaged_and_missing_files(tmp_path):
    (tmp_path / "file").write_bytes(b"nonsense")
    with pytest.raises(ResultsError, match="file"):
        load_weights(tabular_network(3, 2), tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="missing"):
        load_weights(tabular_network(3, 2), tmp_path / "missing")


def test_weights_of_another_type_are_not_rounded(tmp_path):
    save_weights(tabular_network(3, 2).double(), tmp_path / "file")
    with pytest.raises(ResultsError, match=r"is of torch\.float64 there"):
        load_weights(tabular_network(3, 2), tmp_path / "file")
    load_weights(tabular_network(3, 2).double(), tmp_path / "file")


def test_every_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    """Of the header some bits have no meaning, of the weights each has."""
    torch.manual_seed(0)
    module, path = tabular_network(2, 2, [3]), tmp_path / "file"
    save_weights(module, path)
    whole, right = path.read_bytes(), module.state_dict()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            read = load_weights(tabular_network(2, 2, [3]), path).state_dict()
        except ResultsError:
            continue
        assert position < len(whole) - 17 * 4  # in the header
        assert all(torch.equal(right[name], value) for name, value in read.items())


def test_a_changed_weight_is_refused_only_where_a_checksum_says_so(tmp_path):
    module, path = tabular_network(3, 2), tmp_path / "file"
    save_file(module.state_dict(), path)  # by another program
    assert load_weights(tabular_network(3, 2), path)
    save_weights(module, path)
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ResultsError, match="checksum differs"):
        load_weights(tabular_network(3, 2), path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    module = tabular_network(3, 2)
    save_weights(module, tmp_path / "file")
    before = (tmp_path / "file").read_bytes()

    def fail(*args, **kwargs):
        raise SafetensorError("no space left on device")

    monkeypatch.setattr("robfair.models._weights.save_model", fail)
    with pytest.raises(OSError, match="no space"):
        save_weights(tabular_network(3, 2), tmp_path / "file")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == before
