"""Names of projects and of their folders, made from what a person typed."""

import re
import unicodedata
from collections.abc import Container

_FILLER = frozenset(
    """
    a an and app application build can could create for from i in it make me my of on please program project
    should simple small some that the to tool want we which with would write you
    """.split()  # noqa: SIM905
)
_WORD = re.compile(r"[a-z0-9]+")
_HEADING = re.compile(r"^#+\s+(.+)$", re.MULTILINE)
WORDS = 4
LONGEST = 48


def slugify(text: str) -> str:
    """Lower-case letters, digits and single dashes, 48 characters at most; empty when nothing is left."""
    return "-".join(_words(text))[:LONGEST].strip("-")


def name_from_idea(idea: str) -> str:
    """A short name for a project: its heading, or the carrying words of its first sentence."""
    heading = _HEADING.search(idea)
    source = heading.group(1) if heading else re.split(r"[.!?\n]", idea.strip(), maxsplit=1)[0]
    words = [word for word in _words(source[:400]) if word not in _FILLER]
    return slugify("-".join(words[:WORDS])) or "project"


def free_slug(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or with the first free number behind it."""
    wanted = wanted or "project"
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _WORD.findall(plain.casefold())
