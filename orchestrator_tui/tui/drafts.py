"""What an agent is writing, so that text that comes late or ahead of its whole message is never shown twice or lost."""

from itertools import islice

LATE = 50_000
"""How many characters of messages that came without their pieces are compared with pieces that come late."""


class Draft:
    """One agent's pieces of text, which are only ever live, against its whole messages, which are stored.

    A whole message is told when it is stored, so pieces of the next one may come before it. Somebody who joins reads
    whole messages from the store, and may be told their pieces after that.
    """

    def __init__(self) -> None:
        self._written = ""
        self._held = ""
        self._said = ""

    def add(self, text: str) -> str:
        """A piece came; returns what to show of it and of what was held back, "" if it may have been said already."""
        if not self._said:
            self._written += text
            return text
        self._held += text
        held = _squeezed(self._held)
        if held not in self._said:
            self._said, self._written, self._held = "", self._held, ""
            return self._written
        if held and self._said.endswith(held):
            self._said = self._held = ""
        return ""

    def complete(self, text: str) -> str:
        """A whole message came; returns what was written beyond it, the beginning of the next."""
        written, self._written, self._held = self._written, "", ""
        said = _squeezed(text)
        if not _squeezed(written).startswith(said):
            # Its pieces were missed, or are still to come.
            self._said = (self._said + said)[-LATE:]
            return ""
        self._said = ""
        self._written = _beyond(written, len(said))
        return self._written


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _beyond(text: str, count: int) -> str:
    """`text` after `count` characters that are not blank, and the blanks that follow them."""
    ends = (at for at, letter in enumerate(text, 1) if not letter.isspace())
    return text[next(islice(ends, count - 1, None)) :].lstrip() if count else text
