"""What all tests share: hypothesis without deadlines, and figures without a screen."""

import os

from hypothesis import settings

# Two workers on two cores make any single example slow at times: a deadline would be a coin toss.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

os.environ.setdefault("MPLBACKEND", "Agg")
