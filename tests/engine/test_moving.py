import asyncio
import json
import os
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from orchestrator_tui.backends.json_file import disk
from orchestrator_tui.backends.json_file.journal import Journal
from orchestrator_tui.backends.json_file.tracker import JsonTracker
from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.commands import MoveTracker
from orchestrator_tui.domain.records import Project, WorkItem
from tests.database.samples import item
from tests.lives import light_scenario, lived
from tests.replay_runtime import ReplayRuntime
from tests.running import launch

MANY = 250
KILLED = -signal.SIGKILL
MOST_LIVES = 60


def die_at(step: int) -> None:
    """Kill this process at the given step of a move: right before, or right after, something is written."""
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            count()
            result = function(*arguments, **named)
            count()
            return result

        return call

    for owner, name in ((disk, "replace"), (Journal, "append"), (JsonTracker, "_put_away")):
        setattr(owner, name, counted(getattr(owner, name)))
    store_events = SqlUnitOfWork.store_events

    async def storing(self: SqlUnitOfWork) -> Any:
        count()
        recorded = await store_events(self)
        count()
        return recorded

    SqlUnitOfWork.store_events = storing  # type: ignore[method-assign]


def moved(home: Path, kind: str, step: int) -> None:
    """Move the only project to a tracker, unless this process is killed first."""
    die_at(step)
    asyncio.run(_move(home, kind))


async def _move(home: Path, kind: str) -> None:
    async with open_engine(launch(home, None), runtime=ReplayRuntime(light_scenario(1))) as engine:
        (project,) = await engine.projects()
        await engine.submit(MoveTracker(project_id=project.id, kind=kind))


def until_moved(home: Path, kind: str) -> int:
    """Move, killed at the first step, then at the second, and so on; how often it was killed."""
    for step in range(1, MOST_LIVES):
        code = lived(moved, home, kind, step)
        if code == 0:
            return step - 1
        assert code == KILLED
    raise AssertionError("it is never moved")


async def made(home: Path, name: str = "Many", count: int = MANY) -> list[WorkItem]:
    """A project with so many items, of which the first has a comment."""
    directory = home / "project" / name
    directory.mkdir(parents=True)
    start = launch(home, None)
    async with open_store(sqlite_url(start.paths.database)) as store:
        async with store.transaction() as unit:
            project = await unit.create_project(
                project_id=new_id(),
                name=name,
                slug=name.lower(),
                description="Many items.",
                directory=str(directory),
                rehearsal=True,
                config={},
            )
            items = [item(project.id, f"Item {number}", description="Does it.\nWell.") for number in range(count)]
            await unit.add_work_items(items)
            await unit.add_comment(items[0].id, "half way", author="engine")
        return list(await store.list_items(project.id, limit=5000))


async def found(home: Path) -> tuple[Project, list[WorkItem]]:
    async with open_store(sqlite_url(launch(home, None).paths.database)) as store:
        (project,) = await store.list_projects()
        return project, list(await store.list_items(project.id, limit=5000))


def test_killed_at_every_step_of_a_move_a_project_has_every_item_once_there_and_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = asyncio.run(made(home))
    assert until_moved(home, "json") > 5
    project, items = asyncio.run(found(home))
    assert (project.tracker, project.leaving, items) == ("json", None, before)
    file = home / "project" / "Many" / ".orchestrator" / "work_items.json"
    shown = json.loads(file.read_text())["items"]
    assert [entry["id"] for entry in shown] == [one.id for one in before]
    assert [comment["text"] for comment in shown[0]["comments"]] == ["half way"]
    shown[7]["title"] = "Changed by hand"
    file.write_text(json.dumps({**json.loads(file.read_text()), "items": shown}))
    assert until_moved(home, "database") > 5
    project, items = asyncio.run(found(home))
    assert (project.tracker, project.leaving) == ("database", None)
    assert items[7].title == "Changed by hand"
    assert [one.id for one in items] == [one.id for one in before]
    assert not file.exists()
    assert len([*file.parent.glob("work_items.moved-*.json")]) == 1
