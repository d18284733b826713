"""Databases as the dashboard may find them: many projects, or one with agents that are at work and say nothing."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestrator_tui.config.paths import find_paths
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.events import AgentSaid, AgentStarted
from orchestrator_tui.domain.owner import this_process
from orchestrator_tui.domain.records import Project, SessionLog
from orchestrator_tui.domain.statuses import PhaseName, PhaseStatus, PipelineStatus

SAID = 300
"""Messages each quiet agent has said before."""


def database(home: Path) -> Path:
    """The database that a program with `home` as its home opens."""
    return find_paths({"ORCHESTRATOR_HOME": str(home)}).database


async def seed_projects(home: Path, count: int) -> str:
    """So many projects that are through; returns the name of the newest.

    The first is made by the store, the others are copies of its rows.
    """
    async with open_store(sqlite_url(database(home))) as store:
        project = await _make(store, home)
        async with store.transaction() as unit:
            await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.COMPLETED)
    with closing(sqlite3.connect(database(home))) as connection, connection:
        changes = [(number, new_id()) for number in range(2, count + 1)]
        _copy(connection, "projects", ({"id": id, **_names(home, number)} for number, id in changes))
        _copy(connection, "pipeline_states", ({"id": new_id(), "project_id": id} for _, id in changes))
    return str(_names(home, count)["name"])


def _names(home: Path, number: int) -> dict[str, Any]:
    name = f"project-{number:05}"
    return {"number": number, "name": name, "slug": name, "directory": str(home / name)}


async def _make(store: SqlStore, home: Path) -> Project:
    async with store.transaction() as unit:
        return await unit.create_project(
            project_id=new_id(),
            name="project-00001",
            slug="project-00001",
            description="A checker for links in Markdown files.",
            directory=str(home / "project-00001"),
            rehearsal=True,
            config={},
        )


def _copy(connection: sqlite3.Connection, table: str, changes: Iterator[Mapping[str, Any]]) -> None:
    """The first row of `table` again, once for each of `changes` with these values changed."""
    cursor = connection.execute(f"SELECT * FROM {table} LIMIT 1")
    names = [column[0] for column in cursor.description]
    row = dict(zip(names, cursor.fetchone(), strict=True))
    places = ", ".join(f":{name}" for name in names)
    connection.executemany(f"INSERT INTO {table} VALUES ({places})", ({**row, **change} for change in changes))


async def seed_quiet_agents(home: Path, count: int) -> str:
    """One project that this process runs, with so many agents at work; returns its name."""
    async with open_store(sqlite_url(database(home))) as store:
        project = await _make(store, home)
        async with store.transaction() as unit:
            await unit.set_pipeline_status(project.id, PipelineStatus.NOT_STARTED, PipelineStatus.RUNNING)
            await unit.set_phase_status(project.id, PhaseName.IMPLEMENT, PhaseStatus.PENDING, PhaseStatus.RUNNING)
            await unit.take_lease(project.id, this_process())
        for _ in range(count):
            await _start_agent(store, project.id)
    return project.name


async def _start_agent(store: SqlStore, project_id: str) -> None:
    async with store.transaction() as unit:
        session = await unit.start_session(
            SessionLog(
                id=new_id(),
                project_id=project_id,
                phase=PhaseName.IMPLEMENT,
                session_number=0,
                role="developer",
                work_item_id=None,
                model="claude",
                started_at=now(),
            )
        )
        started = AgentStarted(
            agent_id=session.id,
            phase=session.phase,
            role=session.role,
            session_number=session.session_number,
            model=session.model,
            scripted=True,
        )
        said = (AgentSaid(agent_id=session.id, text=f"{line} I read the plan, then its tests.") for line in range(SAID))
        unit.record(project_id, started, *said)
