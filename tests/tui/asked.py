"""A question of a real engine on a stage: events reach the screen as they happen, time passes when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine, open_store_for
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import Choice, PhaseName, RequestKind
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.tui.guard import Guard
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.screens.asking import Question
from orchestrator_tui.tui.screens.question import question_screen
from orchestrator_tui.tui.view import Dashboard
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched, launch
from tests.tui.stage import WIDE, Stage, context, played_project, sees, text_of, until


@dataclass
class Hand:
    """A clock that a test moves."""

    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Asked:
    """A question on the screen; `answers` has what its modal was dismissed with."""

    run: Watched
    pilot: Pilot[Any]
    screen: Question
    hand: Hand
    answers: list[bool | None] = field(default_factory=list)

    async def press(self, *keys: str) -> None:
        """Presses keys after the person has looked."""
        await until(self.pilot, lambda: not self.screen._showing)
        self.hand.seconds += 10
        await self.pilot.press(*keys)

    async def sees(self, *words: str) -> None:
        await until(self.pilot, lambda: sees(self.pilot, *words))

    async def closed(self) -> bool | None:
        await until(self.pilot, lambda: self.answers)
        return self.answers[0]

    def shown(self) -> str:
        return text_of(self.pilot)


@asynccontextmanager
async def asked(
    run: Watched, home: Path, request: InputRequest | None = None, *, size: tuple[int, int] = WIDE
) -> AsyncIterator[Asked]:
    """Opens what the project waits for, or `request`, over a screen with an input."""
    request = request or await run.request()
    hand = Hand()
    app = Stage(Input())
    async with app.run_test(size=size) as pilot:
        screen = question_screen(context(run.engine, home), request, "demo")
        screen.guard = Guard(hand)
        case = Asked(run=run, pilot=pilot, screen=screen, hand=hand)
        app.push_screen(screen, case.answers.append)
        pump = asyncio.create_task(_pump(run, screen), name="pump")
        try:
            await until(pilot, lambda: screen.is_mounted and screen._seen)
            # It looks whether it is still asked, also when it has only just opened.
            await app.workers.wait_for_complete()
            await pilot.pause()
            yield case
        finally:
            pump.cancel()
            await asyncio.wait({pump})


async def _pump(run: Watched, screen: Question) -> None:
    async with run.engine.subscribe(0, project_id=run.project_id) as stream:
        async for live in stream:
            if isinstance(live, Recorded):
                screen.post_message(Happened(Dashboard(), (live,)))


@asynccontextmanager
async def asked_at_checkpoint(home: Path, *, items: int = 3, size: tuple[int, int] = WIDE) -> AsyncIterator[Asked]:
    """The first approval of a project."""
    async with played_project(home, items=items, autonomy="checkpoint") as run, asked(run, home, size=size) as case:
        yield case


@asynccontextmanager
async def asked_about(
    home: Path,
    kind: RequestKind,
    choices: Sequence[Choice],
    *,
    body: str,
    title: str = "A question",
    size: tuple[int, int] = WIDE,
) -> AsyncIterator[Asked]:
    """Something a resting project is asked besides."""
    async with played_project(home, autonomy="checkpoint") as run:
        request = replace(
            await run.request(),
            id=new_id(),
            kind=kind,
            phase=PhaseName.IMPLEMENT if kind is not RequestKind.ERROR_DECISION else None,
            title=title,
            body=body,
            choices=tuple(choices),
            content_hash=new_id(),
            artifact_id=None,
            created_at=now(),
        )
        async with open_store_for(launch(home, None), Bus()) as store, store.transaction() as unit:
            await unit.open_request(request)
        async with asked(run, home, request, size=size) as case:
            yield case


@asynccontextmanager
async def swarm_project(home: Path) -> AsyncIterator[Watched]:
    """A project whose planning is done by swarms, at its first checkpoint."""
    runtime = ReplayRuntime(generated_scenario(3))
    async with open_engine(launch(home, None, autonomy="checkpoint"), runtime=runtime) as engine:
        run = Watched(engine=engine)
        await run.create()
        await run.until_rest()
        yield run
