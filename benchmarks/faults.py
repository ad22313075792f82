"""Faults at random moments: kills, Ctrl-C, flipped bits, errors inside the model, threads.

None may be silent: a run that was disturbed ends as one that was not, or says so, and the user's
model is left as found. Kills and Ctrl-C happen to forks of this process, which has all libraries
loaded, so that hundreds take minutes. Exits with 1 if one was silent.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import machine, table
from fault_tasks import (
    MEASURES,
    RUNS,
    THREADS,
    digest,
    fit,
    left_as_found,
    network,
    refits,
    together,
)
from torch import nn

from robfair.exceptions import ResultsError

COUNTS = {
    "kills": 200,
    "Ctrl-C": 50,
    "flipped bits": 100,
    "model's errors": 100,
    "threads": 40,
}
LONG = ("reproduce",)
PARTS = ("ends", "flips", "errors", "threads")
FLIPPED_REFITS = 0.3  # of the flipped bits; the others are in checkpoints of `fit`
LIMIT = 120  # seconds for one fork, after which it hangs


class Fork:
    """A task in a child process, whose outcome comes back as a line in a file."""

    def __init__(self, task: Callable[[], Any], folder: Path) -> None:
        self.outcome = folder / "outcome.txt"
        self.outcome.unlink(missing_ok=True)
        sys.stdout.flush()
        # Ctrl-C waits until the child is ready for it: one that got out would run what is below,
        # and take itself for the parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._child(task, folder)
            finally:
                os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def _child(self, task: Callable[[], Any], folder: Path) -> None:
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            text = f"done {task()}"
        except KeyboardInterrupt:
            text = "interrupted"
        except BaseException:
            text = f"failed {traceback.format_exc()}"
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.outcome.write_text(text)

    def wait(self, seconds: float = LIMIT) -> str:
        """Return the outcome: done, interrupted, failed, killed or hangs."""
        end = time.monotonic() + seconds
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return "hangs"
            time.sleep(0.002)
        return self.outcome.read_text() if self.outcome.exists() else "killed"


class Faults:
    """Runs the faults and counts their outcomes."""

    def __init__(self, seed: int, share: float, folder: Path) -> None:
        self.random = random.Random(seed)
        self.counts = {name: max(2, round(n * share)) for name, n in COUNTS.items()}
        self.folder = folder
        self.outcomes: dict[str, Counter[str]] = {name: Counter() for name in COUNTS}
        self.silent: list[str] = []

    def count(self, fault: str, outcome: str, right: bool, where: str) -> None:
        """Count an outcome; print it if it is not right."""
        self.outcomes[fault][outcome] += 1
        if not right:
            self.silent.append(f"{fault}: {where}: {outcome}")
            print(f"SILENT {self.silent[-1]}", flush=True)

    def fresh(self) -> Path:
        """Return an empty folder."""
        shutil.rmtree(self.folder)
        (self.folder / "files").mkdir(parents=True)
        return self.folder / "files"

    def ends(self) -> None:
        """Kill or interrupt each run, and go on with it until it has its result."""
        for name, run in RUNS.items():
            run(self.fresh())  # what is imported late would take most of the time of each fork
            expected, seconds = self._undisturbed(run)
            if not expected.startswith("done"):
                raise RuntimeError(f"{name} fails undisturbed: {expected}")
            print(f"{name}: {seconds:.2f} s undisturbed", flush=True)
            for fault in ("kills", "Ctrl-C"):
                for _ in range(self._number(fault, name)):
                    self._end(fault, name, run, expected, self.random.uniform(0, seconds))

    def _number(self, fault: str, name: str) -> int:
        """Return how many faults a run gets: those that take long, a few."""
        n = self.counts[fault]
        few = {each: max(1, n // 25) for each in LONG}
        return few.get(name) or -(-(n - sum(few.values())) // (len(RUNS) - len(few)))

    def _undisturbed(self, run: Callable[[Path], str]) -> tuple[str, float]:
        files = self.fresh()
        begin = time.monotonic()
        return Fork(partial(run, files), self.folder).wait(), time.monotonic() - begin

    def _end(
        self, fault: str, name: str, run: Callable[[Path], str], expected: str, after: float
    ) -> None:
        ended = expected  # until the fault comes before the end
        while ended == expected:
            files = self.fresh()
            fork = Fork(partial(run, files), self.folder)
            time.sleep(after)
            os.kill(fork.pid, signal.SIGKILL if fault == "kills" else signal.SIGINT)
            ended = fork.wait()
            after *= 0.7
        where = f"{name} after {after / 0.7:.2f} s"
        right = ended == ("killed" if fault == "kills" else "interrupted")
        self.count(fault, ended.split()[0], right, f"{where}: {ended}")
        again = Fork(partial(run, files), self.folder).wait()
        litter = [path.name for path in files.rglob(".*")]
        if again != expected or litter:
            self.count(fault, "goes on wrongly", False, f"{where}, {litter or again}")

    def flips(self) -> None:
        """Flip a bit of a checkpoint: refused by `fit`, and refitted by `leave_one_out`."""
        n = self.counts["flipped bits"]
        n_refits = round(n * FLIPPED_REFITS)
        files = self.fresh()
        expected = fit("everything", files / "run"), refits(files / "refits")
        for i in range(n):
            folder = i < n_refits
            path = (
                self.random.choice(sorted((files / "refits").iterdir()))
                if folder
                else files / "run"
            )
            content = path.read_bytes()
            bit = self.random.randrange(8 * len(content))
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            outcome = _refitted(path.parent, expected[1]) if folder else _refused(path)
            right = outcome in ("refused", "refitted with a warning")
            self.count("flipped bits", outcome, right, f"bit {bit} of {path.name}")
            path.write_bytes(content)

    def errors(self) -> None:
        """Raise an error in a pass of the user's model, forwards or backwards."""
        kinds = (ValueError, RuntimeError, ZeroDivisionError, IndexError, KeyboardInterrupt)
        passes = {}
        for name, measure in MEASURES.items():
            counting = Failing(None, 0)
            measure(counting)
            passes[name] = counting.passes.number
        for _ in range(self.counts["model's errors"]):
            name, kind = self.random.choice(list(MEASURES)), self.random.choice(kinds)
            at = self.random.randint(1, passes[name])
            where = f"{kind.__name__} in pass {at} of {passes[name]}, {name}"
            outcome = _failed(name, Failing(kind, at, backward=self.random.random() < 0.5))
            if outcome == "without an error":  # that pass was not followed by one backwards
                outcome = _failed(name, Failing(kind, at))
            self.count("model's errors", outcome, outcome == "raised", where)

    def threads(self) -> None:
        """Do two or three works at once, on one module in training mode."""
        module = network()
        expected = {name: digest(work(module)) for name, work in THREADS.items()}
        for _ in range(self.counts["threads"]):
            check = left_as_found(module)
            names = [self.random.choice(list(THREADS)) for _ in range(self.random.choice((2, 3)))]
            results = together([THREADS[name] for name in names], module)
            right = results == [expected[name] for name in names]
            outcome = "as alone" if right else f"differs: {results}"
            try:
                check()
            except AssertionError as error:
                outcome, right = str(error), False
            self.count("threads", outcome, right, " | ".join(names))


