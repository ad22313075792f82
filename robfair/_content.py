"""A hash of what an object is: arrays by values, classes and functions by code, not by name.

joblib's hash and pickle name classes and functions only. A cell of a notebook that is edited and
run again gives other code the same name, as does a module that is reloaded.
"""

from __future__ import annotations

import functools
import pickle
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from joblib.hashing import NumpyHasher
from torch import nn

from robfair._code import function_parts, is_installed

__all__ = ["content_hash", "is_installed_class"]

MANY = 20_000  # functions, classes and instances, as of a whole library that somebody works on
PLAIN = (type(None), bool, int, float, complex, str, bytes)
HEAP_TYPE = 1 << 9  # of the flags of a class: it is not built into the interpreter
# What a class has beside what was written into it.
ASIDE = {
    "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__",
    "__annotations_cache__", "__dict__", "__doc__", "__firstlineno__", "__module__",
    "__orig_bases__", "__parameters__", "__qualname__", "__static_attributes__", "__weakref__",
    "_abc_impl",
}  # fmt: skip
# Wrappers that pickle knows by their name, or not at all, with what is in them.
WRAPPERS: dict[type, Callable[[Any], Any]] = {
    types.MethodType: lambda method: (method.__func__, method.__self__),
    types.MappingProxyType: dict,
    types.CellType: lambda cell: cell.cell_contents,
    property: lambda each: (each.fget, each.fset, each.fdel),
    staticmethod: lambda each: each.__func__,
    classmethod: lambda each: each.__func__,
    functools.cached_property: lambda each: each.func,
    type(functools.cache(len)): lambda each: each.__wrapped__,
}


def content_hash(value: Any, *, may_vary: bool = True) -> str:
    """Return a hash that is equal for equal content, also in another process.

    Code that was installed is known by its name, other code by what it does: bytecode, constants,
    defaults, closures, attributes, base classes, and the globals that it names. With
    ``may_vary=False``, code that may do something else with each call (it reads files, or asks
    other computers) is refused.

    Raises an exception, such as pickle.PicklingError, if the content cannot be known.
    """
    return str(_ContentHasher(may_vary).hash(value))


def is_installed_class(cls: type) -> bool:
    """Tell whether a class is found under its name in a module that is installed."""
    if not cls.__flags__ & HEAP_TYPE:
        return True
    module: Any = is_installed(cls.__module__)
    for name in cls.__qualname__.split(".") if module else ():
        module = getattr(module, name, None)
    return module is cls


class _ContentHasher(NumpyHasher):
    """joblib's hash, with other content for what pickle knows by name."""

    def __init__(self, may_vary: bool) -> None:
        super().__init__(hash_name="md5")
        self.may_vary = may_vary
        # Place by id, with the object, since a new one might get the id of one that is gone.
        self.seen: dict[int, tuple[int, Any]] = {}
        self.installed: dict[type, bool] = {}

    def save(self, obj: Any) -> None:
        """Hash `obj`."""
        kind = type(obj)
        if kind in PLAIN:
            super().save(obj)
        elif isinstance(obj, torch.Tensor):
            values = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            super().save((kind, str(obj.dtype), tuple(obj.shape), values))
        elif kind in (set, frozenset):  # in an order that does not change with the process
            members = sorted(content_hash(each, may_vary=self.may_vary) for each in obj)
            super().save((kind.__name__, members))
        elif kind in WRAPPERS:
            super().save((kind.__name__, WRAPPERS[kind](obj)))
        elif kind is types.ModuleType and is_installed(obj.__name__):
            super().save(("module", obj.__name__))
        elif kind is types.FunctionType:
            self._save_once(obj, function_parts(obj, may_vary=self.may_vary))
        elif isinstance(obj, type):
            self._save_once(obj, _class_parts(obj))
        elif isinstance(obj, nn.Module) or not self._is_installed(kind):
            self._save_once(obj, _instance_parts(obj))
        else:
            super().save(obj)

    def _save_once(self, obj: Any, parts: Iterator[Any]) -> None:
        """Hash the parts of `obj`, or its place where they were hashed before."""
        if id(obj) in self.seen:
            super().save(("seen", self.seen[id(obj)][0]))
            return
        if len(self.seen) >= MANY:
            raise pickle.PicklingError(f"there is more behind it than {MANY} functions and classes")
        self.seen[id(obj)] = len(self.seen), obj
        super().save(tuple(parts))

    def _is_installed(self, kind: type) -> bool:
        if kind not in self.installed:
            self.installed[kind] = is_installed_class(kind)
        return self.installed[kind]


def _class_parts(cls: type) -> Iterator[Any]:
    if not cls.__flags__ & HEAP_TYPE:
        yield from ("class", cls.__module__, cls.__qualname__)
        return
    yield from ("class", cls.__qualname__, type(cls), cls.__bases__)
    if is_installed_class(cls):
        yield cls.__module__
        yield {name: value for name, value in vars(cls).items() if _is_patch(value)}
    else:
        yield {name: value for name, value in vars(cls).items() if _is_written(name, value)}


def _is_written(name: str, value: Any) -> bool:
    made = (types.GetSetDescriptorType, types.MemberDescriptorType)  # of __slots__
    return name not in ASIDE and not isinstance(value, made)


def _is_patch(value: Any) -> bool:
    """Tell whether somebody has put a function of their own into an installed class."""
    value = getattr(value, "__func__", getattr(value, "fget", value))
    return type(value) is types.FunctionType and not is_installed(value.__globals__.get("__name__"))


def _instance_parts(obj: Any) -> Iterator[Any]:
    """Yield class and attributes: `__getstate__` and `__reduce__` may leave some out."""
    yield from ("instance", type(obj))
    attributes = getattr(obj, "__dict__", {})
    state = dict(attributes)
    if isinstance(obj, nn.Module):  # keys of hooks are numbered through the process
        hooks = [name for name in state if name.endswith("_hooks")]
        state |= {name: list(dict(state[name] or {}).values()) for name in hooks}
    yield state
    for base in type(obj).__mro__:
        yield from ((name, getattr(obj, name)) for name in _slots(base) if hasattr(obj, name))
    # Content beside the attributes: items of a list, an array's values. Raises if it cannot be had.
    for part in obj.__reduce_ex__(2):
        if not _is_same(part, attributes):
            yield list(part) if isinstance(part, Iterator) else part


def _is_same(part: Any, attributes: Any) -> bool:
    return (
        isinstance(part, dict)
        and part.keys() == attributes.keys()
        and all(part[name] is attributes[name] for name in part)
    )


def _slots(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
