"""``robfair audit MODEL DATA``: the command, from its arguments to its exit code."""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from robfair._names import ARCHITECTURES, AUDIT_MEASURES, DISTANCE_METHODS
from robfair._text import visible
from robfair._version import __version__
from robfair.cli._errors import BadInput, one_line
from robfair.cli._inputs import check_input
from robfair.cli._options import (
    file_argument,
    names,
    positive_float,
    positive_int,
    seed,
    separator,
    sizes,
)
from robfair.cli._thresholds import parse_threshold
from robfair.cli._warnings import shown_warnings

if TYPE_CHECKING:
    from robfair.auditing import Audit
    from robfair.cli._task import Task

__all__ = ["add_audit"]

EPILOG = """\
examples:
  robfair audit model.skops test.csv --target income --sensitive race
  robfair audit model.skops test.parquet --target income --sensitive race,sex --cross
      --mutable age,hours-per-week --html audit.html
  robfair audit model.skops test.csv --target income --sensitive race --max-rows 1000
      --fail-if 'gap.lower > 0.2' --fail-if 'accuracy < 0.8'
  robfair audit model.ubj test.parquet --target income --sensitive race
  robfair audit weights.safetensors test.csv --target income --sensitive race
      --architecture tabular --classes '<=50K,>50K'

exit code:
  0 done; 1 a --fail-if holds; 2 bad input; 130 interrupted
"""


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``robfair audit`` to its parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.description = (
        "Measure whether a classifier is easier to attack for some groups than for others.\n"
        "The table goes to stdout; progress, warnings and failures go to stderr."
    )
    file_argument(
        parser, "model", metavar="MODEL",
        help="a fitted classifier or Pipeline, saved by skops.io.dump; a model of XGBoost (.json, "
        ".ubj), LightGBM (.txt), CatBoost (.cbm) or ONNX (.onnx); or weights as safetensors, with "
        "--architecture. A pickle is refused, since reading one runs the code in it",
    )  # fmt: skip
    file_argument(
        parser, "data", metavar="DATA",
        help="rows that the model was not trained on: Parquet, or CSV with a header, as it is or "
        "packed by gzip, bzip2, xz or zip",
    )  # fmt: skip
    _add_columns(parser)
    _add_distance(parser)
    _add_model(parser)
    _add_output(parser)
    parser.set_defaults(run=run)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("columns and rows of DATA")
    group.add_argument("--target", required=True, metavar="COLUMN", help="the true labels")
    group.add_argument(
        "--sensitive", required=True, type=names, action="extend", metavar="COLUMNS",
        help="columns that form the groups; one audit for each",
    )  # fmt: skip
    group.add_argument(
        "--cross", action="store_true",
        help="with several --sensitive: audit their combinations, too",
    )  # fmt: skip
    group.add_argument(
        "--control", type=names, action="extend", metavar="COLUMNS",
        help="columns within whose values groups are compared (default: --target)",
    )  # fmt: skip
    group.add_argument(
        "--favorable", metavar="LABEL",
        help="the label of --target that people want: tell how easily it is taken away, and how "
        "far those who were denied it are from it",
    )  # fmt: skip
    group.add_argument(
        "--discover", action="store_true",
        help="look for subgroups that nobody named, too: in all columns but --target, also those "
        "that the model does not take",
    )  # fmt: skip
    group.add_argument(
        "--features", type=names, action="extend", metavar="COLUMNS",
        help="what a model that knows no column names takes, in order (default: all but --target)",
    )  # fmt: skip
    group.add_argument(
        "--max-rows", type=positive_int, metavar="N",
        help="audit a random sample of N rows: for models that only predict a row costs a "
        "thousand predictions",
    )  # fmt: skip
    file_argument(
        group, "--resume", metavar="FILE",
        help="keep the rows of a Parquet file that are finished in FILE, and go on from there if a "
        "run of the same command was interrupted. Such a file, and one of more than 100,000 rows, "
        "is read in blocks of rows",
    )  # fmt: skip
    group.add_argument("--encoding", default="utf-8", help="of a CSV (default: %(default)s)")
    group.add_argument(
        "--sep", type=separator, metavar="MARK",
        help="what separates the columns of a CSV (default: comma, semicolon or tab, whichever "
        "the header has)",
    )  # fmt: skip


