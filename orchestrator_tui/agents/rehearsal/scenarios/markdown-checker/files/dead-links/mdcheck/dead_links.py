"""The check for links that lead nowhere, out of the tree, or to a label nobody defined."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mdcheck.findings import DEAD_LINK, OUTSIDE_TREE, UNDEFINED_REFERENCE, Finding
from mdcheck.links import Link
from mdcheck.pages import Page
from mdcheck.targets import exists, is_inside, resolve


def check_links(page: Page, root: Path) -> Iterator[Finding]:
    """The findings of `page`; `root` is the tree its links must stay in."""
    for link in page.links:
        problem = _problem(link, page.path, root)
        if problem:
            yield Finding(str(page.path), link.line, *problem)
    for use in page.undefined:
        yield Finding(str(page.path), use.line, UNDEFINED_REFERENCE, f"the label [{use.label}] is not defined")


def _problem(link: Link, page: Path, root: Path) -> tuple[str, str] | None:
    kind = "image" if link.image else "link"
    if not link.destination:
        return DEAD_LINK, f"the {kind} has no destination"
    target = resolve(link.destination, page, root)
    if target is None:
        return None
    if not is_inside(target.path, root):
        return OUTSIDE_TREE, f"the {kind} {link.destination} leaves the tree"
    if not exists(target.path):
        return DEAD_LINK, f"the {kind} {link.destination} leads to no file"
    return None
