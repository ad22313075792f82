"""The command line as a whole: commands, exit codes, pipes, interruptions, completion."""

import os
import signal
import subprocess
import sys
import termios
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import robfair
from robfair import cli

ROOT = Path(robfair.__file__).resolve().parent.parent


def shell(*words, **options):
    """Start ``python -m robfair`` as a process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "robfair", *map(str, words)],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
        env=environment,
    )


def printed(words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_version(capsys):
    assert printed(["--version"], capsys) == f"robfair {robfair.__version__}\n"


def test_help_names_the_commands_and_shows_examples(capsys):
    text = printed(["--help"], capsys)
    for command in ("audit", "demo", "reproduce"):
        assert command in text
        assert "robfair " + command in printed([command, "--help"], capsys)
    assert "--fail-if 'gap.lower > 0.2'" in printed(["audit", "--help"], capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["demo", "--epochs", "0"],
        ["demo", "--epochs", "many"],
        ["audit", "model"],
        ["reproduce", "farmur", "--dataset", "none"],
    ],
)
def test_bad_arguments_are_one_line_and_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("robfair")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "tcsh"])
def test_completion(shell_name, capsys):
    script = printed(["--print-completion", shell_name], capsys)
    for word in ("audit", "reproduce", "sensitive", "fail-if"):
        assert word in script


def test_bash_completes_options_and_files(tmp_path, capsys):
    script = tmp_path / "completion.bash"
    script.write_text(printed(["--print-completion", "bash"], capsys))
    (tmp_path / "model.skops").touch()
    for line, expected in (
        ("robfair audit --sens", "--sensitive"),
        ("robfair audit mo", "model.skops"),
    ):
        words = " ".join(f'"{word}"' for word in line.split())
        code = (
            f"source {script}; cd {tmp_path}; COMP_WORDS=({words}); COMP_CWORD=2; "
            '_shtab_robfair; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout.split() == [expected], done.stderr


def test_python_m_robfair(tmp_path):
    done = shell("--version")
    assert done.communicate()[0].startswith("robfair ")
    failed = shell("audit", tmp_path / "none", tmp_path, "--target", "y", "--sensitive", "g")
    assert failed.communicate() == (
        "",
        f"robfair: {tmp_path / 'none'}: No such file or directory\n",
    )
    assert failed.returncode == 2


def test_control_c(monkeypatch, capsys):
    def interrupted(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("robfair.demo.run_demo", interrupted)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr() == ("", "robfair: interrupted\n")


@pytest.mark.parametrize(
    ("interrupt", "err"),
    [
        # In code that is made from a string, and handled by main, and while modules are imported.
        ("cli.main = in_a_string", ""),
        ("cli.main = lambda: os.kill(os.getpid(), 2)", "robfair: interrupted\n"),
        ("sys.modules['robfair.cli'] = Interrupted()", "robfair: interrupted\n"),
    ],
)
def test_control_c_has_one_exit_code(interrupt, err):
    code = f"""
import os, sys
import robfair.__main__ as command
import robfair.cli as cli
def in_a_string():
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 130
class Interrupted:
    def __getattr__(self, name):
        raise KeyboardInterrupt
{interrupt}
command.run()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, err)


def test_the_command_is_the_module():
    with open(ROOT / "pyproject.toml", "rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert scripts == {"robfair": "robfair.__main__:run"}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["demo", "audit"])
def test_control_c_of_a_process(command, files, people, tmp_path):
    out, rows = tmp_path / "out", tmp_path / "rows.csv"
    terminal, stderr = os.openpty()  # into a pipe no bar is drawn
    termios.tcsetwinsize(stderr, (24, 80))  # nor into no columns
    if command == "demo":
        process = shell("demo", "--output", out, text=False, stderr=stderr)
        moment = b"NaturalClassifier"
    else:
        out.mkdir()
        pd.concat([people] * 40).to_csv(rows, index=False)
        columns = ["--target", "income", "--sensitive", "race", "--method", "decision"]
        options = [*columns, "--html", out / "report.html"]
        process = shell("audit", files / "plain.skops", rows, *options, text=False, stderr=stderr)
        moment = b"distance"
    os.close(stderr)
    said = b""
    while moment not in said:  # the progress bar of the work
        said += os.read(terminal, 1)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate()
    said += os.read(terminal, 10**6)
    os.close(terminal)
    assert (process.returncode, printed) == (130, b"")
    assert b"Traceback" not in said
    assert said.endswith(b"\nrobfair: interrupted\r\n")  # after the bar, on a line of its own
    assert not list(out.iterdir())


def test_a_reader_that_is_gone(shell_audit, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert shell_audit("plain.skops", "people.csv", "--quiet") == (141, "", "")


def test_a_reader_of_the_help_that_is_gone():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = shell("audit", "--help", stdout=writer)
    finally:
        os.close(writer)
    assert done.communicate()[1] == ""


def test_output_to_a_full_disk(shell_audit, monkeypatch):
    with open("/dev/full", "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        code, _, err = shell_audit("plain.skops", "people.csv", "--quiet")
    assert (code, err) == (2, "robfair: No space left on device\n")
