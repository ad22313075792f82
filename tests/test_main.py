"""``python -m robfair``: the exit code of the command line, also of Ctrl-C."""

import signal

import pytest

from robfair import __main__, cli


@pytest.fixture
def signals_as_before():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize("code", [0, 2])
def test_the_exit_code_is_that_of_the_command(code, monkeypatch):
    monkeypatch.setattr(cli, "main", lambda: code)
    with pytest.raises(SystemExit) as stop:
        __main__.run()
    assert stop.value.code == code


def test_ctrl_c_is_told_in_a_line(signals_as_before, monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    with pytest.raises(SystemExit) as stop:
        __main__.run()
    assert stop.value.code == 130
    assert capsys.readouterr().err == "robfair: interrupted\n"
