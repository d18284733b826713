"""Finds the headings of a page: `# ATX` ones and those underlined with `===` or `---` (setext)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mdcheck.masking import mask

_ATX = re.compile(r" {0,3}(?P<marks>#{1,6})(?:[ \t]+(?P<title>.*?))??(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(?P<mark>=+|-+)[ \t]*$")
_BREAK = re.compile(r"\s*(?:(?:[-*_][ \t]*){3,})?$")
_CONTAINER = re.compile(r"\s*(?:>|\||[-*+][ \t]|\d+[.)][ \t])")
_COMMENT = re.compile(r"<!--.*?-->")


@dataclass(frozen=True)
class Heading:
    """A heading; `title` is its Markdown source on one line, `line` where it starts."""

    line: int
    level: int
    title: str


def find_headings(text: str) -> list[Heading]:
    """The headings of `text` in order; what is in code, comments or front matter is none."""
    return list(_headings(text.split("\n"), mask(text).split("\n")))


def _headings(raw: list[str], masked: list[str]) -> Iterator[Heading]:
    paragraph: list[int] = []
    contained = False  # inside a list, a quote or a table, whose lines cannot be underlined
    for index, line in enumerate(masked):
        underline = _UNDERLINE.match(line)
        if underline and paragraph:
            title = " ".join(_clean(raw[number]) for number in paragraph)
            yield Heading(paragraph[0] + 1, 1 if underline["mark"][0] == "=" else 2, title)
        elif _ATX.match(line):
            yield _atx_heading(index, raw[index])
        elif not _BREAK.match(line):
            contained = contained or bool(_CONTAINER.match(line))
            paragraph = [] if contained else [*paragraph, index]
            continue
        paragraph, contained = [], False


def _atx_heading(index: int, raw: str) -> Heading:
    match = _ATX.match(_clean(raw))
    marks, title = (match["marks"], match["title"]) if match else ("#", "")
    return Heading(index + 1, len(marks), (title or "").strip())


def _clean(raw: str) -> str:
    return _COMMENT.sub("", raw).strip()
