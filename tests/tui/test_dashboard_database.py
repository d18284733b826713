import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.tui.bridge import Contact
from orchestrator_tui.tui.link import OpenClient
from tests.conftest import PostgresForTests
from tests.tui.board import REHEARSED, board


@dataclass
class Door:
    """The engine is opened once the door is."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def before(self, open_client: OpenClient) -> OpenClient:
        @asynccontextmanager
        async def later() -> AsyncIterator[EngineClient]:
            await self.opened.wait()
            async with open_client() as client:
                yield client

        return later


async def test_the_screen_is_there_and_keys_work_before_the_projects_are_open(tmp_path: Path) -> None:
    door = Door()
    async with board(tmp_path / "home", opening=door.before, reached=None) as it:
        await it.shows("Opening the projects", "Describe what to build")
        await it.press("f1")
        await it.shows("Keys: everywhere")
        await it.leave()
        await it.send("/theme light")
        await it.until(lambda: it.app.theme == "light" and it.typed == "")
        await it.send("/projects")
        await it.shows("› /projects")
        assert it.app.screen is it.app.main_screen
        door.opened.set()
        await it.shows("Projects · 0")


async def test_an_idea_typed_before_the_projects_are_open_is_built_as_soon_as_they_are(tmp_path: Path) -> None:
    door = Door()
    async with board(tmp_path / "home", opening=door.before, reached=None) as it:
        await it.shows("Opening the projects")
        await it.command("A page")
        await it.shows("Run with")
        await it.look()
        await it.press("enter")
        door.opened.set()
        await it.question("example waits for you")


async def test_leaving_does_not_wait_for_a_database_that_never_opens(tmp_path: Path) -> None:
    async with board(tmp_path / "home", opening=Door().before, reached=None) as it:
        await it.shows("Opening the projects")
        await it.press("ctrl+q")
        await it.until(lambda: it.app.return_code is not None)
        assert it.app.return_code == 0


async def test_a_database_that_cannot_be_opened_is_told_tried_again_and_opened(tmp_path: Path) -> None:
    in_its_place = tmp_path / "home" / "orchestrator.db"
    in_its_place.mkdir(parents=True)
    async with board(tmp_path / "home", reached=Contact.LOST) as it:
        await it.says("it cannot be opened")
        await it.says("it is tried again")
        await it.refused("/projects", "Database", "it cannot be opened")
        await it.refused("/stop", "Database", "it cannot be opened")
        await it.press("f2")
        await it.shows("Settings ·", "Allowed: text")
        await it.leave()
        in_its_place.rmdir()
        await it.shows("Type what you want built")
        await it.until(lambda: it.app.bridge.contact is Contact.OPEN)
        await it.send("/projects")
        await it.shows("Projects · 0")


async def test_a_database_that_goes_away_is_told_what_is_shown_stays_and_it_comes_back_by_itself(
    tmp_path: Path, postgres: PostgresForTests
) -> None:
    async with postgres.migrated_database() as url:
        given: Mapping[str, Any] = {"environ": {"DATABASE_URL": url}, "place": "PostgreSQL"}
        async with board(tmp_path / "home", first=REHEARSED, **given) as it:
            await it.question("small waits for you")
            await it.press("escape")
            await it.shows("agent-1 analyst")
            async with postgres.gone(url):
                await it.shows("there is no such database", "What you see is kept")
                assert "agent-1 analyst" in await it.shows("small", "● you")
                await it.refused("/stop", "Database", "there is no such database")
                await it.refused("/approve", "Database", "there is no such database")
                await it.send("/cost")
                await it.shows("Cost", "there is no such database")
                await it.leave()
                await it.refused("@agent-1 hello", "Database", "there is no such database")
                await it.send("A new idea")
                await it.shows("Run with")
                await it.look()
                await it.press("enter")
                await it.shows("×", "there is no such database")
                assert "A new idea" not in it.typed
                await it.leave()
            await it.until(lambda: it.app.bridge.contact is Contact.OPEN)
            await it.until(lambda: "What you see is kept" not in it.shown)
            await it.send("/resume 1")
            await it.question("small waits for you", "a Approve")
            await it.press("a")
            await it.until(lambda: it.project.phases[PhaseName.ARCHITECTURE].round == 1)
