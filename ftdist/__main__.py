"""`python -m ftdist` is the command `ftdist`."""

import sys

from ftdist.cli.main import main

sys.exit(main())
