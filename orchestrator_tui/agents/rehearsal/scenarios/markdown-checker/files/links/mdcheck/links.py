"""Finds inline links and images, written as Markdown or as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mdcheck.masking import Lines, mask

# Everything after the text of a link: `](destination "title")`. Looking for the tail finds nested ones too,
# such as the image in `[![build](badge.svg)](ci.md)`.
_TAIL = re.compile(
    r"""
    (?<!\\)\]\(\s*
    (?:<(?P<angle>[^<>\n]*)>|(?P<plain>(?:\\.|\((?:\\.|[^\s()\\])*\)|[^\s()\\])*))
    (?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?
    \s*\)
    """,
    re.VERBOSE,
)
_HTML = re.compile(r"""<(?P<tag>a|img)\b[^<>]*?\s(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


@dataclass(frozen=True)
class Link:
    """A link or image; `destination` as a reader's program would take it, escapes undone, still percent-encoded."""

    line: int
    destination: str
    image: bool = False


def find_links(text: str) -> list[Link]:
    """The inline links and images of `text` by line."""
    masked = mask(text)
    return sorted([*_markdown_links(masked), *_html_links(masked)], key=lambda link: link.line)


def opening_bracket(text: str, closing: int) -> int | None:
    """Where the bracket opens that closes at offset `closing`; None if it does not in this paragraph."""
    depth = 0
    for index in range(closing, -1, -1):
        if text.startswith("\n\n", index):
            return None
        if text[index] in "[]" and text[index - 1 : index] != "\\":
            depth += 1 if text[index] == "]" else -1
            if depth == 0:
                return index
    return None


def clean_destination(written: str) -> str:
    """A destination as written in Markdown, without backslash escapes and character references."""
    return html.unescape(_ESCAPE.sub(r"\1", written))


def _markdown_links(masked: str) -> Iterator[Link]:
    lines = Lines(masked)
    for tail in _TAIL.finditer(masked):
        opening = opening_bracket(masked, tail.start())
        if opening is not None:
            written = tail["plain"] if tail["angle"] is None else tail["angle"]
            image = masked[opening - 1 : opening] == "!"
            yield Link(lines.at(tail.start()), clean_destination(written), image)


def _html_links(masked: str) -> Iterator[Link]:
    lines = Lines(masked)
    for tag in _HTML.finditer(masked):
        written = tag[2] if tag[2] is not None else tag[3]
        yield Link(lines.at(tag.start()), html.unescape(written), tag["tag"].lower() == "img")
