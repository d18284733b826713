"""Follows one project to its end: shows what happens, asks a person where one is there, stops when told to."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from orchestrator_tui.adapters.base import InputAdapter
from orchestrator_tui.adapters.broker import Broker
from orchestrator_tui.adapters.review import InputEnded
from orchestrator_tui.console.fold import ConsoleState, fold
from orchestrator_tui.console.interrupts import Interrupts
from orchestrator_tui.console.status import resume_command
from orchestrator_tui.console.summary import summary, what_next
from orchestrator_tui.console.tracker import at_the_end
from orchestrator_tui.console.view import View
from orchestrator_tui.domain import events, words
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.commands import Command, ResumeProject, StopProject
from orchestrator_tui.domain.errors import IllegalTransition, OrchestratorError, StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.ownership import as_it_is, takes_over
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import PipelineStatus, RequestKind
from orchestrator_tui.engine.client import EngineClient, overview_as_it_is

BY = "console"
RETRY_SECONDS = 2.0
"""How long it takes until a database that cannot be read is tried again."""

OWNER_SECONDS = 5.0
"""How often it is looked whether the process that runs the project is still there."""


class Ending(Enum):
    """Why the console no longer follows a project."""

    COMPLETED = auto()
    FAILED = auto()
    STOPPED = auto()
    WAITING = auto()


EXIT_CODES = {Ending.COMPLETED: 0, Ending.FAILED: 1, Ending.STOPPED: 3, Ending.WAITING: 3}
ENDINGS = {
    PipelineStatus.COMPLETED: Ending.COMPLETED,
    PipelineStatus.FAILED: Ending.FAILED,
    PipelineStatus.STOPPED: Ending.STOPPED,
}


class Run:
    """One project on one console. Without an `adapter` nobody is asked, and a question ends the run.

    `on_interrupt` is called when an orderly end begins. `connect` is the server that a person named.
    """

    def __init__(
        self,
        engine: EngineClient,
        view: View,
        interrupts: Interrupts,
        adapter: InputAdapter | None,
        on_interrupt: Callable[[], None] = lambda: None,
        *,
        connect: str | None = None,
    ) -> None:
        self._engine = engine
        self._view = view
        self._interrupts = interrupts
        self._broker = Broker(engine, adapter, by=BY) if adapter else None
        self._on_interrupt = on_interrupt
        self._connect = connect
        self._state = ConsoleState()
        self._project_id = ""
        self._ask_wanted = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._opening = False
        self._trouble: StoreUnavailable | None = None

    async def start(self, command: Command) -> int:
        """Create a project with `command` and follow it; returns the exit code."""
        self._state = ConsoleState(seq=(await self._engine.snapshot(limit=1)).seq)
        await self._take_on(await self._engine.submit(command))
        return await self._follow(self._drive())

    async def resume(self, project_id: str, answer: Command | None) -> int:
        """Give `answer` to what waits, if there is one, then go on with the project; returns the exit code."""
        await self._take_on(project_id)
        self._opening = True
        await self._read_history()
        if self._state.rehearsal:
            await self._view.say([words.REHEARSAL])
        return await self._follow(self._drive_on(answer))

    async def _take_on(self, project_id: str) -> None:
        self._project_id = project_id
        self._interrupts.go_on = resume_command(await self._engine.find_project(project_id), self._connect)

    async def _follow(self, driving: Coroutine[Any, Any, Ending]) -> int:
        """Watch, ask and heed signals at the same time; whichever comes to an end first ends the run."""
        tasks = [
            asyncio.create_task(self._watch(), name="console-watch"),
            asyncio.create_task(driving, name="console-drive"),
            asyncio.create_task(self._stop_when_told(), name="console-stop"),
            asyncio.create_task(self._watch_owner(), name="console-owner"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ending = next(task for task in tasks if task in done).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._tell_the_end()
        if self._interrupts.wanted.is_set() and ending in (Ending.STOPPED, Ending.WAITING):
            return self._interrupts.exit_code
        return EXIT_CODES[ending]

    # Watching

    async def _watch(self) -> Ending:
        while True:
            try:
                return await self._watch_once()
            except StoreUnavailable as error:
                # Told once, however long it lasts.
                if self._trouble is None:
                    await self._view.notice([words.clean(f"{error.title}: {error.line()} It is tried again.")])
                self._trouble = error
                await asyncio.sleep(RETRY_SECONDS)

    async def _watch_once(self) -> Ending:
        if self._trouble is not None:
            await self._status()
            await self._view.notice([f"{self._trouble.title}: it is there again."])
            self._trouble = None
        async with self._engine.subscribe(self._state.seq, project_id=self._project_id) as stream:
            async for live in stream:
                # The engine itself reads on from the store after a `Resync`.
                if isinstance(live, Recorded) and live.seq > self._state.seq:
                    await self._show(live)
                    if (ending := await self._ending(live.event)) is not None:
                        return ending
        return Ending.STOPPED

    async def _watch_owner(self) -> Ending:
        """Returns once nobody runs the project any more: a process that was killed tells nobody."""
        looks = 0
        while looks < 2:
            await asyncio.sleep(OWNER_SECONDS)
            with suppress(StoreUnavailable):
                # A project that is taken over is without an owner for a moment only.
                is_left = not self._opening and await self._status() is PipelineStatus.STOPPED
                looks = looks + 1 if is_left and not await self._is_taken_over() else 0
        return Ending.STOPPED

    async def _is_taken_over(self) -> bool:
        """Whether there are workers: one of them takes up what another has left."""
        return takes_over(await self._engine.workers())

    async def _show(self, recorded: Recorded) -> None:
        before, self._state = self._state, fold(self._state, recorded)
        await self._view.event(before, self._state, recorded)

    async def _ending(self, event: events.Event) -> Ending | None:
        match event:
            case events.InputRequested():
                self._ask_wanted.set()
            case events.InputAnswered() if event.by != BY and self._asking is not None:
                self._asking.cancel()
            case events.PipelineStatusChanged(new=PipelineStatus.PAUSED):
                return await self._paused()
            case events.PipelineStatusChanged() if event.new in ENDINGS and not self._opening:
                # Only when it is still so: a project that is taken over passes through `stopped`.
                if await self._status() is event.new:
                    return ENDINGS[event.new]
            case _:
                pass
        return None

    async def _paused(self) -> Ending | None:
        overview = await self._engine.overview(self._project_id)
        if overview.project.status is not PipelineStatus.PAUSED:
            return None
        if overview.waiting_for is not None and self._broker is not None:
            self._ask_wanted.set()
            return None
        # What goes on by itself is waited for.
        return Ending.WAITING if overview.state.resumes_at is None else None

    async def _status(self) -> PipelineStatus:
        return as_it_is(await self._engine.overview(self._project_id)).project.status

    # Asking

    async def _drive(self) -> Ending:
        while True:
            await self._ask_wanted.wait()
            self._ask_wanted.clear()
            await self._ask_all(tuple(RequestKind))

    async def _drive_on(self, answer: Command | None) -> Ending:
        if answer is not None:
            await self._engine.submit(answer)
        # What failed is simply tried again: that is what resuming it means.
        asked = await self._ask_all(tuple(set(RequestKind) - {RequestKind.ERROR_DECISION}))
        ending = await self._go_on(answered=asked or answer is not None)
        self._opening = False
        return ending if ending is not None else await self._drive()

    async def _go_on(self, *, answered: bool) -> Ending | None:
        """Have the engine run the project, unless the answer did so already."""
        status = await self._status()
        if not (answered and status in (PipelineStatus.RUNNING, PipelineStatus.COMPLETED)):
            await self._engine.submit(ResumeProject(project_id=self._project_id))
        overview = await self._engine.overview(self._project_id)
        match overview.project.status:
            case PipelineStatus.COMPLETED:
                return Ending.COMPLETED
            case PipelineStatus.PAUSED:
                return await self._paused()
            case _:
                return None

    async def _ask_all(self, kinds: tuple[RequestKind, ...]) -> bool:
        """Ask until nothing of these kinds is open; whether anything was asked."""
        asked = False
        while self._broker is not None and not self._interrupts.wanted.is_set():
            requests = await self._engine.requests(self._project_id)
            request = next((request for request in requests if request.kind in kinds), None)
            if request is None:
                break
            asked = True
            await self._ask(self._broker, request)
        return asked

    async def _ask(self, broker: Broker, request: InputRequest) -> None:
        """Ask one question; when somebody else answers it meanwhile, it disappears."""
        async with self._view.held():
            self._asking = asyncio.create_task(broker.answer(request), name="console-ask")
            try:
                await asyncio.wait({self._asking})
            finally:
                self._asking.cancel()
                await asyncio.gather(self._asking, return_exceptions=True)
        try:
            if not self._asking.cancelled():
                self._asking.result()
        except InputEnded as error:
            await self._view.notice([words.clean(error.line())])
            self._interrupts.ask(EXIT_CODES[Ending.WAITING])
            await asyncio.Event().wait()
        except OrchestratorError as error:
            await self._view.notice([words.clean(f"{error.title}: {error.line()}")])

    # Ending

    async def _stop_when_told(self) -> Ending:
        await self._interrupts.wanted.wait()
        self._on_interrupt()
        if self._asking is not None:
            self._asking.cancel()
        await self._view.notice(
            ["Stopping gracefully: everything is saved. Ctrl-C again does not wait for the agents."]
        )
        async with asyncio.TaskGroup() as group:
            hurry = group.create_task(self._hurry_when_told(), name="console-hurry")
            with suppress(IllegalTransition):
                await self._engine.submit(StopProject(project_id=self._project_id))
                if await self._status() in (PipelineStatus.RUNNING, PipelineStatus.STOPPING):
                    # Another process does it; the watching task sees it end.
                    await asyncio.Event().wait()
            hurry.cancel()
        return ENDINGS.get(await self._status(), Ending.STOPPED)

    async def _hurry_when_told(self) -> None:
        await self._interrupts.forced.wait()
        await self._view.notice(["Saving now, without waiting for the agents. Ctrl-C once more leaves at once."])
        with suppress(IllegalTransition):
            await self._engine.submit(StopProject(project_id=self._project_id, force=True))

    async def _tell_the_end(self) -> None:
        """Show what was stored but not shown yet, then the summary."""
        while page := await self._engine.events(after_seq=self._state.seq, project_id=self._project_id):
            for recorded in page:
                await self._show(recorded)
        overview = await overview_as_it_is(self._engine, self._project_id)
        artifacts = await self._engine.artifacts(self._project_id)
        tracker = await self._engine.tracker(self._project_id)
        await self._view.say(summary(overview, artifacts, self._state.commits, now(), items_at=tracker.link))
        if lines := at_the_end(overview.project, tracker, self._connect):
            await self._view.notice(["", *lines])
        if lines := what_next(overview, self._connect):
            await self._view.notice(["", *lines])

    async def _read_history(self) -> None:
        while page := await self._engine.events(after_seq=self._state.seq, project_id=self._project_id):
            for recorded in page:
                self._state = fold(self._state, recorded)
