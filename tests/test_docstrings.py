"""numpydoc validation of every name that robfair and its public modules export."""

import importlib
import inspect
import pkgutil
import re

import pytest
from numpydoc.docscrape import ClassDoc, NumpyDocString
from numpydoc.validate import validate

import robfair
from robfair import (
    AdversarialClassifier,
    EvenMarginClassifier,
    FarmurClassifier,
    NaturalClassifier,
)

# What a reader needs. Off are GL01 to GL03 (layout, which ruff's D rules settle), ES01 (a good
# summary may be enough), SA01 (See Also) and PR06 (a spelling of types).
CHECKS = frozenset(
    [
        *("GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
        *("SS01", "SS02", "SS03", "SS04", "SS05", "SS06"),
        *("PR01", "PR02", "PR03", "PR04", "PR05", "PR07", "PR08", "PR09", "PR10"),
        *("RT01", "RT03", "RT04", "RT05", "YD01"),
    ]
)
# Where a user starts, every function and class also shows an example.
WITH_EXAMPLES = ("robfair", "robfair.metrics", "robfair.datasets")
# In the engine rooms a method may leave its parameters to its signature (many are hooks of skorch
# or torch), but what it does say must be true. Functions and classes themselves are not let off.
ENGINE_ROOMS = (
    *("robfair.adapters", "robfair.attacks", "robfair.training", "robfair.models"),
    *("robfair.distance.tabular", "robfair.distance.trees"),
)
LEFT_TO_THE_SIGNATURE = {"PR01", "RT01", "YD01"}


def public_modules():
    """robfair, and every module below it without a leading underscore in its path."""
    found = pkgutil.walk_packages(robfair.__path__, "robfair.", onerror=lambda name: None)
    names = [module.name for module in found]
    return ["robfair", *(n for n in names if not any(p.startswith("_") for p in n.split(".")))]


def exports():
    """Yield (module, name) for each ``__all__``; name is None where the import itself fails."""
    for module in public_modules():
        try:
            names = getattr(importlib.import_module(module), "__all__", None)
        except Exception:  # reported by test_module_imports_and_lists_its_names
            continue
        yield from ((module, name) for name in names or ())


EXPORTS = sorted(set(exports()))


def methods(cls):
    """Public methods and properties that robfair itself defines, on `cls` or on a base of it."""
    for name in dir(cls):
        if name.startswith("_"):
            continue
        owner = next(base for base in cls.__mro__ if name in vars(base))
        attribute = vars(owner)[name]
        wrapped = isinstance(attribute, (property, classmethod, staticmethod))
        if owner.__module__.startswith("robfair") and (wrapped or inspect.isfunction(attribute)):
            yield name


def problems(name, checks):
    """Return the errors that numpydoc finds in the docstring of the object called `name`."""
    return [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code in checks]


def undocumented_parameters(cls):
    """The parameters of `cls` in neither Parameters nor Attributes, where a result keeps them."""
    doc = ClassDoc(cls, config={"show_class_members": False})
    documented = {
        name.strip().lstrip("*")
        for section in ("Parameters", "Attributes", "Other Parameters")
        for entry in doc[section]
        for name in entry.name.split(",")
    }
    return sorted(set(inspect.signature(cls).parameters) - documented)


@pytest.mark.parametrize("module", public_modules())
def test_module_imports_and_lists_its_names(module):
    imported = importlib.import_module(module)
    assert imported.__doc__, f"{module} has no docstring"
    names = getattr(imported, "__all__", None)
    assert names is not None, f"{module} has no __all__"
    assert len(set(names)) == len(names), f"{module}.__all__ names something twice"
    missing = [name for name in names if not hasattr(imported, name)]
    assert not missing, f"{module}.__all__ names what is not there: {missing}"


@pytest.mark.parametrize(("module", "name"), EXPORTS, ids=[".".join(e) for e in EXPORTS])
def test_docstring(module, name):
    exported = getattr(importlib.import_module(module), name)
    if not (inspect.isroutine(exported) or inspect.isclass(exported)):
        # A constant or a scorer: its type's docstring says nothing about it, so its module must.
        assert (
            name.startswith("__")
            or name in importlib.import_module(module).__doc__
            or (inspect.getdoc(exported) not in (None, inspect.getdoc(type(exported))))
        ), f"{module}.{name} is explained neither by a docstring of its own nor by its module's"
        return
    path = f"{module}.{name}"
    checks = CHECKS | ({"EX01"} if module in WITH_EXAMPLES else set())
    if not inspect.isclass(exported):
        found = problems(path, checks)
    elif issubclass(exported, BaseException):
        found = problems(path, checks - {"PR01", "EX01"})  # its parameters are BaseException's
    else:
        found = problems(path, checks - {"PR01"})
        # The signature of a Protocol is a placeholder of typing's: nobody calls it.
        missing = not getattr(exported, "_is_protocol", False) and undocumented_parameters(exported)
        if missing:
            found.append(f"{path}: {missing} are in neither Parameters nor Attributes")
        in_engine_room = module.startswith(ENGINE_ROOMS)
        for method in methods(exported):
            left_off = LEFT_TO_THE_SIGNATURE if in_engine_room else set()
            found += problems(f"{path}.{method}", CHECKS - left_off)
    assert not found, "\n".join(found)


def test_the_validation_can_fail():
    # From the standard library: documented, but not in numpydoc's form.
    assert any(": PR01 " in problem for problem in problems("inspect.isroutine", CHECKS))


# What a parameter means in every measure and figure; its description begins with these words.
SHARED = {
    "sensitive_features": "Group of each sample, matched by position; several columns are crossed. "
    "Categories that no sample has are left out, with a warning.",
    "distance": "Distance of each sample to the decision boundary",
    "lower": "Certified lower bound of each distance; NaN where none is known, which counts as 0.",
    "tau_max": "Cap on the distances: a larger one counts as `tau_max`.",
    "confidence_level": "Level of a confidence interval for the error of sampling, such as 0.95;",
    "population": "The samples that count",
    "y_true": "True labels",
    "y_pred": "Predicted labels, in the same coding.",
    "confidence": "Level of the intervals",
    "name": "Name of the model, the title of the figure.",
    "ax": "Axes to draw on. None: a new figure",
}
# The same word for another thing: a measure, an array for each model, the end of an axis, a row of
# a table, and a seed of searches too.
OTHERS = {
    ("audit", "name"),
    ("audit", "random_state"),
    ("compare", "random_state"),
    ("find_measure", "name"),
    ("TradeoffDisplay.from_predictions", "y_pred"),
    ("RobustnessCurveDisplay.plot", "tau_max"),
}


def documented_parameters(doc):
    """Yield the name and the description, on one line, of each parameter in a docstring."""
    for parameter in NumpyDocString(inspect.cleandoc(doc))["Parameters"]:
        yield parameter.name, " ".join(" ".join(parameter.desc).split())


def of_another_wording(where, doc):
    """Return the shared parameters that this docstring describes in other words."""
    return [
        f"{where}: {name}: {description}"
        for name, description in documented_parameters(doc)
        if (where, name) not in OTHERS and not description.startswith(SHARED.get(name, description))
    ]


@pytest.mark.parametrize("module", ["robfair.metrics", "robfair.plotting", "robfair.auditing"])
def test_shared_parameters_read_the_same(module):
    found = []
    for name in importlib.import_module(module).__all__:
        exported = getattr(importlib.import_module(module), name)
        found += of_another_wording(name, exported.__doc__)
        for method in methods(exported) if inspect.isclass(exported) else ():
            found += of_another_wording(f"{name}.{method}", getattr(exported, method).__doc__ or "")
    assert not found, "\n".join(found)


# Parameters of a classifier that mean something else, or apply in more cases, in another one.
OWN = {"averaging", "early_stopping", "max_epochs", "threat_model", "validation_fraction"}


def test_shared_parameters_of_classifiers_read_the_same():
    wordings = {}
    for cls in (NaturalClassifier, AdversarialClassifier, EvenMarginClassifier, FarmurClassifier):
        for name, description in documented_parameters(cls.__doc__):
            # Each class counts its references by itself.
            wordings.setdefault(name, set()).add(re.sub(r"\[\d\]_", "[]", description))
    assert {name for name, found in wordings.items() if len(found) > 1} == OWN


def test_another_wording_is_noticed():
    doc = "Do it.\n\nParameters\n----------\ntau_max : float\n    The cap.\n"
    assert of_another_wording("f", doc) == ["f: tau_max: The cap."]
