"""What all tests share: hypothesis without deadlines, figures without a screen, a shell."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Two workers on two cores make any single example slow at times: a deadline would be a coin toss.
settings.register_profile("dev", deadline=None, max_examples=25)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.register_profile("fast", settings.get_profile("dev"), max_examples=5)  # make test-fast
settings.load_profile("ci" if os.environ.get("CI") else "dev")

os.environ.setdefault("MPLBACKEND", "Agg")

collect_ignore = ["mutants.py"]  # a script, which needs mutmut

# By folder, the fixtures that take long: whole runs of the papers and the demo, a browser. A test
# that waits for one is slow.
SLOW_FIXTURES = {"reproduction": {"adult", "digits"}, "demo": {"demo"}, "auditing": {"browser"}}

FAST_CASES = 2  # that make test-fast runs of a parametrised test: first and last


@pytest.hookimpl(tryfirst=True)  # before pytest selects by -m
def pytest_collection_modifyitems(config, items):
    tests = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(tests):
            folder = item.path.relative_to(tests).parts[0]
            if SLOW_FIXTURES.get(folder, set()) & set(getattr(item, "fixturenames", ())):
                item.add_marker(pytest.mark.slow)
    if config.getoption("--hypothesis-profile") == "fast":
        left_out = thin_out(items)
        config.hook.pytest_deselected(items=left_out)


def thin_out(items):
    """Take cases out of the list where a test has many; return those that were taken."""
    cases = {}
    for item in items:
        if item.get_closest_marker("slow") is None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = set()
    for each in cases.values():
        step = max((len(each) - 1) / (FAST_CASES - 1), 1)
        kept = {round(k * step) for k in range(FAST_CASES)}
        left_out.update(item for place, item in enumerate(each) if place not in kept)
    items[:] = [item for item in items if item not in left_out]
    return list(left_out)


@pytest.fixture(scope="session")
def people():
    from people import make_people

    return make_people()


@pytest.fixture(scope="session")
def files(tmp_path_factory, people):
    """Return the folder with the table and its classifiers."""
    from people import write_files

    folder = tmp_path_factory.mktemp("files")
    write_files(people, folder)
    return folder


@pytest.fixture
def shell_audit(files, monkeypatch, capsys):
    """Run ``robfair audit`` in the folder of the files; return exit code, stdout and stderr."""
    from robfair.cli import main

    monkeypatch.chdir(files)

    def audit(model="logistic.skops", data="people.csv", *options, target="income", by="race"):
        words = ["audit", str(model), str(data), "--target", target, "--sensitive", by, *options]
        try:
            code = main(words)
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return audit
