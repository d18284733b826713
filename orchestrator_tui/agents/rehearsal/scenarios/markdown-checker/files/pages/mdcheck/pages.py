"""Reads pages: everything the checks want to know about a file, found once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mdcheck.anchors import find_anchors
from mdcheck.findings import UNREADABLE_FILE, Finding
from mdcheck.headings import Heading, find_headings
from mdcheck.links import Link, find_links
from mdcheck.references import UndefinedReference, find_references


@dataclass(frozen=True)
class Page:
    """A Markdown file, taken apart. A page with a `problem` could not be read and has nothing else."""

    path: Path
    headings: tuple[Heading, ...] = ()
    anchors: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()
    undefined: tuple[UndefinedReference, ...] = ()
    problem: Finding | None = None


def parse_page(path: Path, text: str) -> Page:
    headings = find_headings(text)
    references = find_references(text)
    return Page(
        path=path,
        headings=tuple(headings),
        anchors=find_anchors(text, headings),
        links=(*find_links(text), *references.links),
        undefined=references.undefined,
    )


def read_page(path: Path) -> Page:
    """The page at `path`; one that cannot be read says why in `problem`."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _unreadable(path, line, f"byte 0x{raw[error.start]:02x} is not valid UTF-8")
    except OSError as error:
        return _unreadable(path, 1, error.strerror or str(error))
    return parse_page(path, text.replace("\r\n", "\n").replace("\r", "\n"))


class Library:
    """The pages of one run; each file is read once, however many links lead to it."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}

    def page(self, path: Path) -> Page:
        key = os.path.realpath(path)
        if key not in self._pages:
            self._pages[key] = read_page(path)
        return self._pages[key]


def _unreadable(path: Path, line: int, reason: str) -> Page:
    return Page(path, problem=Finding(str(path), line, UNREADABLE_FILE, reason))
