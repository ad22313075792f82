"""The package as a whole: names, typing marker, imports in one direction, sizes of files."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import robfair

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "robfair"
MODULES = sorted(PACKAGE.rglob("*.py"))

NAMES = {
    "robfair": (
        "NaturalClassifier AdversarialClassifier FarmurClassifier boundary_distance "
        "BoundaryDistance ThreatModel audit compare get_scorer get_scorer_names"
    ),
    "robfair.metrics": (
        "robustness_curve group_robustness robustness_score classifier_robustness "
        "robustness_variance robustness_dispersion worst_group_robustness robustness_gap "
        "class_accuracy_unfairness class_robustness_unfairness leave_one_out_unfairness "
        "equalized_odds_unfairness"
    ),
    "robfair.scorers": (
        "rob_scorer neg_v_f_scorer neg_cau_scorer neg_cru_eps_scorer neg_cru_s_scorer "
        "neg_eou_scorer make_robustness_scorer"
    ),
    "robfair.attacks": "attack robust_accuracy attack_success least_eps",
    "robfair.leave_one_out": "leave_one_out",
    "robfair.datasets": "load_adult make_group_margins fetch_mnist fetch_cifar10",
}

# The rooms of DESIGN.md from the top down. A room may import from its own row and from any row
# below it, and everybody may import leaves. A new room must be put in a row here.
ROWS = (
    ("cli",),
    ("reproduction", "demo"),
    ("auditing",),
    ("plotting", "estimators"),
    ("scorers", "training", "leave_one_out"),
    ("_cache",),
    ("attacks",),
    ("distance",),
    ("_problem", "certify"),
    ("adapters", "threat"),
)
# Leaves import nothing of robfair but exceptions and private helpers (robfair/_x.py).
LEAVES = ("metrics", "datasets", "models", "exceptions")
METRICS_MAY_IMPORT = {"numpy", "scipy", "pandas"}


def row_of(room):
    """The height of a room: 0 at the top, len(ROWS) for a leaf, -1 for the package's own face."""
    if room == "":
        return -1
    rows = [i for i, row in enumerate(ROWS) if room in row]
    if not rows and (room in LEAVES or room.startswith("_")):
        return len(ROWS)
    assert rows, f"robfair/{room} is in no row of tests/test_packaging.py: say where it belongs"
    return rows[0]


def room_of(path):
    """robfair/metrics/_curve.py -> "metrics", robfair/threat.py -> "threat", the face -> ""."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


def imported_modules(source, package):
    """Yield the absolute name of every import in `source`, lazy and typing-only ones included.

    ``from robfair import x`` gives ``robfair.x``, and so does ``from . import x``.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            if base == "robfair":
                yield from (f"robfair.{alias.name}" for alias in node.names)
            else:
                yield base


def violations(source, room, package):
    """Return every import in `source`, a module of `room`, that DESIGN.md does not allow."""
    bad = []
    for name in imported_modules(source, package):
        top, _, rest = name.partition(".")
        if top != "robfair":
            if room == "metrics" and top not in METRICS_MAY_IMPORT | sys.stdlib_module_names:
                bad.append(f"{name}: metrics imports only {', '.join(sorted(METRICS_MAY_IMPORT))}")
            continue
        target = rest.partition(".")[0]
        is_room = (PACKAGE / target).is_dir() or (PACKAGE / f"{target}.py").is_file()
        if not target or not is_room:
            # `import robfair`, or `from robfair import audit`: a name of the package's face.
            if room not in ("", *ROWS[0]):
                bad.append(f"{name}: import it from its own room, not from the top")
        elif target == room or room == "":
            continue
        elif row_of(room) == len(ROWS) and target != "exceptions" and not target.startswith("_"):
            bad.append(f"{name}: {room} is a leaf")
        elif row_of(target) < row_of(room):
            bad.append(f"{name}: {target} is above {room}")
    return bad


def dotted(path):
    """robfair/metrics/_curve.py -> the package it lives in, "robfair.metrics"."""
    return ".".join(path.relative_to(ROOT).parent.parts)


