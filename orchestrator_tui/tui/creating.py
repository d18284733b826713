"""Starts projects and goes on with them: from a sentence, from the command line, or as a rehearsal."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator_tui.adapters.idea import check_idea
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.tui.slash import CommandProblem

if TYPE_CHECKING:
    from orchestrator_tui.tui.app import DashboardApp
    from orchestrator_tui.tui.screens.new_project import NewProjectScreen


class Creating:
    """What leads to a project that runs and is on the screen."""

    def __init__(self, app: "DashboardApp") -> None:
        self._app = app
        self._rehearsing = False

    async def ask(self, idea: str) -> None:
        """Ask for name and folder, then start.

        Raises:
            ScenarioBroken: the rehearsal that would be offered cannot be read.
        """
        from orchestrator_tui.tui.screens.new_project import NewProjectScreen

        setup = self._app.setup
        example, name = await asyncio.to_thread(setup.rehearsal_idea)
        form = NewProjectScreen(idea, self._workspace(), setup.has_credentials, example, rehearsal_name=name)
        form.guard.opened_by(self._app.last_key, self._app.last_key_at)
        self._app.push_screen(form, lambda command: self._closed(idea, command))

    def _closed(self, idea: str, command: CreateProject | None) -> None:
        bar = self._app.main_screen.input_bar
        if command is None and idea.strip() and not bar.text:
            bar.fill(idea)

    async def create(self, command: CreateProject) -> None:
        """Start a project and show it."""
        await self._app.opened()
        project_id = await self._app.context.client.submit(command)
        await self._app.bridge.learn_of(project_id)
        self._app.select(project_id)

    async def rehearse(self) -> None:
        """Start the shipped rehearsal; one that is at work already is shown instead."""
        running = [one for one in self._app.bridge.dashboard.in_order() if one.rehearsal and one.running_agents]
        if running or self._rehearsing:
            if running:
                self._app.select(running[0].id)
            self._app.say("A rehearsal is at work already.")
            return
        self._rehearsing = True
        try:
            await self._rehearse()
        finally:
            self._rehearsing = False

    async def _rehearse(self) -> None:
        idea, name = await asyncio.to_thread(self._app.setup.rehearsal_idea)
        await self.create(CreateProject(idea=check_idea(idea, "The rehearsal's idea"), name=name, rehearsal=True))
        self._app.say("A rehearsal: the model is scripted, nothing is sent to Claude, you pay nothing.")

    async def go_on(self, reference: str | None) -> None:
        """Show a project and let it go on; the most recent unfinished one without a `reference`.

        Raises:
            ProjectNotFound, CommandProblem: there is none.
        """
        await self._app.opened()
        client = self._app.context.client
        if reference is None:
            unfinished = [
                one.project
                for one in (await client.snapshot()).projects
                if one.project.status is not PipelineStatus.COMPLETED
            ]
            if not unfinished:
                raise CommandProblem("There is no unfinished project.", hint="Type what you want built.")
            project = max(unfinished, key=lambda one: one.updated_at)
        else:
            project = await client.find_project(reference)
        await self._app.bridge.learn_of(project.id)
        await self._app.commander.resume(self._app.bridge.dashboard.projects[project.id])

    async def submitted(self, form: "NewProjectScreen", command: CreateProject) -> None:
        """The person chose name and folder; what the engine refuses is told on that screen."""
        try:
            await self.create(command)
        except OrchestratorError as error:
            form.refuse(error)
        else:
            if form in self._app.screen_stack:
                form.dismiss(command)

    def _workspace(self) -> Path | None:
        if self._app.setup.is_remote:
            return None
        settings = self._app.live_settings.settings
        named = settings.project.workspace if settings else None
        return named or self._app.setup.workspace
