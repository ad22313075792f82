"""Faces of nobody, and fetch_utkface with a cache of its own."""

import pytest

from faces import PEOPLE, SIZE, name_of, random_jpeg
from robfair.datasets import fetch_utkface


@pytest.fixture
def files():
    """The content of each file, by name."""
    return {name_of(labels, i): random_jpeg(i) for i, labels in enumerate(PEOPLE)}


@pytest.fixture
def fetch(tmp_path):
    """fetch_utkface with a cache of its own, and a folder for files beside it."""

    def call(**kwargs):
        return fetch_utkface(**{"data_home": call.home, "image_size": SIZE, **kwargs})

    call.home, call.folder = tmp_path / "home", tmp_path / "faces"
    call.folder.mkdir()
    return call
