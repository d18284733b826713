"""The check for two headings with the same text in the same section."""

from __future__ import annotations

from collections.abc import Iterator

from mdcheck.findings import DUPLICATE_HEADING, Finding
from mdcheck.headings import Heading
from mdcheck.pages import Page
from mdcheck.slugs import plain_text


def check_headings(page: Page) -> Iterator[Finding]:
    """The findings of `page`.

    Only siblings count: a changelog rightly has an `Added` below every version.
    """
    sections: list[Heading] = []
    first: dict[tuple[int, str], Heading] = {}
    for heading in page.headings:
        while sections and sections[-1].level >= heading.level:
            sections.pop()
        title = " ".join(plain_text(heading.title).split())
        same = first.setdefault((sections[-1].line if sections else 0, title.casefold()), heading)
        if title and same is not heading:
            message = f'the heading "{title}" is in line {same.line} already'
            yield Finding(str(page.path), heading.line, DUPLICATE_HEADING, message)
        sections.append(heading)
