"""The version: written in one place, in a form that packaging tools order."""

import re
from importlib.metadata import version

import robfair


def test_the_version_is_that_of_the_installed_package():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|(a|b|rc)\d+)?", robfair.__version__)
    assert version("robfair") == robfair.__version__
