"""The runs that several files of tests look at: each paper once, at the small scale."""

import pytest

from robfair.reproduction import FAIRNESS, FARMUR, reproduce


@pytest.fixture(scope="session")
def adult(tmp_path_factory):
    """Return folder and report of paper B on Adult."""
    output = tmp_path_factory.mktemp("adult")
    return output, reproduce(FAIRNESS, output, verbose=0)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Return folder and report of paper A on digits."""
    output = tmp_path_factory.mktemp("digits")
    return output, reproduce(FARMUR, output, verbose=0)


@pytest.fixture(scope="session")
def small():
    """Return the recipe of `digits`."""
    return FARMUR.experiment("digits").recipe("small")


@pytest.fixture(scope="session")
def data(small):
    """Return the data of `digits`."""
    return FARMUR.experiment("digits").load(small, None)
