"""The check for links to an anchor that its page does not have."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from mdcheck.discovery import SUFFIXES
from mdcheck.findings import MISSING_ANCHOR, Finding
from mdcheck.pages import Library, Page
from mdcheck.targets import exists, resolve


def check_anchors(page: Page, root: Path, library: Library) -> Iterator[Finding]:
    """The findings of `page`; pages its links lead to come from `library`."""
    for link in page.links:
        target = resolve(link.destination, page.path, root)
        if target is None or target.fragment in ("", "top"):
            continue
        file = _page_file(target.path)
        if file is None:
            continue
        anchors = library.page(file).anchors
        # A page that cannot be read is a finding of its own, not one for each link to it.
        if target.fragment not in anchors and library.page(file).problem is None:
            message = f"{file.name} has no anchor #{target.fragment}{_hint(target.fragment, anchors)}"
            yield Finding(str(page.path), link.line, MISSING_ANCHOR, message)


def _page_file(path: Path) -> Path | None:
    """The Markdown file behind a path: the file itself, or the README a folder is shown with."""
    file = path / "README.md" if exists(path) and path.is_dir() else path
    return file if file.suffix.lower() in SUFFIXES and exists(file) else None


def _hint(fragment: str, anchors: frozenset[str]) -> str:
    close = get_close_matches(fragment, sorted(anchors), n=1, cutoff=0.7)
    return f"; did you mean #{close[0]}?" if close else ""
