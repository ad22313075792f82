"""The parts of a function that tell whether somebody has edited it."""

import pickle

import numpy as np
import pytest

from robfair._code import function_parts, is_installed


def made(source, **scope):
    """Return the function `f` that a notebook cell defines."""
    exec(source, scope | {"__name__": "__main__"}, cell := dict(scope, __name__="__main__"))
    return cell["f"]


def parts(source, **scope):
    return repr(list(function_parts(made(source, **scope), may_vary=False)))


@pytest.mark.parametrize(
    "edited",
    [
        "def f(x): return x + 2",
        "def f(x): return x - 1",
        "def f(x, y=1): return x + y",
        "f = lambda x: abs(x) + 1",
    ],
)
def test_edits_change_the_parts(edited):
    assert parts(edited) != parts("def f(x): return x + 1")


def test_place_and_docstring_do_not():
    first = 'def f(x):\n    "Add one."\n    return x + 1'
    assert parts(first) == parts("\n\n" + first.replace("one", "1 to a number"))


@pytest.mark.parametrize("source", ["def f(x): return eval(x)", "def f(x): return open(x)"])
def test_what_may_vary_is_refused(source):
    with pytest.raises(pickle.PicklingError, match="another function with each call"):
        parts(source)


def test_is_installed():
    assert is_installed("numpy") is np
    assert is_installed("__main__") is None
    assert is_installed(__name__) is None