class Failing(nn.Sequential):
    """The network, with an error in one of its passes."""

    def __init__(self, kind: Any, at: int, *, backward: bool = False) -> None:
        super().__init__(*network())
        self.kind, self.at, self.backward = kind, at, backward
        self.passes = Passes()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits, unless it is time."""
        self.passes.number += 1
        out: torch.Tensor = super().forward(x)
        if self.passes.number == self.at and self.kind is not None:
            if out.requires_grad and self.backward:
                out.register_hook(self._fail)
            else:
                self._fail(out)
        return out

    def _fail(self, gradient: torch.Tensor) -> None:
        self.passes.failed = True
        raise self.kind("of the model")


class Passes:
    """The passes of a module and of its copies: a fit trains a copy."""

    number = 0
    failed = False

    def __deepcopy__(self, memo: Any) -> Passes:
        return self


def _failed(name: str, module: Failing) -> str:
    check = left_as_found(module)
    try:
        MEASURES[name](module)
        outcome = "swallowed" if module.passes.failed else "without an error"
    except BaseException as error:
        right = _comes_from(error, module.kind)
        outcome = "raised" if right else f"turned into {type(error).__name__}: {error}"
    try:
        check()
    except AssertionError as error:
        return str(error)
    return outcome


def _comes_from(error: BaseException | None, kind: Any) -> bool:
    while error is not None:
        if isinstance(error, kind) and "of the model" in str(error):
            return True
        # A KeyboardInterrupt is raised anew, without its text.
        if kind is KeyboardInterrupt and isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _refused(path: Path) -> str:
    try:
        fit("everything", path)
    except ResultsError as error:
        return "refused" if "is damaged, or not a checkpoint" in str(error) else str(error)
    return "accepted"


def _refitted(folder: Path, expected: str) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = refits(folder)
    if result != expected:
        return "another result"
    noticed = any("a refit is done again" in str(each.message) for each in caught)
    return "refitted with a warning" if noticed else "refitted without a word"


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--quick", action="store_true", help="a tenth of the faults")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--json", type=Path, help="write the numbers to a file")
    args = parser.parse_args()
    torch.set_num_threads(1)  # a fork of a process with threads may hang
    warnings.simplefilter("ignore")
    print(f"## Faults\n\n{machine()}, seed {args.seed}\n", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(args.seed, 0.1 if args.quick else 1.0, Path(folder) / "scratch")
        faults.folder.mkdir()
        for part in [args.only] if args.only else PARTS:
            getattr(faults, part)()
            print(f"{part}: {time.monotonic() - begin:.0f} s", flush=True)
    rows = [
        {
            "fault": name,
            "number": sum(outcomes.values()),
            "outcomes": ", ".join(f"{n} {what}" for what, n in outcomes.items()),
        }
        for name, outcomes in faults.outcomes.items()
    ]
    print(table(rows))
    print(f"\n{len(faults.silent)} silent, in {time.monotonic() - begin:.0f} s, seed {args.seed}")
    if args.json:
        result = {"seed": args.seed, "silent": faults.silent, "outcomes": faults.outcomes}
        args.json.write_text(json.dumps({"machine": machine(), **result}, indent=1) + "\n")
    return int(bool(faults.silent))


if __name__ == "__main__":
    sys.exit(main())
