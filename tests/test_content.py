"""Content of objects: another one if code or values differ, and else the same, in any process."""

import importlib
import os
import pickle
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from robfair._content import content_hash

# Cells of a notebook, which define `it`; EDIT stands for what is edited.
CELLS = {
    "method": "class A:\n  def f(self): return EDIT\nit = A()",
    "class itself": "class it:\n  def f(self): return EDIT",
    "class attribute": "class A:\n  a = EDIT\nit = A()",
    "base class": "class A:\n  def f(self): return EDIT\nclass B(A): pass\nit = B()",
    "metaclass": "class M(type):\n  def f(cls): return EDIT\nclass A(metaclass=M): pass\nit = A()",
    "super": "class A:\n  def f(self): super(); return EDIT\nit = A()",
    "property": "class A:\n  @property\n  def f(self): return EDIT\nit = A()",
    "static": "class A:\n  @staticmethod\n  def f(): return EDIT\nit = A()",
    "class method": "class A:\n  @classmethod\n  def f(cls): return EDIT\nit = A()",
    "cached property": "import functools\nclass A:\n  @functools.cached_property\n"
    "  def f(self): return EDIT\nit = A()",
    "bound method": "class A:\n  def f(self): return EDIT\nit = A().f",
    "method of an instance": "class A: pass\nit = A()\nit.f = lambda: EDIT",
    "nested class": "class A:\n  class B:\n    a = EDIT\nit = A()",
    "slots": "class A:\n  __slots__ = ('a',)\nit = A()\nit.a = EDIT",
    "hidden state": "class A:\n  def __getstate__(self): return {}\nit = A()\nit.a = EDIT",
    "hidden reduction": "class A:\n  def __reduce__(self): return A, ()\nit = A()\nit.a = EDIT",
    "list": "class A(list): pass\nit = A([EDIT])",
    "dict": "class A(dict): pass\nit = A(a=EDIT)",
    "array": "import numpy as np\nclass A(np.ndarray): pass\nit = np.arange(EDIT).view(A)",
    "dataclass": "import dataclasses\n@dataclasses.dataclass\nclass A:\n  a: int = EDIT\nit = A",
    "enumeration": "import enum\nclass A(enum.Enum):\n  a = EDIT\nit = A.a",
    "lambda": "it = lambda: EDIT",
    "default": "def it(a=EDIT): return a",
    "keyword default": "def it(*, a=EDIT): return a",
    "closure": "def make(n):\n  def f(): return n\n  return f\nit = make(EDIT)",
    "code of a closure": "def make():\n  def f(): return EDIT\n  return f\nit = make()",
    "attribute of a function": "def it(): return it.a\nit.a = EDIT",
    "decorated": "import functools\ndef d(f):\n  @functools.wraps(f)\n  def g(): return f()\n"
    "  return g\n@d\ndef it(): return EDIT",
    "decorator": "import functools\ndef d(f):\n  @functools.wraps(f)\n  def g(): return EDIT\n"
    "  return g\n@d\ndef it(): return 0",
    "decorated by a library": "import torch\n@torch.no_grad()\ndef it(): return EDIT",
    "memory": "import functools\n@functools.lru_cache\ndef it(): return EDIT",
    "partial": "import functools\ndef f(a): return a\nit = functools.partial(f, EDIT)",
    "code of a partial": "import functools\ndef f(a): return EDIT\nit = functools.partial(f, 1)",
    "vectorized": "import numpy as np\nit = np.vectorize(lambda a: EDIT)",
    "global": "n = EDIT\ndef it(): return n",
    "global array": "import numpy as np\nn = np.full(3, EDIT)\ndef it(): return n",
    "global of a nested function": "n = EDIT\ndef it(): return [n for _ in range(3)]",
    "function that is called": "def f(): return EDIT\ndef it(): return f()",
    "recursion": "def it(n): return it(n - 1) if n else EDIT",
    "global object": "class A: pass\nn = A()\nn.a = EDIT\ndef it(): return n.a",
    "set": "def it(a): return a in {'x', 'y', 'EDIT'}",
    "global set": "n = {'x', 'y', 'EDIT'}\ndef it(a): return a in n",
    "set of functions": "it = {lambda: EDIT}",
    "condition": "def it(a): return a if a > EDIT else None",
    "except": "def it(a):\n  try: return a\n  except ValueError: return EDIT",
    "network": "from torch import nn\nclass A(nn.Module):\n  def forward(self, x): return EDIT\n"
    "it = A()",
    "attribute of a network": "from torch import nn\nit = nn.Linear(1, 1)\nit.weight.data[:] = 1\n"
    "it.bias.data[:] = 1\nit.a = EDIT",
    "hook": "from torch import nn\nit = nn.ReLU()\n"
    "it.register_forward_hook(lambda module, x, out: EDIT * out)",
    "forward of an instance": "from torch import nn\nit = nn.ReLU()\nit.forward = lambda x: EDIT",
    "estimator": "from sklearn.base import ClassifierMixin, BaseEstimator\n"
    "class A(ClassifierMixin, BaseEstimator):\n  def predict(self, X): return EDIT\nit = A()",
    "step of a pipeline": "from sklearn.preprocessing import FunctionTransformer\n"
    "from sklearn.pipeline import make_pipeline\n"
    "it = make_pipeline(FunctionTransformer(lambda X: EDIT * X))",
}


