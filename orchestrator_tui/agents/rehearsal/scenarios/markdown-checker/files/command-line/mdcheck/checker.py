"""Runs every check over every page of a tree."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mdcheck.dead_links import check_links
from mdcheck.discovery import find_pages
from mdcheck.duplicate_headings import check_headings
from mdcheck.findings import Finding
from mdcheck.missing_anchors import check_anchors
from mdcheck.pages import Library, Page
from mdcheck.targets import absolute, is_inside


@dataclass(frozen=True)
class Outcome:
    """What a run found, in order, and how many pages it looked at."""

    findings: tuple[Finding, ...]
    pages: int


def check_tree(
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    exclude: Sequence[str] = (),
    ignore: Collection[str] = (),
) -> Outcome:
    """Check the pages at or below `paths`.

    Links must stay below `root`. Without one that is the current folder or, if a path lies elsewhere, the
    folder all of `paths` have in common.

    Raises:
        PathNotFound: one of `paths` does not exist.
    """
    pages = find_pages(paths, exclude)
    tree = root or _common_root(paths)
    library = Library()
    found = (finding for path in pages for finding in _check_page(library.page(path), tree, library))
    return Outcome(tuple(sorted(finding for finding in found if finding.code not in ignore)), len(pages))


def _check_page(page: Page, root: Path, library: Library) -> Iterator[Finding]:
    if page.problem:
        yield page.problem
    yield from check_links(page, root)
    yield from check_anchors(page, root, library)
    yield from check_headings(page)


def _common_root(paths: Sequence[Path]) -> Path:
    here = Path.cwd()
    folders = [absolute(path if path.is_dir() else path.parent) for path in paths]
    if all(is_inside(folder, here) for folder in folders):
        return here
    return Path(os.path.commonpath(folders))
