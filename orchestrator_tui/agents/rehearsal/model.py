"""The scripted model: the session that asks and its request's body in, one decision out; no HTTP."""

import secrets
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator_tui.agents.base import SessionRequest
from orchestrator_tui.agents.rehearsal.conversation import Position, is_side_request, position
from orchestrator_tui.agents.rehearsal.scenario import Scenario, Turn
from orchestrator_tui.agents.rehearsal.schema import CutFault, Fault, FloodFault, GarbageFault, StallFault, StatusFault
from orchestrator_tui.agents.rehearsal.stream import Reply, ToolCall
from orchestrator_tui.domain.errors import ScenarioBroken

_DONE = Turn(say="Done.")


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was told where the model is; `served` counts how often each fault was played in its conversation,
    which may have begun in another session."""

    request: SessionRequest
    served: Counter[tuple[int, int, int]] = field(default_factory=Counter)

    @property
    def conversation(self) -> str:
        return self.request.resume or self.request.agent_id


class Sessions:
    """The sessions known by the secret path each was given; of more than `limit` the longest idle are forgotten."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._by_path: OrderedDict[str, Session] = OrderedDict()

    def add(self, request: SessionRequest) -> str:
        """The path segment that stands for `request` from now on."""
        path = secrets.token_urlsafe(18)
        session = Session(request)
        before = [one for one in self._by_path.values() if one.conversation == session.conversation]
        self._by_path[path] = Session(request, before[-1].served) if before and request.resume else session
        if len(self._by_path) > self._limit:
            self._by_path.popitem(last=False)
        return path

    def get(self, path: str) -> Session | None:
        """The session a path segment stands for."""
        session = self._by_path.get(path)
        if session is not None:
            self._by_path.move_to_end(path)
        return session


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP error instead of an answer. `retry_after` and `resets_in` are in seconds."""

    status: int
    text: str
    kind: str
    retry_after: float | None = None
    resets_in: float | None = None


@dataclass(frozen=True, slots=True)
class Speech:
    """An answer, and what goes wrong while it is sent."""

    reply: Reply
    kind: str
    fault: StallFault | CutFault | GarbageFault | None = None


def decide(scenario: Scenario, session: Session, body: Mapping[str, Any]) -> Speech | Refusal:
    """What the model of `scenario` answers to `body`, a request of the Messages API by `session`."""
    if is_side_request(body, session.request):
        return Speech(_reply(scenario, Turn(say="OK"), body), "side")
    place = position(body.get("messages") or [])
    try:
        turns = scenario.turns(session.request, place.prompt)
    except ScenarioBroken as error:
        return Refusal(400, error.message, "no answer")
    turn = _DONE if place.answered or place.turn >= len(turns) else turns[place.turn]
    if place.read_first is not None:
        return Speech(_reply(scenario, Turn(tool="Read", input={"file_path": place.read_first}), body), "turn")
    fault = _next_fault(session, place, turn)
    if isinstance(fault, StatusFault):
        text = fault.message or f"the scenario {scenario.name} answers {fault.status} here"
        return Refusal(fault.status, text, f"status {fault.status}", fault.retry_after, fault.resets_in)
    kind = "done" if turn is _DONE else "turn"
    return Speech(_reply(scenario, turn, body), kind if fault is None else fault.kind, fault)


def _next_fault(
    session: Session, place: Position, turn: Turn
) -> StatusFault | StallFault | CutFault | GarbageFault | None:
    for number, fault in enumerate(turn.faults):
        spot = (place.prompt, place.turn, number)
        if not isinstance(fault, FloodFault) and session.served[spot] < fault.times:
            session.served[spot] += 1
            return fault
    return None


def _reply(scenario: Scenario, turn: Turn, body: Mapping[str, Any]) -> Reply:
    return Reply(
        message_id=f"msg_{secrets.token_hex(12)}",
        model=str(body.get("model", "")),
        usage=scenario.usage,
        text=turn.say,
        tool=None if turn.tool is None else ToolCall(f"toolu_{secrets.token_hex(12)}", turn.tool, turn.input),
        flood=_flood(turn.faults),
    )


def _flood(faults: tuple[Fault, ...]) -> FloodFault | None:
    return next((fault for fault in faults if isinstance(fault, FloodFault)), None)
