"""What a session holds while it is at work: a place among those of this process, and money that is promised to it."""

import asyncio

from orchestrator_tui.engine.allowances import Allowance, Budget


class Seat:
    """Given back while a session waits for something that others have to do first, who may need it for that."""

    def __init__(self, places: asyncio.Semaphore, budget: Budget) -> None:
        self._places = places
        self._budget = budget
        self._is_taken = False
        self.allowance: Allowance | None = None

    async def take(self) -> None:
        """Returns once there is a place; at once when it is held already."""
        if self._is_taken:
            return
        await self._places.acquire()
        self._is_taken = True
        if self.allowance is not None:
            self.allowance.rests = False

    def give(self) -> None:
        """Give it back, if it is held."""
        if not self._is_taken:
            return
        self._is_taken = False
        self._places.release()
        if self.allowance is not None:
            self._budget.rest(self.allowance)
