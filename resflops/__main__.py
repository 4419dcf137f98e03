"""``python -m resflops``."""

import sys

from resflops.cli import main

if __name__ == "__main__":
    sys.exit(main())
