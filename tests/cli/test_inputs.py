"""What cannot be read as a file is refused before any work."""

import os


def test_an_address_is_no_file(refused):
    assert "download it first" in refused("logistic.skops", "https://example.org/test.csv")


def test_devices_are_not_read(refused):
    assert "is a device" in refused("logistic.skops", "/dev/zero")
    assert "is a device" in refused("/dev/zero", "people.csv")


def test_a_pipe_is_no_model(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is a device or a pipe" in refused(tmp_path / "pipe", "people.csv")
