"""Takes credentials out of a text while it is typed: a piece of one, seen by itself, does not look like any."""

import re
from collections.abc import Callable

_LAST_BLANK = re.compile(r"\s(?=\S*\Z)")
_OPEN_KEY = re.compile(
    r"-----BEGIN (?:[A-Z ]{0,45}-{0,5}\Z|[A-Z ]{0,30}PRIVATE KEY-----(?![\s\S]*-----END [A-Z ]{0,30}PRIVATE KEY-----))"
)


class TypingMask:
    """Holds a word back until it is whole, and a private key until its end; what is ready is as `hide` makes it."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide
        self._held: list[str] = []

    def add(self, piece: str) -> str:
        """The next piece; what may be shown by now, "" for nothing."""
        self._held.append(piece)
        if not any(character.isspace() for character in piece):
            return ""
        text = "".join(self._held)
        blank = _LAST_BLANK.search(text)
        end = blank.end() if blank is not None else 0
        if (key := _OPEN_KEY.search(text)) is not None:
            end = min(end, key.start())
        self._held = [text[end:]]
        return self._hide(text[:end]) if end else ""

    def rest(self) -> str:
        """What is still held back: the text ends here."""
        text, self._held = "".join(self._held), []
        return self._hide(text) if text else ""

    def forget(self) -> None:
        """The text is typed anew."""
        self._held = []
