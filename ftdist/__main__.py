"""`python -m ftdist` is the command `ftdist`."""

import sys

from ftdist.cli.main import main

if __name__ == "__main__":  # another process of a cluster imports it, and runs nothing
    sys.exit(main())
