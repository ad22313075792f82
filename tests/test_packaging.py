"""The package as a whole: names, typing marker, tests of the same name, sizes, sentences."""

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import robfair

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "robfair"
MODULES = sorted(PACKAGE.rglob("*.py"))

NAMES = {
    "robfair": (
        "NaturalClassifier AdversarialClassifier EvenMarginClassifier FarmurClassifier "
        "boundary_distance BoundaryDistance ThreatModel audit compare discover_groups get_scorer "
        "get_scorer_names"
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


def relative(path):
    return path.relative_to(ROOT).as_posix()


def definitions(path, kinds):
    return [
        n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, kinds)
    ]


@pytest.mark.parametrize(("module", "names"), NAMES.items(), ids=NAMES)
def test_fixed_names_are_public(module, names):
    imported = importlib.import_module(module)
    missing = [n for n in names.split() if not hasattr(imported, n) or n not in imported.__all__]
    assert not missing, f"{module} lacks, or does not list in __all__: {missing}"


def test_py_typed_is_shipped():
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.slow
def test_type_checkers_find_an_editable_install(tmp_path):
    pytest.importorskip("setuptools.build_meta")
    shutil.copytree(PACKAGE, tmp_path / "robfair", ignore=shutil.ignore_patterns("data", "*.pyc"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    code = f"from setuptools import build_meta; print(build_meta.build_editable({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    wheel = zipfile.ZipFile(tmp_path / done.stdout.splitlines()[-1])
    pth = [name for name in wheel.namelist() if name.endswith(".pth")]
    # A folder, which mypy looks into; what begins with "import" is code, which it does not run.
    assert [wheel.read(name).decode().strip() for name in pth] == [str(tmp_path)]


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", text, re.MULTILINE)[1] == robfair.__version__


@pytest.mark.slow
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


def test_each_module_has_a_test_of_its_name():
    inner = [p for p in MODULES if p.name.startswith("_") and p.name != "__init__.py"]
    tests = [ROOT / "tests" / relative_test(p.relative_to(PACKAGE)) for p in inner]
    assert [test.relative_to(ROOT).as_posix() for test in tests if not test.is_file()] == []


def relative_test(module):
    return module.with_name(f"test_{module.stem.strip('_')}.py")


def test_no_file_is_over_400_lines():
    files = [*MODULES, *(ROOT / "tests").rglob("*.py")]
    lengths = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in files}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_function_is_over_60_lines():
    # Its docstring is not counted: that may be as long as a reader needs.
    too_long = set()
    for path in MODULES:
        for node in definitions(path, ast.FunctionDef):
            first, has_docstring = node.body[0], ast.get_docstring(node) is not None
            docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
            if node.end_lineno - node.lineno + 1 - docstring > 60:
                too_long.add(f"{path.name}:{node.name}")
    assert not too_long


def test_docstrings_begin_with_a_verb_or_a_subject():
    bad = {}
    for path in MODULES:
        for node in definitions(path, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            docstring = ast.get_docstring(node) or ""
            if re.match(r"(What|How|Where|Which|Whether|Who|Why)\b", docstring):
                bad.setdefault(relative(path), []).append(docstring.splitlines()[0])
    assert not bad


def test_nothing_is_said_to_be_no_thing():
    # "is not a column", not "is no column"; "there is no file" and "is no longer" are English.
    accent = re.compile(
        r"(?<!there )\b(?:is|are|was|were) no\b(?! (?:\w*er|more|less)\b)", re.IGNORECASE
    )
    bad = {}
    for path in MODULES:
        for line in path.read_text(encoding="utf-8").splitlines():
            if accent.search(line):
                bad.setdefault(relative(path), []).append(line.strip())
    assert not bad


def test_every_constraint_is_one_pinned_version():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    for line in pins:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line
