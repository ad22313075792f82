"""The command line: ``robfair demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from robfair._version import __version__
from robfair.experiments import run_demo

__all__ = ["main"]


def positive_int(text: str) -> int:
    """Parse a number that is at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="robfair",
        description="Is a classifier easier to attack for some groups than for others?",
    )
    parser.add_argument("--version", action="version", version=f"robfair {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="train and audit classifiers on UCI Adult",
        description=(
            "Train natural, TRADES and FARMUR classifiers on UCI Adult, compare their robustness "
            "by race and by sex, and write tables, curves and models. Needs no network."
        ),
        epilog="example: robfair demo --output my-demo --seed 1",
    )
    demo.add_argument(
        "--output", type=Path, default=Path("robfair-demo"), metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--epochs", type=positive_int, default=12, metavar="N",
        help="epochs of each model; FARMUR spends a sixth of them on retraining "
        "(default: %(default)s)",
    )  # fmt: skip
    demo.add_argument(
        "--seed", type=int, default=0, metavar="N", help="random seed (default: %(default)s)"
    )
    demo.add_argument("--quiet", action="store_true", help="no progress bars")
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
        0, or 2 if the input was bad.
    """
    arguments = build_parser().parse_args(argv)
    try:
        run_demo(
            arguments.output,
            epochs=arguments.epochs,
            random_state=arguments.seed,
            verbose=0 if arguments.quiet else 1,
        )
    except (OSError, ImportError) as error:
        print(f"robfair: {error}", file=sys.stderr)
        return 2
    return 0
