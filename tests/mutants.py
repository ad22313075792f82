"""Mutation testing: change the code, one operator or number at a time, and see a test fail.

`make mutants` runs it. mutmut makes the changes in a copy, mutants/ (settings: [tool.mutmut] in
pyproject.toml). This script collects the tests once and then forks for each change: a child runs
the tests that reach it, quick ones first, until one fails. mutmut itself would start pytest for
every change, which takes ten times as long. What no test has noticed, the survivors, is compared
with mutants.toml, which says of each why it may survive, and is not tried again without --all.
"""

import argparse
import contextlib
import fnmatch
import gc
import importlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
import tomllib
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from mutmut.__main__ import create_mutants
from mutmut.configuration import config
from mutmut.mutation.data import MutantLineSpans, SourceFileMutationData
from mutmut.mutation.diff_apply import generated_function_names
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import (
    copy_also_copy_files,
    copy_src_dir,
    setup_source_paths,
    walk_mutatable_files,
)
from mutmut.utils.format_utils import (
    mangled_name_from_mutant_name,
    orig_function_and_class_names_from_key,
)

ROOT = Path(__file__).resolve().parent.parent
REASONS = ROOT / "tests" / "mutants.toml"
THRESHOLD = 0.92
CONTEXT = 20  # characters around a change, in its description
KILLED = {"killed", "timeout"}
SURVIVED = {"survived", "no tests", "suspicious", "segfault"}
NO_TESTS = 33  # as mutmut has it


