"""The content of a function: its code and all that it names, as far as somebody may edit it."""

from __future__ import annotations

import dis
import functools
import pickle
import site
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["function_parts", "is_installed"]

# Globals and attributes by which code may do something else with each call, whatever it says.
VARYING_GLOBALS = {
    "__import__", "eval", "exec", "globals", "http", "httpx", "input", "open", "requests", "socket",
    "subprocess", "urllib",
}  # fmt: skip
VARYING_ATTRIBUTES = {
    "environ", "getenv", "import_module", "load", "loadtxt", "read_bytes", "read_csv", "read_text",
    "urlopen",
}  # fmt: skip
_Names = tuple[frozenset[str], frozenset[str]]


@functools.cache
def _roots() -> tuple[Path, ...]:
    paths = [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parent)]
    return tuple(Path(path).resolve() for path in paths)


@functools.lru_cache(maxsize=4096)
def _in_roots(file: str) -> bool:
    path = Path(file).resolve()
    return any(path.is_relative_to(root) for root in _roots())


def is_installed(name: Any) -> types.ModuleType | None:
    """Return the module of a name if it is installed, or part of Python or robfair.

    Nobody edits these while a program runs.
    """
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or name in ("__main__", "__mp_main__"):  # its file may be pytest's
        return None
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return module if _in_roots(file) else None
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return module if origin in ("built-in", "frozen") else None


def function_parts(function: types.FunctionType, *, may_vary: bool) -> Iterator[Any]:
    """Yield all on which the result of a function depends.

    Raises pickle.PicklingError if it may be another one with each call, unless it `may_vary`.
    """
    code, scope = function.__code__, function.__globals__
    yield "function"
    if is_installed(scope.get("__name__")):
        yield from (scope["__name__"], function.__qualname__, code.co_firstlineno)
    else:
        yield from (_code_parts(code, function.__doc__), vars(function))
        loaded, others = _names(code)
        if not may_vary:
            _check_constant(function, loaded, others)
        yield _named(scope, loaded, others)
    # A decorator of a library holds the function that it decorates.
    cells = [cell for cell in function.__closure__ or () if not _is_empty(cell)]
    yield from (function.__defaults__, function.__kwdefaults__, cells)


def _is_empty(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False


def _code_parts(code: types.CodeType, doc: str | None = None) -> tuple[Any, ...]:
    """Return what a code object does, without its place, its file and its docstring."""
    constants = code.co_consts
    if doc is not None and constants and constants[0] == doc:
        constants = constants[1:]
    return (
        code.co_name,
        code.co_code,
        [_code_parts(each) if isinstance(each, types.CodeType) else each for each in constants],
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        getattr(code, "co_exceptiontable", b""),
    )


def _names(code: types.CodeType) -> _Names:
    """Return the globals and modules that code loads, and its other names, such as attributes."""
    loaded: set[str] = set()
    others = set(code.co_names)
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "IMPORT_NAME"):
            loaded.add(step.argval)
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            inner = _names(each)
            loaded |= inner[0]
            others |= inner[1]
    return frozenset(loaded), frozenset(others - loaded)


def _check_constant(
    function: types.FunctionType, loaded: frozenset[str], others: frozenset[str]
) -> None:
    own = {name for name, value in function.__globals__.items() if _is_own(value)}
    roots = {name.partition(".")[0] for name in loaded - own}
    varying = (roots & VARYING_GLOBALS) | ((loaded | others) & VARYING_ATTRIBUTES)
    if varying:
        raise pickle.PicklingError(
            f"{function.__qualname__} may be another function with each call: it uses "
            f"{', '.join(sorted(varying))}"
        )


def _is_own(value: Any) -> bool:
    return isinstance(value, types.FunctionType) and not is_installed(
        value.__globals__.get("__name__")
    )


def _named(
    scope: dict[str, Any], loaded: frozenset[str], others: frozenset[str]
) -> list[tuple[str, Any]]:
    """Return the globals that code loads, and the modules that it imports by itself."""
    package = scope.get("__package__") or ""
    values = []
    for name in sorted(loaded):
        if name in scope:
            values.append((name, _value(scope[name], others)))
            continue
        for module in (name, f"{package}.{name}"):
            if module in sys.modules:
                values.append((name, _value(sys.modules[module], others)))
    return values


def _value(value: Any, others: frozenset[str]) -> Any:
    """Return a global; of a module that may be edited, what code may take from it."""
    if not isinstance(value, types.ModuleType) or is_installed(value.__name__):
        return value
    taken = sorted(others & vars(value).keys())
    return [(name, _value(vars(value)[name], others - {name})) for name in taken]
