"""Reads lines a person types, without blocking the event loop and so that waiting can be given up at any moment."""

import asyncio
import os
import termios
from typing import BinaryIO

CHUNK = 65_536
PASTE_SECONDS = 0.05
"""Lines that follow one within this time were pasted with it."""


class LineReader:
    """Lines from a terminal, a pipe or a file. Only one task may read at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        self._descriptor = stream.fileno()
        self._terminal = os.isatty(self._descriptor)
        self._buffer = b""
        self._ended = False

    async def line(self) -> str | None:
        """The next line without its end; None when there are no more."""
        while b"\n" not in self._buffer and not self._ended:
            await self._fill()
        if not self._buffer:
            # A terminal can be read on after Ctrl-D.
            self._ended = not self._terminal
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    async def paragraph(self) -> str | None:
        """The next line, with the lines that a person pasted along with it; None when there are no more."""
        first = await self.line()
        if first is None or not self._terminal:
            return first
        lines = [first]
        try:
            while True:
                async with asyncio.timeout(PASTE_SECONDS):
                    line = await self.line()
                if line is None:
                    break
                lines.append(line)
        except TimeoutError:
            pass
        return "\n".join(lines)

    def forget_typed_ahead(self) -> None:
        """Drop what was typed before the question was there: it cannot be an answer. Only on a terminal."""
        if self._terminal:
            self._buffer = b""
            termios.tcflush(self._descriptor, termios.TCIFLUSH)

    async def _fill(self) -> None:
        await self._readable()
        try:
            data = os.read(self._descriptor, CHUNK)
        except OSError:
            # A terminal that was hung up.
            data = b""
        self._buffer += data
        self._ended = not data

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, ready.set)
        except PermissionError:
            # An ordinary file is always readable, and cannot be watched.
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)
