"""The command line: ``robfair audit``, ``robfair demo`` and ``robfair reproduce``."""

from robfair.cli._main import main

__all__ = ["main"]
