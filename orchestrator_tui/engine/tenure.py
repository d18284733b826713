"""How long a run's project is its own for certain: what no other process may find half done waits for that."""

import asyncio

from orchestrator_tui.domain.clock import elapsed_seconds


class Tenure:
    """Until when a lease holds, whatever others do.

    A process that was frozen, or whose machine slept, does not know on waking whether it still has its project; for the
    moment it takes to find out, nothing may be begun in the project's folder.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._renewed = asyncio.Event()

    def renew(self, since: float, seconds: float) -> None:
        """The lease was renewed for `seconds`, by a request that was sent at `since` (`elapsed_seconds`)."""
        self._until = since + seconds
        self._renewed.set()

    async def holds(self) -> None:
        """Returns at once while the lease holds, else once it is renewed; never when it is another's by now."""
        while elapsed_seconds() >= self._until:
            self._renewed.clear()
            await self._renewed.wait()
