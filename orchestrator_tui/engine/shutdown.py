"""The five steps of a graceful stop, told as events while they are taken (the seed's shutdown flow)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from orchestrator_tui.domain.events import StopProgressed
from orchestrator_tui.domain.records import AgentSnapshot, WorkItem
from orchestrator_tui.domain.statuses import PauseReason
from orchestrator_tui.domain.words import title

HAND_OVER_SECONDS = 30.0
"""How long a project that was handed over is left to whom it is for; whoever wakes projects goes on with it then."""

STORE_SECONDS = 10.0
"""How long a stop waits for a database in trouble, besides the time it gives the agents."""


class StopOrder:
    """Somebody wants a project to stop here. The first reason counts; `force` means not to wait for safe points any
    longer. `stop_seconds` is the time its agents get. Given with `HAND_OVER`, another process goes on with it at once.

    Once `giving_up` is set nothing waits for the database any more: it may never come back.
    """

    def __init__(self, stop_seconds: float) -> None:
        self.wanted = asyncio.Event()
        self.forced = asyncio.Event()
        self.giving_up = asyncio.Event()
        self.reason = ""
        self._seconds = 2 * stop_seconds + STORE_SECONDS

    @property
    def hands_over(self) -> bool:
        """Whether the project is only to be let go of here."""
        return self.reason == PauseReason.HAND_OVER

    def give(self, reason: str, *, force: bool = False) -> None:
        """Want the project to stop."""
        if not self.wanted.is_set():
            self.reason = reason
            self.wanted.set()
            self._give_up_in(self._seconds)
        if force and not self.forced.is_set():
            self.forced.set()
            self._give_up_in(STORE_SECONDS)

    def _give_up_in(self, seconds: float) -> None:
        # No task: whoever ends all tasks of the program would end it too, and then wait for those that wait for it.
        asyncio.get_running_loop().call_later(seconds, self.giving_up.set)


async def at_safe_point(settle: Callable[[], Awaitable[None]], order: StopOrder, *, seconds: float) -> bool:
    """Wait until no tool call is under way, at most `seconds` and not once the stop is forced; whether it is so."""
    settled = asyncio.create_task(_await(settle()), name="settle")
    forced = asyncio.create_task(order.forced.wait(), name="forced")
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.wait({settled, forced}, return_when=asyncio.FIRST_COMPLETED)
        return settled.done()
    finally:
        for task in (settled, forced):
            task.cancel()
        await asyncio.gather(settled, forced, return_exceptions=True)


async def _await(work: Awaitable[None]) -> None:
    await work


def signaled() -> StopProgressed:
    return StopProgressed(step=1, text="Signaling agents to finish their current step")


def waiting(agents: int, seconds: float) -> StopProgressed:
    if not agents:
        return StopProgressed(step=2, text="No agent is at work that must reach a safe point")
    who = "agent" if agents == 1 else f"{agents} agents"
    return StopProgressed(step=2, text=f"Waiting for {who} to reach a safe point (at most {seconds:g} s)")


def captured(snapshots: tuple[AgentSnapshot, ...], *, safe: bool) -> StopProgressed:
    details = tuple(_told(snapshot) for snapshot in snapshots) or ("no agent was at work",)
    if not safe:
        details = ("not every agent came to a safe point; what it was at is cut short", *details)
    return StopProgressed(step=3, text="Capturing agent snapshots", details=details)


def _told(snapshot: AgentSnapshot) -> str:
    parts = [f"phase: {title(snapshot.phase)}"]
    if snapshot.current_work_item:
        parts.append(f"work item: {snapshot.current_work_item}")
    if snapshot.last_tool_call:
        parts.append(f"last tool: {snapshot.last_tool_call}")
    return " · ".join(parts)


def handed_back(items: tuple[WorkItem, ...]) -> StopProgressed:
    details = tuple(f"{item.key} → todo (will be taken up again on resume)" for item in items)
    return StopProgressed(step=4, text="Marking interrupted items", details=details or ("none was under way",))


def saved() -> StopProgressed:
    return StopProgressed(step=5, text="Saving state atomically")
