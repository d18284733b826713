"""Names what happens in a project, so that two runs of it can be compared moment by moment."""

from collections import Counter
from collections.abc import Iterable

from orchestrator_tui.domain.events import (
    AgentCalledTool,
    AgentFinished,
    AgentSaid,
    AgentStarted,
    AgentToolReturned,
    CommitMade,
    Event,
    PhaseProgressed,
    Recorded,
)

TELLING = (
    "phase", "role", "work_item_key", "tool", "summary", "key", "author", "kind", "step", "output_type", "old", "new",
    "status", "then", "passed",
)  # fmt: skip
WORDS = 60


class Moments:
    """Gives names that are the same in every run; who an agent is and what a call was is learnt from the events."""

    def __init__(self) -> None:
        self._agents: dict[str, str] = {}
        self._calls: dict[str, str] = {}

    def name(self, event: Event) -> str:
        # What an agent said last is not said again by one that goes on where it was.
        telling = [name for name in TELLING if not (isinstance(event, AgentFinished) and name == "summary")]
        told = [getattr(event, name, None) for name in telling]
        parts = [type(event).__name__, *(str(one)[:WORDS] for one in told if one not in (None, ""))]
        match event:
            case AgentStarted():
                self._agents[event.agent_id] = f"{event.phase} {event.role} {event.work_item_key or ''}"
            case AgentSaid(text=text) | CommitMade(message=text):
                parts.append(text[:WORDS])
            case AgentCalledTool(call_id=call_id):
                self._calls[call_id] = " ".join(parts[1:])
            case AgentToolReturned(call_id=call_id):
                parts.append(self._calls.get(call_id, ""))
            case PhaseProgressed(done=done):
                parts.append(str(done))
            case _:
                pass
        if not isinstance(event, AgentStarted) and (agent := getattr(event, "agent_id", None)) is not None:
            parts.append(f"of {self._agents.get(agent, 'an earlier agent')}")
        return " ".join(" ".join(parts).split())


def moments_of(recorded: Iterable[Recorded]) -> Counter[str]:
    names = Moments()
    return Counter(names.name(one.event) for one in recorded)
