"""Carries a session's outputs from the task that reads the CLI to the one that listens, without ever making it wait."""

import asyncio
from collections import deque

from orchestrator_tui.agents.base import AgentOutput, TextDelta, Working

_LONGEST_DELTA = 4096


class Feed:
    """A queue for one reader. Deltas that nobody took yet become one, so a slow reader costs no memory but the text."""

    def __init__(self) -> None:
        self._waiting: deque[AgentOutput] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, output: AgentOutput) -> None:
        if isinstance(output, TextDelta) and self._waiting and isinstance(last := self._waiting[-1], TextDelta):
            if len(last.text) < _LONGEST_DELTA:
                self._waiting[-1] = TextDelta(text=last.text + output.text)
            else:
                self._waiting.append(output)
        elif not (isinstance(output, Working) and self._waiting):
            self._waiting.append(output)
        self._news.set()

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._news.set()

    def clear(self) -> None:
        """Forget what nobody took."""
        self._waiting.clear()

    async def take(self) -> AgentOutput | None:
        """The next output; None when there will be none."""
        while not self._waiting:
            if self._closed:
                return None
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
