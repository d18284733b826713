"""The process is killed at every step of making 250 issues; Linear holds exactly 250 in the end."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from orchestrator_tui.backends.linear.tracker import open_tracker
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain.statuses import WorkItemStatus
from tests.backends.linear.conftest import context_of
from tests.backends.linear.fake import FakeLinear
from tests.backends.linear.test_sending import plan, told
from tests.conftest import make_project
from tests.lives import PATIENCE, life

MANY = 250
KILLED = -signal.SIGKILL
MOST_LIVES = 40


def one_life(database: Path, url: str) -> None:
    """Make the project's items, or go on with them, until Linear has all of them."""
    asyncio.run(_live(database, url))


async def _live(database: Path, url: str) -> None:
    async with open_store(sqlite_url(database)) as store:
        known = await store.list_projects()
        project = known[0] if known else await make_project(store, "mdcheck")
        async with open_tracker(context_of(store, project, url)) as tracker:
            if not await tracker.list_work_items(project.id):
                items = await tracker.create_work_items(plan(project, MANY))
                await tracker.add_comment(items[0].id, "Said once.", author="developer")
                await tracker.update_work_item(items[0].id, {"status": WorkItemStatus.DONE})
            await tracker.initialize(project.id, Path(project.directory))
            while (await tracker.sync(project.id)).pending:
                pass


async def live(fake: FakeLinear, database: Path, step: int, *, before: bool) -> int:
    """One life, killed when it asks for the `step`-th time, before or after that is carried out; its exit code."""
    with life(one_life, database, fake.url) as process:
        first = len(fake.asked)

        def killing(number: int) -> None:
            if number - first == step and process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)

        nothing: Callable[[int], None] = lambda number: None  # noqa: E731
        fake.before, fake.done = (killing, nothing) if before else (nothing, killing)
        await asyncio.to_thread(process.join, PATIENCE)
        assert process.exitcode is not None, "it goes on and on"
        return process.exitcode


async def test_killed_at_any_step_of_making_250_issues_there_are_250_in_the_end(
    fake: FakeLinear, tmp_path: Path
) -> None:
    database = tmp_path / "store.db"
    lives = 1
    while (code := await live(fake, database, step=lives, before=lives % 2 == 0)) != 0:
        assert code == KILLED
        lives += 1
        assert lives < MOST_LIVES
    world = fake.world
    told(f"{lives} lives: {len(world.issues)} issues, {len(world.relations)} relations")
    assert lives > 4
    assert (len(world.issues), len(world.relations), len(world.projects)) == (MANY, MANY - 1, 1)
    assert len(world.comments) == 1 and len(world.documents) == 1
    assert {issue["title"] for issue in world.issues.values()} == {f"Item {number}" for number in range(MANY)}
    assert world.state_of(world.by_title("Item 0")) == "completed"
