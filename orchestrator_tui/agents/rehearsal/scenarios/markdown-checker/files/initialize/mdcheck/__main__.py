"""Lets `python3 -m mdcheck` run the command line."""

import sys

from mdcheck.cli import main

if __name__ == "__main__":
    sys.exit(main())
