"""The demonstration that `robfair demo` runs on UCI Adult."""

from robfair.demo._demo import run_demo

__all__ = ["run_demo"]
