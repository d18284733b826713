"""Where every tool call of a session passes before it runs, so that a stop never comes in the middle of one, and
where it is remembered which were turned away."""

import asyncio
from collections.abc import Awaitable, Callable


class Turnstile:
    """Knows which calls are under way. Once it is closing, a new call waits until the session ends."""

    def __init__(self, lease_holds: Callable[[], Awaitable[None]]) -> None:
        """`lease_holds` returns once nobody else can have the project: whatever changes anything waits for that."""
        self._lease_holds = lease_holds
        self._inside: set[str] = set()
        self._refused: set[str] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False

    async def pass_by(self) -> None:
        """Let a call run that changes nothing: a stop need not wait for it. While closing this never returns."""
        if self._closing:
            await asyncio.Event().wait()

    async def enter(self, call_id: str) -> None:
        """Let a call run; while closing this never returns."""
        await self._lease_holds()
        await self.pass_by()
        self._inside.add(call_id)
        self._empty.clear()

    def refuse(self, call_id: str) -> None:
        """A call may not run."""
        self._refused.add(call_id)

    def was_refused(self, call_id: str) -> bool:
        """Whether a call that has its result now was turned away; it is forgotten then."""
        refused = call_id in self._refused
        self._refused.discard(call_id)
        return refused

    def leave(self, call_id: str) -> None:
        """A call has returned."""
        self._inside.discard(call_id)
        if not self._inside:
            self._empty.set()

    def leave_all(self) -> None:
        """Nothing runs any more: the turn has ended, or the process has."""
        self._inside.clear()
        self._empty.set()

    async def close(self) -> None:
        """Let nobody new in, and wait until those inside are out."""
        self._closing = True
        await self._empty.wait()
