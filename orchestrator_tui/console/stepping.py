"""What a person says from another terminal to the agents of a project: words for one at work, or for the next."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from orchestrator_tui.domain.commands import InterruptAgent, LeaveNote, SteerAgent, Stepping
from orchestrator_tui.domain.errors import UsageError
from orchestrator_tui.domain.records import Project, ProjectOverview, SessionLog, WorkItem
from orchestrator_tui.domain.statuses import AgentStatus, WorkItemStatus
from orchestrator_tui.engine.client import EngineClient

BY = "console"
PAGE = 200
NO_KEYS: Mapping[str, str] = MappingProxyType({})


async def keys(engine: EngineClient, project: Project) -> Mapping[str, str]:
    """The keys of the work items that somebody is at, by their ids."""
    return {one.id: one.key for one in await engine.items(project.id, status=WorkItemStatus.IN_PROGRESS)}


def steer(
    overview: ProjectOverview, text: str, agent: str | None, keys: Mapping[str, str] = NO_KEYS
) -> tuple[SteerAgent, str]:
    """Words for an agent at work, the only one without a name; and what to tell the person. With the `keys` of items an
    agent is also known by the item it is at.

    Raises:
        UsageError: nobody is at work, or not that one, or several and none is named.
    """
    wanted = _named(overview, agent, keys)
    if len(wanted) != 1:
        raise UsageError("Several agents are at work.", hint=f"Name one with --agent: {_all(wanted, keys)}.")
    [session] = wanted
    command = SteerAgent(project_id=overview.project.id, agent_id=session.id, text=text, by=BY)
    return command, f"{_name(session)} takes it in at its next step."


def interrupt(
    overview: ProjectOverview, agent: str | None, keys: Mapping[str, str] = NO_KEYS
) -> tuple[InterruptAgent, str]:
    """The end of the present step of one agent, or of all without a name; and what to tell the person. With the `keys`
    of items an agent is also known by the item it is at.

    Raises:
        UsageError: nobody is at work, or not that one.
    """
    wanted = _named(overview, agent, keys)
    only = wanted[0].id if agent is not None else None
    whose = _all(wanted, keys)
    told = f"The present step is stopped: {whose}. --steer says what to do instead; else it goes on in a while."
    return InterruptAgent(project_id=overview.project.id, agent_id=only, by=BY), told


async def note(engine: EngineClient, project: Project, text: str, key: str | None) -> tuple[LeaveNote, str]:
    """Words for the next session, of a work item when its key is given; and what to tell the person.

    Raises:
        UsageError: there is no such item.
    """
    item = await _item(engine, project, key) if key is not None else None
    command = LeaveNote(project_id=project.id, text=text, work_item_id=item.id if item else None, by=BY)
    return command, f"The next session {f'of {item.key} ' if item else ''}is told."


def as_json(command: Stepping, project: Project, told: str) -> dict[str, object]:
    """What was done as JSON-safe data."""
    kind = {SteerAgent: "steer", InterruptAgent: "interrupt", LeaveNote: "note"}[type(command)]
    return {"type": kind, "project": project.number, "told": told}


def _named(overview: ProjectOverview, agent: str | None, keys: Mapping[str, str]) -> Sequence[SessionLog]:
    running = [one for one in overview.running if one.status is AgentStatus.RUNNING]
    if not running:
        raise UsageError(f"No agent of {overview.project.name} is at work.", hint="--note leaves words for the next.")
    if agent is None:
        return running
    wanted = agent.removeprefix("@")
    found = [one for one in running if wanted in (_name(one), str(one.session_number))]
    found = found or [one for one in running if wanted.upper() == keys.get(one.work_item_id or "")]
    if not found:
        raise UsageError(f"{agent} is not at work.", hint=f"These are: {_all(running, keys)}.")
    return found


def _name(session: SessionLog) -> str:
    return f"agent-{session.session_number}"


def _all(running: Sequence[SessionLog], keys: Mapping[str, str]) -> str:
    return ", ".join(f"{_name(one)} ({_at_what(one, keys)})" for one in running)


def _at_what(session: SessionLog, keys: Mapping[str, str]) -> str:
    key = keys.get(session.work_item_id or "")
    return f"{session.role}, {key}" if key else session.role


async def _item(engine: EngineClient, project: Project, key: str) -> WorkItem:
    after = 0
    while page := await engine.items(project.id, after=after, limit=PAGE):
        for item in page:
            if item.key.casefold() == key.casefold():
                return item
        after = page[-1].number
    raise UsageError(f"{project.name} has no work item {key}.", hint="The key is such as TASK-3.")
