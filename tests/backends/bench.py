"""A project with a folder, and its tracker, for tests of trackers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator_tui.backends.base import OpenTracker, TrackerContext
from orchestrator_tui.backends.conformance import Bench
from orchestrator_tui.backends.registry import find_tracker
from orchestrator_tui.config.loader import Settings
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain.clock import new_id


@asynccontextmanager
async def bench(folder: Path, kind: str | OpenTracker, url: str | None = None) -> AsyncIterator[Bench]:
    """A bench in `folder`, on a tracker by its name or by what opens it; on SQLite when no database is given."""
    directory = folder / "project"
    directory.mkdir(exist_ok=True)
    async with open_store(url or sqlite_url(folder / "store.db")) as store:
        known = await store.list_projects()
        if not known:
            async with store.transaction() as unit:
                made = await unit.create_project(
                    project_id=new_id(),
                    name="Mdcheck",
                    slug="mdcheck",
                    description="A checker for links in Markdown files.",
                    directory=str(directory),
                    rehearsal=True,
                    config={},
                )
            known = [made]
        context = TrackerContext(project=known[0], store=store, settings=Settings(), environ={})
        yield Bench(open_tracker=find_tracker(kind) if isinstance(kind, str) else kind, context=context)
