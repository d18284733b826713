"""What a session holds while it is at work: a place among the agents, and money that is promised to it."""

import asyncio
from typing import Protocol

from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.engine.allowances import Allowance, Budget, Place


class Places(Protocol):
    """So many agents may be at work at the same time."""

    async def take(self, place: Place, role: str) -> str:
        """Returns once there is a place for who works there; its name for giving it back."""
        ...

    async def give(self, name: str) -> None:
        """It is free again, for whoever waits."""
        ...


class LocalPlaces(Places):
    """The places of one process; who asks first is first."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)

    @property
    def are_taken(self) -> bool:
        """Whether whoever asks now has to wait."""
        return self._free.locked()

    async def take(self, place: Place, role: str) -> str:
        await self._free.acquire()
        return role

    async def give(self, name: str) -> None:
        self._free.release()


class Seat:
    """Given back while a session waits for something that others have to do first, who may need it for that."""

    def __init__(self, places: Places, budget: Budget, place: Place, role: str) -> None:
        self._places = places
        self._budget = budget
        self._place = place
        self._role = role
        self._held: str | None = None
        self.allowance: Allowance | None = None

    async def take(self) -> None:
        """Returns once there is a place; at once when it is held already."""
        if self._held is not None:
            return
        self._held = await self._places.take(self._place, self._role)
        if self.allowance is not None:
            self.allowance.rests = False

    async def give(self) -> None:
        """Give it back, if it is held."""
        if self._held is None:
            return
        held, self._held = self._held, None
        if self.allowance is not None:
            self._budget.rest(self.allowance)
        await finish(self._places.give(held))
