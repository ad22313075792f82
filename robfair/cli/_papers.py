"""``robfair demo`` and ``robfair reproduce``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from robfair._names import NETWORKS, SCALES
from robfair.cli._errors import BadInput
from robfair.cli._options import positive_int, seed

__all__ = ["add_demo", "add_reproduce"]

# As in robfair.reproduction, which imports torch.
TABLES = ("I", "II", "III", "IV", "V")
FIGURES = (1, 2, 3, 4, 5, 6)


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``robfair demo`` to its parser."""
    parser.description = (
        "Train natural, TRADES, FARMUR and EvenMargin classifiers on UCI Adult, compare them by "
        "race and by sex, and write tables, curves and models. Needs no network."
    )
    parser.epilog = "example: robfair demo --output my-demo --seed 1"
    parser.add_argument(
        "--output", type=Path, default=Path("robfair-demo"), metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--epochs", type=positive_int, default=12, metavar="N",
        help="epochs of each model; FARMUR spends a sixth of them on retraining "
        "(default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="random seed (default: %(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=_demo)


def add_reproduce(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``robfair reproduce`` to its parser."""
    parser.description = "Run a paper's experiments, and put its numbers beside ours."
    papers = parser.add_subparsers(dest="paper", required=True, metavar="PAPER")
    _add_fairness(
        papers.add_parser(
            "adversarial-training-fairness",
            help='"Adversarial Training Negatively Affects Fairness" (Sooksatra, Rivas, 2022)',
            description=(
                "CAU, CRU, LUF and EOU of standard and adversarially trained networks, by the "
                "paper's protocol and by one under which the numbers mean something. Finished "
                "parts are read from the output folder: an interrupted run goes on."
            ),
            epilog="example: robfair reproduce adversarial-training-fairness --table IV --seeds 5",
        )
    )
    _add_farmur(
        papers.add_parser(
            "farmur",
            help='"FARMUR: Fair Adversarial Retraining ..." (Mousavi et al., 2023)',
            description=(
                "Natural training, TRADES and FARMUR with the controls that the paper lacks: "
                "accuracy, Rob(f), V_f, CV, the worst group and the gap, Table 1 beside ours, and "
                "figure 2. Finished parts are read from the output folder, and training goes on "
                "at its last finished epoch: an interrupted run goes on by itself."
            ),
            epilog="example: robfair reproduce farmur --dataset adult --scale full --seeds 5",
        )
    )


def _add_farmur(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``robfair reproduce farmur``."""
    parser.add_argument(
        "--dataset", choices=NETWORKS, default="digits",
        help="what to train on; mnist and cifar10 are downloaded the first time, utkface is "
        "brought along (default: %(default)s)",
    )  # fmt: skip
    networks = "; ".join(f"{dataset}: {', '.join(names)}" for dataset, names in NETWORKS.items())
    parser.add_argument(
        "--model", choices=sorted({name for names in NETWORKS.values() for name in names}),
        help=f"the network (default: the first of the data set). {networks}",
    )  # fmt: skip
    parser.add_argument(
        "--scale", choices=SCALES, default="small",
        help="small: seconds, to see that it works, its numbers mean nothing; reduced: all images "
        "in few epochs, hours on a CPU, for networks whose full scale takes a GPU; wide: "
        "ResNet-18 in its full width, some epochs more, for a GPU; paper: the paper's 120 epochs, "
        "where full has fewer (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="cpu", help="such as cuda, for training and measuring (default: cpu)"
    )
    _add_common(parser, "MNIST, CIFAR-10 and UTKFace are")
    parser.set_defaults(run=_farmur)


def _add_fairness(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``robfair reproduce adversarial-training-fairness``."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--dataset", choices=("adult", "cifar10"), default="adult",
        help="half of the paper to run (default: %(default)s)",
    )  # fmt: skip
    what.add_argument("--table", choices=TABLES, help="run only what this table needs")
    what.add_argument("--figure", type=int, choices=FIGURES, help="run only what this figure needs")
    parser.add_argument(
        "--scale", choices=("small", "full"), default="small",
        help="small: a minute, to see that it works; its numbers mean nothing "
        "(default: %(default)s)",
    )  # fmt: skip
    _add_common(parser, "CIFAR-10 is")
    parser.set_defaults(run=_fairness)


def _add_common(parser: argparse.ArgumentParser, kept: str) -> None:
    """Add the options that both papers have; `kept` says which data are."""
    parser.add_argument(
        "--seeds", type=positive_int, default=1, metavar="N",
        help="number of runs, with seeds 0 to N - 1 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--data-home", type=Path, metavar="DIR",
        help=f"where {kept} kept (default: $ROBFAIR_DATA, or the user's cache folder)",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, default=Path("robfair-reproduction"), metavar="DIR",
        help="folder for the results (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


# Imported where they are run, since torch comes with them: --help and completion can do without.


def _demo(arguments: argparse.Namespace) -> int:
    from robfair.demo import run_demo

    run_demo(
        arguments.output, epochs=arguments.epochs, random_state=arguments.seed,
        verbose=0 if arguments.quiet else 1,
    )  # fmt: skip
    return 0


def _fairness(arguments: argparse.Namespace) -> int:
    only = f"figure{arguments.figure}" if arguments.figure else None
    if arguments.table:  # argparse lets through one of the two
        only = f"table{arguments.table}"
    return _reproduce("FAIRNESS", arguments, only=only)


def _farmur(arguments: argparse.Namespace) -> int:
    return _reproduce("FARMUR", arguments, model=arguments.model, device=arguments.device)


def _reproduce(name: str, arguments: argparse.Namespace, **options: Any) -> int:
    from robfair import reproduction

    paper = getattr(reproduction, name)
    try:  # before anything is loaded: a mistake in the options is told at once
        paper.experiment(arguments.dataset, options.get("model")).recipe(arguments.scale)
    except ValueError as error:
        raise BadInput(str(error)) from error
    report = reproduction.reproduce(
        paper, arguments.output, dataset=arguments.dataset, scale=arguments.scale,
        seeds=range(arguments.seeds), data_home=arguments.data_home,
        verbose=0 if arguments.quiet else 1, **options,
    )  # fmt: skip
    print(report, end="")
    return 0
