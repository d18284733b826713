"""Collects the anchors of a page: those of its headings and those written as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from mdcheck.headings import Heading
from mdcheck.masking import mask
from mdcheck.slugs import SlugRegister

_TAG = re.compile(r"<(?P<name>[A-Za-z][\w-]*)(?P<attributes>\s[^<>]*)>")
_ATTRIBUTE = re.compile(r"""(?<=\s)(?P<key>id|name)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


def find_anchors(text: str, headings: Iterable[Heading]) -> frozenset[str]:
    """Every fragment a link to the page `text` may end with, without the `#`."""
    register = SlugRegister()
    return frozenset([*(register.add(heading.title) for heading in headings), *_explicit(mask(text))])


def _explicit(masked: str) -> Iterator[str]:
    for tag in _TAG.finditer(masked):
        for attribute in _ATTRIBUTE.finditer(tag["attributes"]):
            # `name` is an anchor on `a` alone; on `input` or `meta` it means something else.
            if attribute["key"].lower() == "id" or tag["name"].lower() == "a":
                yield html.unescape(attribute[2] or attribute[3] or attribute[4] or "")
