"""``python -m robfair``."""

import signal
import sys
from typing import NoReturn

from robfair.cli import main

INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command line, and exit with its code."""
    code = main()
    if code == INTERRUPTED and hasattr(signal, "pthread_sigmask"):
        # Where Ctrl-C came in code that is made from a string, as imports of torch make some,
        # Python ends itself by the signal although it was handled.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.exit(code)


if __name__ == "__main__":
    run()
