"""The command line: arguments in, exit code out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mdcheck import __version__


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mdcheck", description="Check the links and headings of Markdown files.")
    parser.add_argument("--version", action="version", version=f"mdcheck {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    build_parser().parse_args(arguments)
    return 0
