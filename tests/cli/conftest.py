"""Audits from the shell that must be refused, and changed tables for them."""

import pytest

from robfair.cli import _formats


@pytest.fixture
def refused(shell_audit):
    """Run an audit that must be refused, and return its line."""

    def audit(*words, **options):
        code, out, err = shell_audit(*words, **options)
        assert (code, out) == (2, "")
        assert err.startswith("robfair")
        assert err.count("\n") == 1
        return err

    return audit


@pytest.fixture
def read_here(monkeypatch):
    """Read files of other libraries in this process: another one imports for two seconds."""
    monkeypatch.setattr(_formats, "_try_elsewhere", lambda form, data: None)


@pytest.fixture
def written(people, tmp_path):
    """Write the table of people with some columns replaced."""

    def write(**columns):
        people.assign(**columns).to_csv(tmp_path / "changed.csv", index=False)
        return tmp_path / "changed.csv"

    return write