class Runner:
    """Pytest plugin that runs the tests once, to see what they reach, and then on each mutant."""

    def __init__(self, files, mutants, workers):
        self.files = files
        self.mutants = mutants
        self.workers = workers
        self.on_mutant = False
        self.failed = False  # a test, on the code as it is
        self.seconds = {}  # of processor time, by test
        self.reach = defaultdict(list)  # tests, by function

    def pytest_sessionstart(self):
        from hypothesis import HealthCheck, Phase, settings  # pytest has to be the first to do so

        # The same few examples in every run; one that fails need not be made small.
        settings.register_profile(
            "mutants", settings.get_profile("dev"), max_examples=10, derandomize=True,
            database=None, phases=(Phase.explicit, Phase.generate),
            suppress_health_check=(HealthCheck.too_slow,),
        )  # fmt: skip
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call):
        if call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception):
            return
        if self.on_mutant:
            os._exit(1)  # before pytest looks for words
        self.failed = True

    def pytest_runtestloop(self, session):
        if session.testsfailed:
            raise session.Interrupted("some tests cannot be collected")
        from robfair import _warnings

        _warnings._PASSED_ON.add("mutmut")  # whose frames stand between robfair and its caller
        self.see_what_tests_reach(session.items)
        if self.failed:
            return False  # pytest has said what
        gc.collect()
        gc.freeze()  # or each child would copy what it looks at
        running = {}
        for done, (data, name) in enumerate(sorted(self.mutants, key=self.cost)):
            items = self.reach[mangled_name_from_mutant_name(name)]
            if not items:
                data.exit_code_by_key[name] = NO_TESTS
                continue
            while len(running) >= self.workers:
                self.wait(running)
            print(f"\r{done} of {len(self.mutants)}", end="", flush=True)
            running[self.start(name, items)] = data, name
        while running:
            self.wait(running)
        for data in self.files:
            data.save()
        return True

    def cost(self, mutant):
        """Return the time that a mutant takes if it survives."""
        return sum(
            self.seconds[item] for item in self.reach[mangled_name_from_mutant_name(mutant[1])]
        )

    def see_what_tests_reach(self, items):
        """Run the tests in a child: threads that they start would not be there after a fork."""
        receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
        child = os.fork()
        if not child:
            sender.send(self.run_all(items))
            sender.close()
            sys.stdout.flush()
            os._exit(0)
        sender.close()
        self.failed, seconds, reach, modules = receiver.recv()
        os.waitpid(child, 0)
        self.seconds = dict(zip(items, seconds, strict=True))
        for function, reached in reach.items():
            self.reach[function] = sorted((items[i] for i in reached), key=self.seconds.get)
        with warnings.catch_warnings(action="ignore"):
            for name in modules:  # once here, and not in each child
                with contextlib.suppress(Exception):
                    importlib.import_module(name)

    def run_all(self, items):
        set_mutant_under_test("stats")
        seconds, reach = [], defaultdict(list)
        for i, (item, after) in enumerate(zip(items, [*items[1:], None], strict=True)):
            start = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            seconds.append(time.process_time() - start)
            for function in state()._stats:
                reach[function].append(i)
            state()._stats.clear()
        return self.failed, seconds, dict(reach), sorted(sys.modules)

    def start(self, name, items):
        """Fork a child that runs the tests on a mutant, and ends with 1 where one has failed."""
        child = os.fork()
        if child:
            return child
        try:
            items[0].config.pluginmanager.unregister(name="terminalreporter")
            # Of processor time, which does not depend on what else the machine does.
            limit = int(10 + 5 * sum(self.seconds[item] for item in items))
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            signal.alarm(100 * limit)  # for what waits and computes nothing
            self.on_mutant = True
            set_mutant_under_test(name)
            for item, after in zip(items, [*items[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        except BaseException:  # of pytest itself: a mutant can break what it needs
            os._exit(1)
        os._exit(0)

    def wait(self, running):
        child, status = os.wait()
        data, name = running.pop(child)
        data.exit_code_by_key[name] = os.waitstatus_to_exitcode(status)
        data.save()


def run(patterns, workers, judged):
    """Make the mutants, and run the tests on those whose names fit a pattern but the judged."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", MPLBACKEND="Agg")
    set_mutant_under_test("mutant_generation")
    Path("mutants").mkdir(exist_ok=True)
    for path in Path("mutants").rglob("*"):
        if path.is_file() and path.stat().st_size == 0:  # by a run that was killed as it wrote
            path.unlink()
            path.with_suffix("").unlink(missing_ok=True)  # the mutants of which these are results
    copy_src_dir()
    copy_also_copy_files()
    setup_source_paths()
    create_mutants(1)
    files = [SourceFileMutationData(path=path) for path in sorted(walk_mutatable_files())]
    for data in files:
        data.load()
        data.meta_path = data.meta_path.resolve()  # the tests run in mutants/
    options = config()
    arguments = [
        "--rootdir=.", "--quiet", "-p", "no:cacheprovider", *options.pytest_add_cli_args,
        *options.pytest_add_cli_args_test_selection,
    ]  # fmt: skip
    mutants = [
        (data, name)
        for data in files
        for name, change in describe(data.path, data.exit_code_by_key).items()
        if status_by_exit_code[data.exit_code_by_key[name]] not in KILLED
        and any(fnmatch.fnmatch(name, pattern) for pattern in patterns or ["*"])
        and change not in judged.get(str(data.path), {})
    ]
    runner = Runner(files, mutants, workers)
    os.chdir("mutants")
    code = pytest.main(arguments, plugins=[runner])
    os.chdir(ROOT)
    return code == pytest.ExitCode.OK and not runner.failed


def common(one, other):
    """Count the characters with which both strings begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def describe(path, names):
    """Name each mutant by its function and its change, which outlive other changes of the file."""
    generated = {name: generated_function_names(name) for name in names}
    functions = sorted({function for pair in generated.values() for function in pair})
    sources = MutantLineSpans.load(path).read_function_sources(functions) if functions else []
    lines = {
        function: [line.strip() for line in source.replace(function, "").splitlines()]
        for function, source in zip(functions, sources, strict=True)
    }
    changes = {}
    for name, pair in generated.items():
        old, new = (lines[function] for function in pair)
        start = common(old, new)
        end = common(old[start:][::-1], new[start:][::-1])
        old, new = (" ".join(x[start : len(x) - end]) for x in (old, new))
        start = common(old, new)
        end = common(old[start:][::-1], new[start:][::-1])
        first, last = max(start - CONTEXT, 0), max(end - CONTEXT, 0)
        before, after = (
            "…" * (first > 0) + x[first : len(x) - last] + "…" * (last > 0) for x in (old, new)
        )
        function, cls = orig_function_and_class_names_from_key(name)
        where = function if cls is None else f"{cls}.{function}"
        change = f"{where}: {before} -> {after}"
        # The same change twice in a function is told apart by its number.
        twice = sum(other.split(" (#")[0] == change for other in changes.values())
        changes[name] = f"{change} (#{twice + 1})" if twice else change
    return changes


def read_results():
    """Return, for each file, the number of mutants by status, and the status of each change."""
    counts, statuses = {}, {}
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        if data.exit_code_by_key:
            changes = describe(path, data.exit_code_by_key)
            status = {changes[k]: status_by_exit_code[c] for k, c in data.exit_code_by_key.items()}
            counts[str(path)], statuses[str(path)] = Counter(status.values()), status
    return counts, statuses


def report(counts, statuses, reasons):
    """Print the counts and what is wrong with them; return whether anything is."""
    print(f"\n{'file':44}{'mutants':>8}{'killed':>8}{'by time':>8}{'alive':>8}{'killed':>9}")
    total = sum(counts.values(), Counter())
    for name, count in [*counts.items(), ("all", total)]:
        n, killed = count.total(), sum(count[status] for status in KILLED)
        print(f"{name:44}{n:8}{killed:8}{count['timeout']:8}{n - killed:8}{killed / n:9.1%}")
    unjudged = [
        (path, change)
        for path, changes in statuses.items()
        for change, status in changes.items()
        if status in SURVIVED and change not in reasons.get(path, {})
    ]
    for path, change in unjudged:
        print(f"survives without a reason: {path}: {change}")
    for path, judged in reasons.items():
        for change in judged:
            if statuses.get(path, {}).get(change, "killed") in KILLED:
                print(f"is killed, or is no more: take it out of {REASONS.name}: {path}: {change}")
    share = sum(total[status] for status in KILLED) / total.total()
    if share < THRESHOLD:
        print(f"{share:.1%} of the mutants are killed, and {THRESHOLD:.0%} are needed.")
    if unjudged:
        print(f"{len(unjudged)} survivors need a test, or a reason in tests/{REASONS.name}.")
    return bool(unjudged) or share < THRESHOLD


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("patterns", nargs="*", help="only mutants of such names, not yet killed")
    parser.add_argument("--workers", type=int, default=2, help="children at a time")
    parser.add_argument("--all", action="store_true", help="also try those that have a reason")
    parser.add_argument("--report", action="store_true", help="judge the last run")
    options = parser.parse_args()
    os.chdir(ROOT)
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    if not options.report:
        if not options.patterns:
            shutil.rmtree("mutants", ignore_errors=True)  # with its results of other tests
        if not run(options.patterns, options.workers, {} if options.all else reasons):
            return 1
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        minutes = sum(usage.ru_utime + usage.ru_stime for usage in used) / 60
        print(f"\n{minutes:.0f} minutes of processor time")
    return int(report(*read_results(), reasons))


if __name__ == "__main__":
    sys.exit(main())
