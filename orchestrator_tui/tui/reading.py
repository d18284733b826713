"""Reads through the engine's pages to their end."""

from collections.abc import Sequence

from orchestrator_tui.domain.records import ProjectOverview, SessionLog, WorkItem
from orchestrator_tui.engine.client import EngineClient, as_they_are
from orchestrator_tui.tui.history import names_of

PAGE = 200
ABOVE_ALL = 2**31 - 1
"""A number that no project has: those before it are all of them."""


async def read_sessions(client: EngineClient, project_id: str) -> list[SessionLog]:
    """All sessions of a project, the first one first."""
    found: list[SessionLog] = []
    while page := await client.sessions(project_id, after=found[-1].session_number if found else 0, limit=PAGE):
        found += page
        if len(page) < PAGE:
            break
    return found


async def read_items(client: EngineClient, project_id: str) -> list[WorkItem]:
    """All work items of a project, by number."""
    found: list[WorkItem] = []
    while page := await client.items(project_id, after=found[-1].number if found else 0, limit=PAGE):
        found += page
        if len(page) < PAGE:
            break
    return found


async def read_names(client: EngineClient, project_id: str) -> dict[str, str]:
    """What the history calls a project's agents and work items, by their ids."""
    return names_of(await read_sessions(client, project_id), await read_items(client, project_id))


async def read_overviews(client: EngineClient) -> Sequence[ProjectOverview]:
    """All projects, the newest first."""
    found: list[ProjectOverview] = []
    while page := await read_overview_page(client, found):
        found += page
        if len(page) < PAGE:
            break
    return found


async def read_overview_page(client: EngineClient, found: Sequence[ProjectOverview]) -> Sequence[ProjectOverview]:
    """The projects after those that were found, the newest first."""
    before = found[-1].project.number if found else ABOVE_ALL
    page = await client.snapshot(before=before, limit=PAGE)
    return await as_they_are(client, page.projects)
