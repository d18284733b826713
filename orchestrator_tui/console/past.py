"""Shows what a project has done so far, and what it does from now on while it runs somewhere."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from orchestrator_tui.console.fold import ConsoleState, fold
from orchestrator_tui.console.status import resume_command
from orchestrator_tui.console.view import View
from orchestrator_tui.domain.commands import StopProject
from orchestrator_tui.domain.errors import IllegalTransition
from orchestrator_tui.domain.events import PipelineStatusChanged, Recorded
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import AT_WORK, PauseReason, PipelineStatus
from orchestrator_tui.engine.client import EngineClient


class Past:
    """One project's events, folded as they are shown, so that every line knows who did what."""

    def __init__(self, engine: EngineClient, view: View, project: Project) -> None:
        self._engine = engine
        self._view = view
        self._project_id = project.id
        self._state = ConsoleState()

    async def show(self) -> None:
        """Every stored event, the oldest first."""
        await self._read(shown=True)

    async def follow(self) -> None:
        """What happens from here on, until the project rests."""
        if await self._rests():
            return
        async with self._engine.subscribe(self._state.seq, project_id=self._project_id) as stream:
            async for live in stream:
                if isinstance(live, Recorded) and live.seq > self._state.seq:
                    await self._take(live, shown=True)
                    if isinstance(live.event, PipelineStatusChanged) and await self._rests():
                        return

    async def stop(self) -> PipelineStatus:
        """Stop the project, whichever process runs it, and show how that goes; the status it rests in.

        Raises:
            IllegalTransition: there is nothing to stop.
        """
        await self._read(shown=False)
        while True:
            await self._engine.submit(StopProject(project_id=self._project_id))
            await self.follow()
            await self._read(shown=True)
            # A project that paused in the moment its stop was asked for has not stopped yet.
            if (status := await self._status()) is not PipelineStatus.PAUSED:
                return status

    async def _read(self, *, shown: bool) -> None:
        while page := await self._engine.events(after_seq=self._state.seq, project_id=self._project_id):
            for recorded in page:
                await self._take(recorded, shown=shown)

    async def _take(self, recorded: Recorded, *, shown: bool) -> None:
        before, self._state = self._state, fold(self._state, recorded)
        if shown:
            await self._view.event(before, self._state, recorded)

    async def _rests(self) -> bool:
        """Whether it does nothing; one that is being handed over from one process to another goes on in a moment."""
        overview = await self._engine.overview(self._project_id)
        handed_over = overview.state.shutdown_reason == PauseReason.HAND_OVER
        return overview.project.status not in AT_WORK and not handed_over

    async def _status(self) -> PipelineStatus:
        return (await self._engine.find_project(self._project_id)).status


async def stop_each(engine: EngineClient, view: View, projects: Sequence[Project], connect: str | None = None) -> None:
    """Stop projects, all at the same time, and say of each how it rests then. `connect` is the server that a person
    named."""
    async with asyncio.TaskGroup() as group:
        for project in projects:
            group.create_task(_stop(engine, view, project, connect), name=f"stop-{project.slug}")


async def _stop(engine: EngineClient, view: View, project: Project, connect: str | None) -> None:
    # It may have come to its end in this moment.
    with suppress(IllegalTransition):
        await Past(engine, view, project).stop()
    status = (await engine.find_project(project.id)).status
    go_on = "" if status is PipelineStatus.COMPLETED else f" Go on with: {resume_command(project, connect)}"
    await view.notice([f"{project.name}: {status.value}.{go_on}"])
