"""Which agent is in which pane: one at work keeps its place, one that has ended keeps it while it can; pure."""

from collections.abc import Collection, Mapping, Sequence

from orchestrator_tui.domain.statuses import AgentStatus
from orchestrator_tui.tui.view import AgentView

Places = tuple[str | None, ...]
"""The agent id of each pane, None for one that shows nothing."""


def placed(before: Places, count: int, agents: Mapping[str, AgentView], held: Collection[str] = ()) -> Places:
    """The `count` places after `before`. Panes of agents in `held` are being read: they are not taken for another.

    Who ended before any of those at work began leaves, so that these have the room.
    """
    gone = {one for one in agents if one not in held and _is_left_behind(agents[one], agents)}
    places = _resized([one if one in agents and one not in gone else None for one in before], count, agents)
    waiting = [agent for agent in agents.values() if is_at_work(agent) and agent.agent_id not in places]
    for agent in sorted(waiting, key=lambda agent: agent.started_at):
        if (free := _free_place(places, agents, held)) is None:
            break
        places[free] = agent.agent_id
    if not any(places):
        places = [*_last_ended(agents, count), *[None] * count][:count]
    return tuple(places)


def is_at_work(agent: AgentView) -> bool:
    return agent.status is AgentStatus.RUNNING


def _is_left_behind(agent: AgentView, agents: Mapping[str, AgentView]) -> bool:
    at_work = [other for other in agents.values() if is_at_work(other)]
    ended = agent.ended_at
    return ended is not None and bool(at_work) and all(other.started_at >= ended for other in at_work)


def newest_last(agents: Collection[AgentView]) -> Sequence[AgentView]:
    """Agents in the order they ended, those still at work after them."""
    return sorted(agents, key=lambda agent: (agent.ended_at is None, agent.ended_at or agent.started_at, agent.number))


def _resized(places: list[str | None], count: int, agents: Mapping[str, AgentView]) -> list[str | None]:
    """As many places as there is room for; those that must go show nothing, or who ended first."""
    while len(places) > count:
        order = [agents[one] if one else None for one in places]
        shown = newest_last([agent for agent in order if agent])
        gone = None if None in places else shown[0].agent_id if not is_at_work(shown[0]) else places[-1]
        places.remove(gone)
    return [*places, *[None] * (count - len(places))]


def _free_place(places: list[str | None], agents: Mapping[str, AgentView], held: Collection[str]) -> int | None:
    if None in places:
        return places.index(None)
    ended = [agents[one] for one in places if one and one not in held and not is_at_work(agents[one])]
    return places.index(newest_last(ended)[0].agent_id) if ended else None


def _last_ended(agents: Mapping[str, AgentView], count: int) -> Sequence[str]:
    return [agent.agent_id for agent in newest_last(agents.values())[-count:]]
