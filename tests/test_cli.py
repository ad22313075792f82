"""The command line: arguments, exit codes, one line per error."""

import subprocess
import sys

import pytest

import robfair
from robfair import cli


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"robfair {robfair.__version__}\n"


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["demo", "--epochs", "0"], ["demo", "--epochs", "many"]]
)
def test_bad_arguments_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage" in captured.err
    assert "Traceback" not in captured.err


def test_demo_gets_the_arguments(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(cli, "run_demo", lambda output, **rest: seen.update(rest, output=output))
    out = tmp_path / "out"
    code = cli.main(["demo", "--output", str(out), "--epochs", "3", "--seed", "7", "--quiet"])
    assert code == 0
    assert seen == {"output": out, "epochs": 3, "random_state": 7, "verbose": 0}


def test_an_output_that_is_a_file_is_one_line(tmp_path, capsys):
    taken = tmp_path / "taken"
    taken.write_text("")
    assert cli.main(["demo", "--output", str(taken), "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("robfair: ")
    assert captured.err.count("\n") == 1


def test_python_m_robfair():
    done = subprocess.run(
        [sys.executable, "-m", "robfair", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("robfair ")