def _add_distance(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what an attacker may do, and how distances are measured")
    moves = group.add_mutually_exclusive_group()
    moves.add_argument(
        "--mutable", type=names, action="extend", metavar="COLUMNS",
        help="columns that may change, all others stay (default for a Pipeline that encodes "
        "columns: all but --sensitive). Behind the transformers of a Pipeline distances are in "
        "standard deviations of these columns, categories change as a whole, integers by integers, "
        "all within the range of DATA",
    )  # fmt: skip
    moves.add_argument(
        "--immutable", type=names, action="extend", metavar="COLUMNS",
        help="columns that stay, all others may change",
    )  # fmt: skip
    group.add_argument(
        "--space", choices=("columns", "features"), default="columns",
        help="what is changed where a Pipeline encodes columns: these, or the features that enter "
        "its last step, such as fractions of one-hot columns (default: %(default)s)",
    )  # fmt: skip
    group.add_argument("--norm", choices=("2", "inf"), default="2", help="(default: %(default)s)")
    group.add_argument(
        "--method", choices=DISTANCE_METHODS, default="auto",
        help="how distances are searched (default: %(default)s: what suits the model)",
    )  # fmt: skip
    group.add_argument(
        "--tau-max", type=positive_float, metavar="D",
        help="cap all distances: needed where some rows cannot be flipped",
    )  # fmt: skip
    group.add_argument(
        "--eps", type=sizes, default=(0.1, 0.5, 1.0), metavar="SIZES",
        help="tell which share of each group withstands changes of these sizes "
        "(default: 0.1,0.5,1)",
    )  # fmt: skip
    group.add_argument(
        "--certify", action="store_true", help="bound distances of networks from below, too"
    )
    group.add_argument(
        "--jobs", type=positive_int, metavar="N",
        help="processes that share the search: the same numbers, sooner (default: one)",
    )  # fmt: skip
    group.add_argument(
        "--seed", type=seed, default=0, metavar="N",
        help="of --max-rows and the searches (default: %(default)s)",
    )  # fmt: skip


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reading MODEL")
    group.add_argument(
        "--trust", default=[], action="append", metavar="TYPE",
        help="a type in a skops file that is not known to be safe, as robfair lists them; may be "
        "repeated",
    )  # fmt: skip
    group.add_argument(
        "--architecture", choices=ARCHITECTURES,
        help="the network of robfair.models that the weights are of; sizes are read from them",
    )  # fmt: skip
    group.add_argument(
        "--classes", type=names, metavar="LABELS",
        help="labels of the outputs of a network, or of the classes 0,1,2... of XGBoost and "
        "LightGBM, in order (default: 0,1,2..., and for boosters those of --target, sorted)",
    )  # fmt: skip


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    file_argument(
        group, "--html", metavar="FILE",
        help="write a report; with several audits one each, named FILE-COLUMN.html",
    )  # fmt: skip
    group.add_argument(
        "--fail-if", type=parse_threshold, action="append", default=[], metavar="CONDITION",
        help=f"exit with 1 if a measure ({', '.join(AUDIT_MEASURES)}) of any audit is < <= > or "
        ">= a number, or NaN; .lower or .upper behind its name takes this end of its interval, "
        ".low or .high of its certified bounds, .corrected V_f or CV less noise; standardized. "
        "before it the measure as if every group had the same mix of labels; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--metrics", type=names, action="extend", metavar="NAMES",
        help="functions of fairlearn.metrics or sklearn.metrics to tell by group (default, of two "
        "classes: selection rate, true and false positive rate, calibration)",
    )  # fmt: skip
    group.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    group.add_argument(
        "--no-rows", action="store_true",
        help="leave single rows of DATA, which may be about people, out of report and JSON",
    )  # fmt: skip
    group.add_argument("--quiet", action="store_true", help="no progress")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return 1 if a condition of ``--fail-if`` holds, else 0."""
    _check_conditions(arguments)
    check_input(arguments.model)  # before torch is imported, which takes seconds
    check_input(arguments.data, pipes=True)
    from robfair.auditing import audit
    from robfair.cli._report import check_reports, write_report
    from robfair.cli._task import prepare

    with shown_warnings():
        task = prepare(arguments)
        # Before the audits, which may take hours.
        taken = filter(None, (arguments.model, arguments.data, arguments.resume))
        reports = check_reports(arguments.html, list(task.partitions), inputs=tuple(taken))
        audits = {}
        for title, groups in task.partitions.items():
            with _one_line_errors(task):
                audits[title] = audit(
                    task.model,
                    task.X,
                    task.y,
                    sensitive_features=groups,
                    control_features=task.control,
                    favorable_label=task.favorable,
                    name=f"{arguments.model.name}, groups by {title}",
                    method=arguments.method,
                    threat_model=task.threat_model,
                    tau_max=arguments.tau_max,
                    certify=arguments.certify,
                    eps=arguments.eps,
                    metrics=arguments.metrics,
                    background=task.background,
                    discover=task.columns if arguments.discover else None,
                    random_state=arguments.seed,
                    n_jobs=arguments.jobs,
                    examples=0 if arguments.no_rows else 3,
                    verbose=int(sys.stderr.isatty() and not arguments.quiet),
                )
        for title, path in reports.items():
            write_report(audits[title], path)
            if not arguments.quiet:
                print(f"report: {path}", file=sys.stderr)
    judged = [
        {"groups": title, **threshold.judge(result)}
        for title, result in audits.items()
        for threshold in arguments.fail_if
    ]
    for row in judged:
        if row["crossed"]:
            print(visible(f"robfair: by {row['groups']}, {row['message']}"), file=sys.stderr)
    print(_as_json(task, audits, judged) if arguments.json else _as_text(task, audits))
    return int(any(row["crossed"] for row in judged))


def _check_conditions(arguments: argparse.Namespace) -> None:
    """Raise BadInput if a condition of --fail-if can be judged by no audit with these options."""
    for threshold in arguments.fail_if:
        if threshold.is_certified and not arguments.certify:
            raise BadInput(f"--fail-if '{threshold}' needs certified distances: add --certify.")


@contextmanager
def _one_line_errors(task: Task) -> Iterator[None]:
    """Turn what the library says of bad input into a line, and add what only the table knows."""
    try:
        yield
    except (TypeError, ValueError) as error:
        from robfair.cli._data import bad_number

        word = re.search(r"could not convert string to float: (.*)", str(error.__cause__ or error))
        bad = word and [c for _, c in task.table.items() if c.map(repr).eq(word[1]).any()]
        if bad:
            raise BadInput(bad_number(bad[0])) from error
        if task.missing and "NaN" in str(error):
            columns = ", ".join(f"{name!r} ({n:,} rows)" for name, n in task.missing.items())
            raise BadInput(
                f"there are missing values in {columns}. Impute them in the Pipeline, or leave "
                "these rows out."
            ) from error
        raise BadInput(one_line(error)) from error


def _as_text(task: Task, audits: dict[str, Audit]) -> str:
    parts = [visible(task.source)]
    for result in audits.values():
        parts += [str(result), "\n".join(textwrap.wrap(result.verdict(), 96))]
    return "\n\n".join(parts)


def _as_json(task: Task, audits: dict[str, Audit], judged: list[dict[str, Any]]) -> str:
    document = {
        "robfair": __version__,
        "data": task.source,
        "audits": {title: json.loads(str(result.to_json())) for title, result in audits.items()},
        "fail_if": judged,
    }
    return json.dumps(document, indent=2, allow_nan=False)  # NaN is not JSON: audits write null
