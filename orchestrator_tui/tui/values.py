"""Which values the arguments of commands can have now: for completion, and for errors that say what exists."""

from collections.abc import Callable, Iterable

from orchestrator_tui.domain.statuses import PHASE_ORDER
from orchestrator_tui.tui.bridge import Bridge
from orchestrator_tui.tui.commands import Kind
from orchestrator_tui.tui.slash import Value, Values
from orchestrator_tui.tui.view import AgentView


def values_of(bridge: Bridge, themes: Callable[[], Iterable[str]]) -> Values:
    """Says what exists at the moment it is asked."""

    def values(kind: Kind) -> Iterable[Value]:
        match kind:
            case Kind.PROJECT:
                return [Value(str(one.number), one.name) for one in bridge.dashboard.in_order()]
            case Kind.PHASE:
                return [Value(phase.value) for phase in PHASE_ORDER]
            case Kind.AGENT:
                return [Value(agent_name(agent), agent.role) for agent in agents_of(bridge)]
            case Kind.ITEM:
                return [Value(item.key, item.title) for item in bridge.feed.items.values()] if bridge.feed else []
            case Kind.SETTING:
                # Imported here: it brings all settings with it.
                from orchestrator_tui.config.keys import known_keys

                return [Value(key) for key in known_keys()]
            case Kind.THEME:
                return [Value(name) for name in themes()]
            case Kind.COMMAND | Kind.TEXT:
                return []

    return values


def agents_of(bridge: Bridge) -> list[AgentView]:
    """The agents of the selected project that are known, those at work first, the newest first."""
    if bridge.feed is None:
        return []
    project = bridge.dashboard.projects.get(bridge.feed.project_id)
    known = {**bridge.feed.agents, **(project.agents if project else {})}
    return sorted(known.values(), key=lambda agent: (agent.ended_at is not None, -agent.number))


def agent_name(agent: AgentView) -> str:
    """What people call an agent."""
    return f"agent-{agent.number}"
