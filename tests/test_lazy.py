"""Names that are imported when they are first used."""

import subprocess
import sys
from types import ModuleType

import pytest

import robfair
from robfair._lazy import lazy_names


@pytest.fixture
def package(monkeypatch):
    """A module with one late name, the constant pi."""
    module = ModuleType("late")
    monkeypatch.setitem(sys.modules, "late", module)
    module.__getattr__, module.__dir__ = lazy_names("late", {"pi": "math"})
    return module


def test_a_name_is_imported_once_and_kept(package):
    assert "pi" not in vars(package)
    assert package.pi == pytest.approx(3.14159265)
    assert "pi" in vars(package)


def test_names_are_listed_before_they_are_imported(package):
    assert "pi" in dir(package)
    assert dir(package) == sorted(dir(package))


def test_only_what_a_user_may_import_is_listed():
    listed = {name for name in dir(robfair) if not name.startswith("__")}
    assert set(robfair.__all__) - {"__version__"} <= listed
    assert {"metrics", "plotting", "exceptions"} <= listed  # also before they are imported
    assert not {name for name in listed if name.startswith("_")}
    assert not {"TYPE_CHECKING", "lazy_names"} & listed
    for name in listed:
        getattr(robfair, name)


def test_private_names_are_not_searched_for(package):
    with pytest.raises(AttributeError, match="'late' has no attribute '_pi'"):
        _ = package._pi


def test_the_public_modules_of_a_package_are_found():
    code = "import robfair; assert robfair.metrics.__name__ == 'robfair.metrics'"
    subprocess.run([sys.executable, "-c", code], check=True)
