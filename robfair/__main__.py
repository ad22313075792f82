"""``python -m robfair``."""

import sys

from robfair.cli import main

sys.exit(main())
