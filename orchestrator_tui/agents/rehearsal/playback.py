"""Sends one scripted answer over an open connection, at its pace and with its faults, while anybody listens."""

import asyncio
import json
from collections.abc import Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator_tui.agents.rehearsal.model import Speech
from orchestrator_tui.agents.rehearsal.schema import CutFault, GarbageFault, PaceTable, StallFault
from orchestrator_tui.agents.rehearsal.stream import Event, events, garbage, message

# Events that need no pause between them go out together: one write costs more than a hundred small deltas.
_EVENTS_A_WRITE = 100


class Playback(Response):
    """The response that plays `speech`, as a stream of events or as one message.

    It ends early when the connection does, from whichever side.
    Needs the connection's transport in `scope["state"]["transport"]`.
    """

    def __init__(self, speech: Speech, pace: PaceTable, *, stream: bool, request_id: str) -> None:
        media_type = "text/event-stream" if stream else "application/json"
        super().__init__(headers={"request-id": request_id, "cache-control": "no-cache"}, media_type=media_type)
        # Its length is not known before it was played.
        del self.headers["content-length"]
        self._speech = speech
        self._pace = pace
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        play = asyncio.create_task(self._play(send, transport), name="rehearsal-playback")
        gone = asyncio.create_task(_disconnected(receive), name="rehearsal-client-gone")
        try:
            await asyncio.wait((play, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            play.cancel()
            gone.cancel()
            await asyncio.gather(play, gone, return_exceptions=True)
        if not play.cancelled():
            play.result()

    async def _play(self, send: Send, transport: asyncio.Transport) -> None:
        fault = self._speech.fault
        if isinstance(fault, StallFault) and (fault.after_deltas is None or not self._stream):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, CutFault) and not self._stream:
            await _cut(transport)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if not self._stream:
            await _write(send, [self._one_message()])
        elif isinstance(fault, GarbageFault):
            await _write(send, list(garbage(self._speech.reply)))
        else:
            await self._play_events(send, transport)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _play_events(self, send: Send, transport: asyncio.Transport) -> None:
        waiting: list[bytes] = []
        for event, fault in self._with_fault(events(self._speech.reply, self._pace)):
            paused = event.typed and self._pace.delta_seconds > 0
            if fault is not None or paused or len(waiting) >= _EVENTS_A_WRITE:
                await _write(send, waiting)
                waiting = []
            if isinstance(fault, StallFault):
                await asyncio.sleep(fault.seconds)
            elif isinstance(fault, CutFault):
                await _cut(transport)
            if paused:
                await asyncio.sleep(self._pace.delta_seconds)
            waiting.append(event.encode())
        await _write(send, waiting)

    def _with_fault(self, stream: Iterator[Event]) -> Iterator[tuple[Event, StallFault | CutFault | None]]:
        """Each event with the fault that comes right before it; an answer of too few deltas has it at its end."""
        match self._speech.fault:
            case StallFault(after_deltas=int() as after) | CutFault(after_deltas=after) as fault:
                pending: StallFault | CutFault | None = fault
            case _:
                after, pending = 0, None
        deltas = 0
        for event in stream:
            due = pending if event.name == "message_delta" or (event.is_delta and deltas == after) else None
            deltas += event.is_delta
            pending = None if due else pending
            yield event, due

    def _one_message(self) -> bytes:
        if isinstance(self._speech.fault, GarbageFault):
            return b'{"type": "message", "content": ['
        return json.dumps(message(self._speech.reply), ensure_ascii=False).encode()


async def _write(send: Send, parts: list[bytes]) -> None:
    await send({"type": "http.response.body", "body": b"".join(parts), "more_body": True})
    # Writing to a socket with room does not give way by itself, and a flood must not hold the loop.
    await asyncio.sleep(0)


async def _cut(transport: asyncio.Transport) -> None:
    """Close the connection after what was written, then wait to be ended by its loss."""
    transport.close()
    await asyncio.Event().wait()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
