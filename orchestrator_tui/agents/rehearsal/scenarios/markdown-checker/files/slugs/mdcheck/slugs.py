"""Turns headings into anchors the way GitHub does, numbers for repeated ones included."""

from __future__ import annotations

import html
import re
import unicodedata

_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_TAG = re.compile(r"(?<!\\)</?[A-Za-z][^>]*>")
_EMPHASIS = re.compile(r"(?<![\w\\])(_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)|(?<!\\)(\*{1,3})(?=\S)(.+?)(?<=\S)\3")


def slugify(title: str) -> str:
    """The anchor of a heading with the Markdown source `title`, before any number is added."""
    text = plain_text(title).strip().lower()
    kept = "".join(character for character in text if _is_kept(character))
    return re.sub(r"\s+", "-", kept)


def plain_text(title: str) -> str:
    """`title` as a reader sees it: no markup, no images, code as it is."""
    parts = []
    end = 0
    for code in _CODE.finditer(title):
        parts += [_without_markup(title[end : code.start()]), code[2]]
        end = code.end()
    return "".join([*parts, _without_markup(title[end:])])


class SlugRegister:
    """Hands out the anchors of one page; a second `Notes` becomes `notes-1`."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def add(self, title: str) -> str:
        base = slug = slugify(title)
        while slug in self._used:
            self._used[base] += 1
            slug = f"{base}-{self._used[base]}"
        self._used[slug] = 0
        return slug


def _without_markup(text: str) -> str:
    text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    return html.unescape(_EMPHASIS.sub(lambda match: match[2] or match[4], _TAG.sub("", text)))


def _is_kept(character: str) -> bool:
    return character.isalnum() or character in " -_" or unicodedata.category(character)[0] == "M"
