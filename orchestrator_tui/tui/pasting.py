"""Reads what a terminal sends, so that nothing within a paste is ever a key."""

from collections.abc import Generator, Iterable, Iterator

from textual._xterm_parser import BRACKETED_PASTE_END as END
from textual._xterm_parser import BRACKETED_PASTE_START as START
from textual._xterm_parser import XTermParser
from textual.events import Paste
from textual.message import Message

_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord(c) for c in "\t\n\r"})


class PasteParser(XTermParser):
    """Takes pastes out of the stream; Textual's parser would take escape sequences in one for keys that are pressed."""

    def __init__(self, debug: bool = False) -> None:
        self._is_pasting = False
        self._pasted: list[str] = []
        # The end of what was read, which may hold the beginning of what begins or ends a paste.
        self._tail = ""
        super().__init__(debug)

    def feed(self, data: str) -> Iterator[Message]:
        """What `data` means; an empty one is the end of the stream, and a paste that it cuts off is dropped."""
        if not data:
            yield from super().feed(data)
        while data:
            data = (yield from self._read_paste(data)) if self._is_pasting else (yield from self._read(data))

    def tick(self) -> Iterable[Message]:
        """What is known once nothing more came: the beginning of a sequence was keys, and begins no paste."""
        waits = self._timeout_time
        yield from super().tick()
        if waits is not None and self._timeout_time is None:
            self._tail = ""

    def _read(self, data: str) -> Generator[Message, None, str]:
        seen = self._tail + data
        at = seen.find(START)
        own = data if at < 0 else seen[len(self._tail) : at + len(START)]
        self._tail = seen[1 - len(START) :]
        if at >= 0:
            self._is_pasting, self._tail = True, ""
        yield from super().feed(own)
        return data[len(own) :]

    def _read_paste(self, data: str) -> Generator[Message, None, str]:
        seen = self._tail + data
        at = seen.find(END)
        if at < 0:
            kept = max(0, len(seen) - len(END) + 1)
            self._pasted.append(seen[:kept])
            self._tail = seen[kept:]
            return ""
        text = "".join([*self._pasted, seen[:at]])
        self._is_pasting, self._pasted, self._tail = False, [], ""
        # Textual's parser has seen the beginning and must see the end; it makes an empty paste of it.
        yield from (one for one in super().feed(END) if not isinstance(one, Paste))
        # Not every field cleans what is pasted into it.
        yield Paste(text.translate(_CONTROLS))
        return seen[at + len(END) :]
