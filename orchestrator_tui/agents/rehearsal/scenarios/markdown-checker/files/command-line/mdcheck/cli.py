"""The command line: arguments in, exit code out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mdcheck import __version__
from mdcheck.checker import check_tree
from mdcheck.discovery import PathNotFound
from mdcheck.findings import CODES
from mdcheck.reports import as_json, as_text

CLEAN = 0
FINDINGS = 1
USAGE = 2


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mdcheck",
        description="Find dead relative links, missing anchors and duplicate headings in Markdown files.",
        epilog="Exit code: 0 nothing found, 1 problems found, 2 wrong usage.",
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, default=[Path()], help="files or folders (default: here)"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print (default: text)")
    parser.add_argument(
        "--exclude", metavar="GLOB", action="append", default=[], help="leave out pages and folders; may be repeated"
    )
    parser.add_argument(
        "--ignore", metavar="CODE", action="append", default=[], choices=sorted(CODES), help="do not report this code"
    )
    parser.add_argument("--root", metavar="FOLDER", type=Path, help="the tree that links must stay in")
    parser.add_argument("--version", action="version", version=f"mdcheck {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.root and not options.root.is_dir():
        parser.error(f"{options.root}: there is no such folder")
    try:
        outcome = check_tree(options.paths, root=options.root, exclude=options.exclude, ignore=options.ignore)
    except PathNotFound as error:
        parser.error(str(error))
    report = as_json if options.format == "json" else as_text
    _write(report(outcome.findings, outcome.pages))
    return FINDINGS if outcome.findings else CLEAN


def _write(text: str) -> None:
    # A terminal may know less characters than the pages it is told about.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
