"""The real data sets, where ROBFAIR_DATA names a folder that holds them."""

import os
from pathlib import Path

import pytest

HOME = os.environ.get("ROBFAIR_DATA")


def needs(name):
    there = HOME is not None and Path(HOME, name).exists()
    return pytest.mark.skipif(not there, reason=f"ROBFAIR_DATA names no folder with {name}")