@pytest.mark.parametrize(("module", "names"), NAMES.items(), ids=NAMES)
def test_fixed_names_are_public(module, names):
    imported = importlib.import_module(module)
    missing = [n for n in names.split() if not hasattr(imported, n) or n not in imported.__all__]
    assert not missing, f"{module} lacks, or does not list in __all__: {missing}"


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|(a|b|rc)\d+)?", robfair.__version__)


def test_py_typed_is_shipped():
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    bad = violations(path.read_text(encoding="utf-8"), room_of(path), dotted(path))
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize(
    ("room", "source", "n_bad"),
    [
        ("metrics", "import torch", 1),
        ("metrics", "from sklearn.utils import check_array", 1),
        ("metrics", "import math, numpy as np\nfrom robfair.exceptions import X", 0),
        ("metrics", "from robfair.threat import ThreatModel", 1),
        ("training", "def f():\n    from robfair.estimators import X", 1),
        ("training", "from ..estimators import X", 1),
        ("training", "from robfair import estimators", 1),
        ("training", "from robfair.attacks import pgd\nfrom robfair.metrics import x", 0),
        ("distance", "from robfair.scorers import x", 1),
        ("attacks", "from robfair.distance import x\nfrom robfair.threat import y", 0),
        ("threat", "from robfair.distance import x", 1),
        ("datasets", "from robfair.metrics import x", 1),
        ("_helper", "from robfair.threat import x", 1),
        ("auditing", "from robfair import audit", 1),
        ("auditing", "from robfair.cli import main", 1),
        ("cli", "from robfair import audit\nfrom robfair.reproduction import x", 0),
    ],
)
def test_the_import_check_itself(monkeypatch, tmp_path, room, source, n_bad):
    # On a package that has every room, whatever this checkout has by now.
    for name in (*LEAVES, *(name for row in ROWS for name in row)):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    assert len(violations(source, room, f"robfair.{room}")) == n_bad


def test_importing_the_package_does_not_import_matplotlib():
    # Nor does any module of it, or a server without matplotlib could not use the library.
    code = f"""
import importlib, sys
for name in {[n for p in MODULES if not (n := _module_name(p)).endswith("__main__")]}:
    importlib.import_module(name)
    assert "matplotlib" not in sys.modules, f"{{name}} imports matplotlib"
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def _module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_init_files_hold_names_not_code():
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    for path in PACKAGE.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node in body:
            # The package's face names its names twice: for type checkers, and to import them late.
            late = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for part in [*node.body, *node.orelse] if late else [node]:
                assert isinstance(part, allowed), f"{path.relative_to(ROOT)}:{part.lineno} is code"


def test_the_face_imports_each_name_from_its_home():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    face = next(node for node in tree.body if isinstance(node, ast.If))
    seen_by_type_checkers = {alias.name: node.module for node in face.body for alias in node.names}
    homes = ast.literal_eval(face.orelse[0].value.args[1])
    assert homes == seen_by_type_checkers
    assert set(robfair.__all__) == {*homes, "__version__"}
    assert set(robfair.__all__) <= set(dir(robfair))
    for name, home in homes.items():
        assert getattr(robfair, name) is getattr(importlib.import_module(home), name)
    assert robfair.metrics is importlib.import_module("robfair.metrics")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = robfair.nothing
    with pytest.raises(ImportError):
        from robfair import nothing  # noqa: F401


@pytest.mark.parametrize("arguments", [["--help"], ["audit", "--help"], ["--version"]])
def test_help_does_not_import_torch(arguments):
    # It takes seconds, and whoever asks for help or presses the tabulator does not wait for it.
    code = f"""
import sys
from robfair.cli import main
try:
    main({arguments})
except SystemExit:
    pass
heavy = {{"torch", "sklearn", "pandas", "numpy"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_file_is_over_600_lines():
    files = [*MODULES, *(ROOT / "tests").rglob("*.py")]
    too_long = {
        str(path.relative_to(ROOT)): n
        for path in files
        if (n := len(path.read_text(encoding="utf-8").splitlines())) > 600
    }
    assert not too_long


def test_every_constraint_is_one_pinned_version():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    for line in pins:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line
