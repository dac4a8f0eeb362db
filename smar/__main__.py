"""`python -m smar`."""

import sys

from smar.cli import main

sys.exit(main())
