"""The API pages: one per package and one per name, written from each package's ``__all__``.

A name that two packages export, such as `audit`, has one page, under the first of them. Packages
inside a package, such as ``robfair.distance.gradient``, serve that package and have no page.
"""

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

PACKAGES = (
    "robfair",
    "robfair.metrics",
    "robfair.distance",
    "robfair.threat",
    "robfair.attacks",
    "robfair.auditing",
    "robfair.plotting",
    "robfair.scorers",
    "robfair.estimators",
    "robfair.training",
    "robfair.leave_one_out",
    "robfair.models",
    "robfair.datasets",
    "robfair.exceptions",
    "robfair.adapters",
    "robfair.certify",
    "robfair.demo",
    "robfair.reproduction",
)


def write_api_pages(folder: Path) -> list[str]:
    """Write all pages, and return the full names that have one or stand on their package's."""
    pages = folder / "generated"
    pages.mkdir(parents=True, exist_ok=True)
    home: dict[int, str] = {}  # where an object has its page
    written = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        names, values = [], []
        for name in sorted(module.__all__, key=str.lower):
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isroutine(thing)):
                values.append((name, thing))
                continue
            full = home.setdefault(id(thing), f"{package}.{name}")
            names.append(full)
            if full == f"{package}.{name}":
                written[pages / f"{full}.rst"] = page_of(full, thing)
        written[folder / f"{package}.rst"] = page_of_package(package, names, values)
    for path in {*folder.glob("robfair*.rst"), *pages.glob("*.rst")} - set(written):
        path.unlink()  # of a name that is gone
    for path, text in written.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # else Sphinx reads it
            path.write_text(text, encoding="utf-8")
    return [f"{p}.{name}" for p in PACKAGES for name in importlib.import_module(p).__all__]


def write_help(path: Path) -> None:
    """Write what ``robfair audit --help`` prints."""
    command = [sys.executable, "-m", "robfair", "audit", "--help"]
    environment = {**os.environ, "COLUMNS": "88", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    path.write_bytes(done.stdout)


def page_of_package(package: str, names: list[str], values: list[tuple[str, object]]) -> str:
    """Return the package's docstring, a table of its names, and its constants."""
    lines = [package, "=" * len(package), "", f".. automodule:: {package}", ""]
    if names:
        own = [full for full in names if full.rpartition(".")[0] == package]
        # Sphinx wants names of the page's own module without the module.
        rows = [full.removeprefix(f"{package}.") if full in own else f"~{full}" for full in names]
        lines += [".. autosummary::", "   :nosignatures:", "", *(f"   {row}" for row in rows)]
        lines += ["", ".. toctree::", "   :hidden:", "", *(f"   generated/{full}" for full in own)]
    for name, value in values:
        lines += ["", f".. py:data:: {package}.{name}", f"   :value: {value!r}"]
    return "\n".join([*lines, ""])


def page_of(full: str, thing: object) -> str:
    """Return the page of a function or class."""
    package, _, name = full.rpartition(".")
    kind = "function"
    if inspect.isclass(thing):
        kind = "exception" if issubclass(thing, BaseException) else "class"
    lines = [name, "=" * len(name), "", f".. currentmodule:: {package}", ""]
    lines += [f".. auto{kind}:: {name}"]
    if members := own_members(thing):
        lines += [f"   :members: {', '.join(members)}"]
    lines += ["", f".. minigallery:: {full}", "   :add-heading: Examples with figures", ""]
    return "\n".join(lines)


def own_members(thing: object) -> list[str]:
    """Return public methods and properties that robfair defines, on the class or a base of it."""
    if not inspect.isclass(thing):
        return []
    found = []
    for name in dir(thing):
        owner = next(base for base in thing.__mro__ if name in vars(base))
        value = vars(owner)[name]
        wrapped = isinstance(value, property | classmethod | staticmethod)
        if (
            not name.startswith("_")
            and owner.__module__.startswith("robfair")
            and (wrapped or inspect.isfunction(value))
        ):
            found.append(name)
    return found
