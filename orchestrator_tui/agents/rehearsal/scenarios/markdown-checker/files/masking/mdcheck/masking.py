"""Hides what is not Markdown prose (code, comments, front matter) without moving a single character."""

from __future__ import annotations

import re
from bisect import bisect_left

# Alternatives are tried where they start, so whichever construct opens first wins, as in CommonMark.
_OPAQUE = re.compile(
    r"""
      (?P<front>\A---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*$)
    | (?P<fence>
        ^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?
        (?P<marker>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*
        (?:\n.*?^[ \t>]*(?P=marker)[`~]*[ \t]*$|.*\Z)
      )
    | (?P<comment><!--.*?(?:-->|\Z))
    | (?P<inline>(?<![`\\])(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)*?(?<!`)(?P=ticks)(?!`))
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_CHARACTER = re.compile(r"[^\n]")
_BLANK = " "
_FILLER = "."


def mask(text: str) -> str:
    """`text` with blocks of code, comments and front matter blanked, and inline code filled with dots.

    Every offset and line number stays what it was, so a place found in the result is the same place in `text`.
    """
    return _OPAQUE.sub(_hide, text)


class Lines:
    """Tells the line, from 1, that an offset of `text` is in."""

    def __init__(self, text: str) -> None:
        self._ends = [end.start() for end in re.finditer("\n", text)]

    def at(self, offset: int) -> int:
        return bisect_left(self._ends, offset) + 1


def _hide(match: re.Match[str]) -> str:
    # Inline code still counts as text of the heading or paragraph around it; blocks do not.
    substitute = _FILLER if match.lastgroup == "inline" else _BLANK
    return _CHARACTER.sub(substitute, match.group())
