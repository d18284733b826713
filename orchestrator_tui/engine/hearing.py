"""What is being said to one agent besides its task, until it has heard it for sure."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from orchestrator_tui.domain.records import InputRequest, Instruction
from orchestrator_tui.domain.statuses import Choice, RequestKind
from orchestrator_tui.domain.text import one_line

Heard = Instruction | InputRequest
"""Something a person said unasked, or the answer to what an agent had asked."""

SHOWN_QUESTION = 1_500


class Hearing:
    """Words wait, are handed to the session with a prompt or with a tool call's result, and count as heard once the
    model goes on after that: what a crash or an interrupt cut off before is said again.

    `opening` is said with the first prompt. `interrupted` says that a person stopped the present step.
    """

    def __init__(self, opening: Sequence[Heard] = ()) -> None:
        self._waiting: list[Heard] = list(opening)
        self._known = {one.id for one in opening}
        self._handed: dict[str, list[Heard]] = {}
        self._in_context: list[Heard] = []
        self._arrived = asyncio.Event()
        self.interrupted = False

    def add(self, instruction: Instruction) -> None:
        """Something new to be said; once only, however often it is added."""
        if instruction.id not in self._known:
            self._known.add(instruction.id)
            self._waiting.append(instruction)
            self._arrived.set()

    def prompt(self) -> Sequence[Heard]:
        """What the next prompt is to say."""
        said, self._waiting = self._waiting, []
        self._in_context += said
        return said

    def hand(self, call_id: str) -> Sequence[Heard]:
        """What goes along with the result of a tool call."""
        said, self._waiting = self._waiting, []
        if said:
            self._handed[call_id] = said
        return said

    def returned(self, call_id: str) -> None:
        """The result of a tool call came back."""
        self._in_context += self._handed.pop(call_id, [])

    def heard(self) -> Sequence[Heard]:
        """The model went on: what it has heard by that."""
        heard, self._in_context = self._in_context, []
        return heard

    def cut_short(self) -> None:
        """The turn ended in the middle: what was not heard is said again."""
        unheard = [*self._in_context, *(one for said in self._handed.values() for one in said)]
        self._waiting = [*unheard, *self._waiting]
        self._in_context, self._handed = [], {}

    async def arrival(self, seconds: float) -> None:
        """Wait until there is something to say, at most `seconds`."""
        self._arrived.clear()
        if self._waiting:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()


def told(heard: Heard) -> str:
    """What an agent is told of it."""
    if isinstance(heard, Instruction):
        return heard.text
    words = f" {heard.text}" if heard.text else ""
    if heard.kind is RequestKind.CLARIFICATION:
        return f"You had asked: {one_line(heard.body, SHOWN_QUESTION)} The answer:{words}"
    match heard.choice:
        case Choice.ALLOW_ONCE:
            decision = "You may run it once now, exactly as it was."
        case Choice.ALLOW_PROJECT:
            decision = "You may run it from now on, exactly as it was."
        case _:
            decision = f"It was denied; do without it.{words}"
    return f"You had wanted to run a command: {one_line(heard.body, SHOWN_QUESTION)} {decision}"
