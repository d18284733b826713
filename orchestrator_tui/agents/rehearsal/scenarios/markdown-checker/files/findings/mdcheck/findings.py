"""What the checker reports: one finding a problem, and the codes a finding can have."""

from __future__ import annotations

from dataclasses import dataclass

DEAD_LINK = "dead-link"
OUTSIDE_TREE = "outside-tree"
UNDEFINED_REFERENCE = "undefined-reference"
MISSING_ANCHOR = "missing-anchor"
DUPLICATE_HEADING = "duplicate-heading"
UNREADABLE_FILE = "unreadable-file"

CODES = {
    DEAD_LINK: "a relative link or image leads to a file that is not there",
    OUTSIDE_TREE: "a relative link leaves the tree, so it works on this machine at best",
    UNDEFINED_REFERENCE: "a reference-style link names a label that is not defined",
    MISSING_ANCHOR: "a link leads to an anchor its page does not have",
    DUPLICATE_HEADING: "a section has two headings with the same text",
    UNREADABLE_FILE: "a page cannot be read as UTF-8 text",
}


@dataclass(frozen=True, order=True)
class Finding:
    """One problem. Findings sort by path, then line, then code; lines count from 1."""

    path: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} {self.message}"
