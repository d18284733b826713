"""Finds reference-style links: the definitions at the bottom of a page, and uses that no definition serves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mdcheck.links import Link, clean_destination, opening_bracket
from mdcheck.masking import Lines, mask

_DEFINITION = re.compile(
    r"^ {0,3}\[(?P<label>(?!\^)(?:[^\[\]\\]|\\.)+)\]:[ \t]*\n?[ \t]*(?:<(?P<angle>[^<>\n]*)>|(?P<plain>\S+))",
    re.MULTILINE,
)
_USE = re.compile(r"(?<!\\)\]\[(?P<label>[^\[\]]*)\](?!\()")


@dataclass(frozen=True)
class UndefinedReference:
    """A use of a label nobody defined."""

    line: int
    label: str


@dataclass(frozen=True)
class References:
    """What a page says by reference: the links its definitions make, and the uses that lead nowhere."""

    links: tuple[Link, ...]
    undefined: tuple[UndefinedReference, ...]


def find_references(text: str) -> References:
    """Definitions and undefined uses of `text`, by line. A definition counts as a link even if nobody uses it."""
    masked = mask(text)
    lines = Lines(masked)
    definitions = list(_DEFINITION.finditer(masked))
    # Masking keeps offsets, so the labels are read where they stand in the unmasked text: they may contain code.
    labels = {_normalised(text[slice(*definition.span("label"))]) for definition in definitions}
    links = tuple(_link(lines, definition) for definition in definitions)
    undefined = tuple(use for use in _uses(text, masked, lines) if _normalised(use.label) not in labels)
    return References(links, undefined)


def _link(lines: Lines, definition: re.Match[str]) -> Link:
    written = definition["plain"] if definition["angle"] is None else definition["angle"]
    return Link(lines.at(definition.start()), clean_destination(written))


def _uses(text: str, masked: str, lines: Lines) -> Iterator[UndefinedReference]:
    for use in _USE.finditer(masked):
        opening = opening_bracket(masked, use.start())
        # `matrix[0][1]` is an index, not a link.
        if opening is None or re.match(r"[\w\])]", masked[opening - 1 : opening]):
            continue
        label = text[slice(*use.span("label"))] or text[opening + 1 : use.start()]
        if not label.startswith("^"):
            yield UndefinedReference(lines.at(use.start()), " ".join(label.split()))


def _normalised(label: str) -> str:
    return " ".join(label.split()).casefold()
