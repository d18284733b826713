"""What a run shows on its streams: plain lines, JSON lines, or (in `terminal`) bars with lines above them."""

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from orchestrator_tui.console import jsonlines, plain
from orchestrator_tui.console.fold import ConsoleState
from orchestrator_tui.console.lines import lines_of
from orchestrator_tui.console.outlet import Outlet
from orchestrator_tui.domain.events import Recorded


class View(ABC):
    """Shows one run. Everything goes through the outlet, in order."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    @abstractmethod
    async def event(self, before: ConsoleState, after: ConsoleState, recorded: Recorded) -> None:
        """Show an event, given the state before and after it."""

    @abstractmethod
    async def say(self, lines: Sequence[str]) -> None:
        """Tell people something that is no event, such as the summary."""

    @abstractmethod
    async def notice(self, lines: Sequence[str]) -> None:
        """Tell people what they have to know or do, in every mode."""

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """While open, the screen belongs to somebody else, who asks a person; what happens is shown afterwards."""
        await self._outlet.drain()
        yield

    def leave(self) -> None:
        """Give the terminal back at once, without waiting for anything."""
        return


class PlainView(View):
    """Lines without escape codes, for pipes and files."""

    def __init__(self, outlet: Outlet, descriptor: int) -> None:
        super().__init__(outlet)
        self._descriptor = descriptor

    async def event(self, before: ConsoleState, after: ConsoleState, recorded: Recorded) -> None:
        await self.say([plain.text(line) for line in lines_of(before, after, recorded)])

    async def say(self, lines: Sequence[str]) -> None:
        if lines:
            data = "".join(f"{line}\n" for line in lines).encode(errors="replace")
            await self._outlet.post(lambda: write_all(self._descriptor, data))

    async def notice(self, lines: Sequence[str]) -> None:
        await self.say(lines)


class JsonView(View):
    """One JSON object for each stored event and nothing else on standard output; notices go to standard error."""

    def __init__(self, outlet: Outlet, descriptor: int, notices: int) -> None:
        super().__init__(outlet)
        self._descriptor = descriptor
        self._notices = notices

    async def event(self, before: ConsoleState, after: ConsoleState, recorded: Recorded) -> None:
        data = f"{jsonlines.line(recorded)}\n".encode()
        await self._outlet.post(lambda: write_all(self._descriptor, data))

    async def say(self, lines: Sequence[str]) -> None:
        """Nothing: all of it is in the events."""

    async def notice(self, lines: Sequence[str]) -> None:
        data = "".join(f"{line}\n" for line in lines if line).encode(errors="replace")
        await self._outlet.post(lambda: write_all(self._notices, data))


class NoticesView(View):
    """Shows of many projects at once only what people have to know, through the view of a start."""

    def __init__(self, outlet: Outlet, view: View) -> None:
        super().__init__(outlet)
        self._view = view

    async def event(self, before: ConsoleState, after: ConsoleState, recorded: Recorded) -> None:
        """Nothing: the lines of several projects would be told apart by nobody."""

    async def say(self, lines: Sequence[str]) -> None:
        """Nothing, as with events."""

    async def notice(self, lines: Sequence[str]) -> None:
        await self._view.notice(lines)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte. A descriptor and not a stream: no buffer is left behind when the reader goes away.

    Raises:
        OSError: nobody reads any more, or the disk is full.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
