"""The parser of all commands, their exit codes and their one-line errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from robfair._text import visible
from robfair._version import __version__
from robfair.cli._audit import add_audit
from robfair.cli._errors import BadInput, one_line
from robfair.cli._history import add_history
from robfair.cli._papers import add_demo, add_reproduce
from robfair.exceptions import ResultsError

__all__ = ["build_parser", "main"]

INTERRUPTED = 130  # 128 + SIGINT, as shells count
READER_GONE = 141  # 128 + SIGPIPE


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and exit with 2."""
        self.exit(2, f"{self.prog}: {message}. For help: {self.prog} --help\n")


class Completion(argparse.Action):
    """``--print-completion SHELL``."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        """Print the script and exit."""
        try:
            import shtab
        except ImportError:
            parser.exit(2, 'robfair: completion needs shtab: pip install "robfair[cli]"\n')
        print(shtab.complete(parser, rest[1]))
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = Parser(
        prog="robfair",
        description="Is a classifier easier to attack for some groups than for others?",
        epilog="robfair COMMAND --help shows the options of a command, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"robfair {__version__}")
    parser.add_argument(
        "--print-completion", action=Completion, choices=("bash", "zsh", "tcsh"), metavar="SHELL",
        help="print the script that completes commands and options in bash, zsh or tcsh: "
        'eval "$(robfair --print-completion bash)"',
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_audit(commands.add_parser("audit", help="audit a model from a file on a table"))
    add_history(
        commands.add_parser("history", help="put audits that were written as JSON into one table")
    )
    add_demo(commands.add_parser("demo", help="train and audit classifiers on UCI Adult"))
    add_reproduce(
        commands.add_parser(
            "reproduce", help="run a paper's experiments, and put its numbers beside ours"
        )
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        0; 1 if a condition of ``robfair audit --fail-if`` holds; 2 if the input was bad.
    """
    try:
        try:
            arguments = build_parser().parse_args(argv)
            code: int = arguments.run(arguments)
        finally:
            sys.stdout.flush()  # here, where a reader that is gone is handled
    except KeyboardInterrupt:
        print("robfair: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return READER_GONE
    except (BadInput, OSError, ImportError, ResultsError) as error:
        _drop_output()
        # BadInput may list types on lines of their own.
        text = str(error) if isinstance(error, BadInput) else one_line(error)
        print(visible(f"robfair: {text}", keep="\n"), file=sys.stderr)
        return 2
    except MemoryError:
        print("robfair: there is not enough memory", file=sys.stderr)
        return 2
    return code


def _drop_output() -> None:
    """Discard output that could not be written, or Python would fail on it again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes stdout once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
