"""Which events belong to a phase, and when it ran; pure."""

from collections.abc import Collection, Sequence
from datetime import datetime

from orchestrator_tui.domain.events import AgentSaid, AgentStarted, PhaseStatusChanged, Recorded
from orchestrator_tui.domain.records import Artifact, PhaseState, SessionLog
from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus
from orchestrator_tui.tui.happenings import Happening, Kind, line_of, named

AT_WORK = (PhaseStatus.RUNNING, PhaseStatus.AWAITING_APPROVAL)


class PhaseHistory:
    """The lines of one phase. `take` is called with all events of the project from the phase's start, in order."""

    def __init__(self, phase: PhaseName, agents: Collection[str], names: dict[str, str]) -> None:
        """`agents` are the ids of the phase's agents so far, `names` what people call agents and items."""
        self.lines: list[Happening] = []
        self.seq = 0
        self._phase = phase
        self._agents = set(agents)
        self._names = names
        self._current: PhaseName | None = None

    def take(self, recorded: Recorded) -> bool:
        """Whether the event has become a line."""
        if recorded.seq <= self.seq:
            return False
        self.seq = recorded.seq
        event = recorded.event
        if pair := named(event):
            self._names.setdefault(*pair)
        if isinstance(event, PhaseStatusChanged) and event.new in AT_WORK:
            self._current = event.phase
        if isinstance(event, AgentStarted) and event.phase is self._phase:
            self._agents.add(event.agent_id)
        if isinstance(event, AgentSaid) or not self._belongs(recorded):
            return False
        line = line_of(recorded, self._names)
        if line is None or line.kind is Kind.TOOL:
            # What an agent said and did is in its session's log.
            return False
        self.lines.append(line)
        return True

    def _belongs(self, recorded: Recorded) -> bool:
        event = recorded.event
        phase = getattr(event, "phase", None)
        if phase is not None:
            return bool(phase == self._phase)
        agent_id = getattr(event, "agent_id", None)
        return agent_id in self._agents if agent_id is not None else self._current is self._phase


def began(phase: PhaseState, sessions: Sequence[SessionLog], artifacts: Sequence[Artifact]) -> datetime | None:
    """When a phase began for the first time; None when it has not."""
    moments = [session.started_at for session in sessions] + [artifact.created_at for artifact in artifacts]
    return min([*moments, *([phase.started_at] if phase.started_at else [])], default=None)


def ended(phase: PhaseState, sessions: Sequence[SessionLog]) -> datetime | None:
    """When it came to its end; None while that is open."""
    if phase.status not in (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED) or phase.ended_at is None:
        return None
    return max([phase.ended_at, *(session.ended_at for session in sessions if session.ended_at)])
