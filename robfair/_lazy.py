"""Names that are imported when they are first used, so that ``robfair --help`` needs no torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, homes: dict[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package (PEP 562).

    `homes` maps each public name to its module. The first function imports a name, or a public
    module of the package, and keeps it; the second lists what users may import: names, public
    modules, and what a module has by itself, such as ``__doc__``.
    """

    def get(name: str) -> Any:
        if name in homes:
            value = getattr(importlib.import_module(homes[name]), name)
        elif not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
            return importlib.import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)  # Python asks `get` no second time
        return value

    def names() -> list[str]:
        module = sys.modules[package]
        inside = {each.name for each in iter_modules(getattr(module, "__path__", ()))}
        own = {name for name in vars(module) if name.startswith("__")}
        return sorted({*homes, *own, *(name for name in inside if not name.startswith("_"))})

    return get, names
