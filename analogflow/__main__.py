"""Runs the command line with ``python -m analogflow``."""

import sys

from analogflow.cli import main

sys.exit(main())