def run(cell, edit):
    scope = {"__name__": "__main__"}
    exec(compile(cell.replace("EDIT", str(edit)), f"<cell {id(scope)}>", "exec"), scope)
    return scope["it"]


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_an_edited_cell_is_another_one(cell):
    first = content_hash(run(cell, 2), may_vary=False)
    assert content_hash(run("# a comment\n\n" + cell, 2), may_vary=False) == first
    assert content_hash(run(cell, 3), may_vary=False) != first


def test_a_docstring_is_no_code():
    cell = "def it():\n  'EDIT'\n  return 1"
    assert content_hash(run(cell, "one")) == content_hash(run(cell, "two"))


@pytest.mark.slow
def test_another_process_says_the_same():
    """Although strings have other hashes there, and sets another order."""
    done = subprocess.run(
        [sys.executable, "-c", "import test_content; print(test_content.all_hashes())"],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == all_hashes().split()


def all_hashes():
    return " ".join(content_hash(run(cell, 2)) for cell in CELLS.values())


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """A module that somebody works on; returns a function that writes and reloads it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text):
        (tmp_path / "edited_helper.py").write_text(text)
        importlib.invalidate_caches()
        if "edited_helper" in sys.modules:
            importlib.reload(sys.modules["edited_helper"])
        return importlib.import_module("edited_helper")

    yield write
    sys.modules.pop("edited_helper", None)


@pytest.mark.parametrize(
    "cell",
    [
        "import edited_helper\ndef it(X): return edited_helper.rule(X)",
        "import edited_helper as e\nit = lambda X: e.Rule().value",
        "from edited_helper import rule as it",
        "from edited_helper import Rule\nit = Rule()",
        "def it(X):\n  import edited_helper\n  return edited_helper.rule(X)",
        "def it(X):\n  from edited_helper import rule\n  return rule(X)",
        "import edited_helper\ndef it(X): return edited_helper.VALUE",
    ],
)
def test_a_module_that_was_reloaded(helper, cell):
    text = "VALUE = 2\ndef rule(X): return X > VALUE\nclass Rule:\n  value = VALUE\n"
    helper(text)
    first = content_hash(run(cell, ""))
    helper(text)
    assert content_hash(run(cell, "")) == first
    helper(text.replace("2", "3.5"))
    assert content_hash(run(cell, "")) != first


@pytest.mark.parametrize(
    "cell",
    [
        "def it(): return open('file').read()",
        "import os\ndef it(): return os.environ['CUT']",
        "def it(X): return eval('X > cut')",
        "import requests\ndef it(X): return requests.post('url', X)",
        "from urllib.request import urlopen\ndef it(X): return urlopen('url', X)",
        "import joblib\ndef it(X): return joblib.load('file').predict(X)",
        "def f(): return open('file')\nclass A:\n  def predict(self, X): return f()\nit = A()",
    ],
)
def test_code_that_may_vary_is_refused(cell, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", types.ModuleType("requests"))
    it = run(cell, "")
    with pytest.raises(pickle.PicklingError, match="may be another function with each call"):
        content_hash(it, may_vary=False)
    assert content_hash(it) == content_hash(it)


def test_names_that_only_look_alike_are_no_reason():
    cell = "def open(x): return x\nclass A:\n  def predict(self, X): return open(self.net.eval())"
    assert content_hash(run(cell + "\nit = A()", ""), may_vary=False)


@pytest.mark.parametrize("value", [LogisticRegression, nn.Linear, np.mean, torch.relu, len, dict])
def test_what_is_installed_is_known_by_its_name(value):
    assert content_hash(value) == content_hash(value)


def test_a_patch_of_an_installed_class_is_seen(monkeypatch):
    clf = LogisticRegression()
    before = content_hash(clf)
    monkeypatch.setattr(LogisticRegression, "decision_function", lambda self, X: X)
    assert content_hash(clf) != before


@pytest.mark.parametrize("value", [(n for n in ()), threading.Lock()])
def test_what_cannot_be_known_is_an_error(value):
    with pytest.raises(TypeError, match="cannot pickle"):
        content_hash(value)


def test_tensors_by_values():
    one = torch.arange(4.0)
    assert content_hash(one) == content_hash(one.clone())
    others = [one + 1, one.double(), one.reshape(2, 2), nn.Parameter(one), one.numpy()]
    assert len({content_hash(each) for each in (one, *others)}) == 6
