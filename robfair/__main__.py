"""``python -m robfair``, and the command ``robfair``."""

import signal
import sys
from typing import NoReturn

__all__ = ["run"]

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def run() -> NoReturn:
    """Run the command line, and exit with its code."""
    try:
        from robfair.cli import main  # here, where Ctrl-C is handled

        code = main()
    except KeyboardInterrupt:
        print("robfair: interrupted", file=sys.stderr)
        code = INTERRUPTED
    if code == INTERRUPTED and hasattr(signal, "pthread_sigmask"):
        # Where Ctrl-C came in code that is made from a string, as imports of torch make some,
        # Python ends itself by the signal although it was handled.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.exit(code)


if __name__ == "__main__":
    run()
