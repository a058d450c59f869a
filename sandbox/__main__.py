"""`python -m sandbox` is the command `sandbox`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
