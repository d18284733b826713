"""Carries out what a person types or presses: one place for slash commands, keys and the palette."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, assert_never

from orchestrator_tui.adapters.idea import check_idea
from orchestrator_tui.domain import limit_words, standing
from orchestrator_tui.domain.commands import (
    AnswerRequest,
    Command,
    ResumeProject,
    SetLimit,
    SetPriority,
    StopProject,
    SyncTracker,
)
from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.ownership import elsewhere
from orchestrator_tui.domain.priority import HIGHEST, LOWEST
from orchestrator_tui.domain.records import InputRequest
from orchestrator_tui.domain.statuses import Choice, PauseReason, PhaseName, PipelineStatus, RequestKind
from orchestrator_tui.domain.words import title
from orchestrator_tui.tui import slash
from orchestrator_tui.tui.commands import Kind
from orchestrator_tui.tui.context import BY, Context
from orchestrator_tui.tui.limit_change import parse_limit
from orchestrator_tui.tui.opening import Opening
from orchestrator_tui.tui.shell import Shell
from orchestrator_tui.tui.slash import Call, CommandProblem, Nothing, Sentence, Steer
from orchestrator_tui.tui.speaking import Speaking
from orchestrator_tui.tui.values import agent_name, agents_of
from orchestrator_tui.tui.view import ProjectView

WITHOUT_ENGINE = frozenset({"help", "config", "theme", "quit"})
"""Commands that work while there is no engine."""

AT_ONCE = 0.5
"""Seconds; what takes longer is announced."""


class Commander:
    """Every method raises `OrchestratorError` when it cannot be done; the error says why and what to do."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.speaking = Speaking(shell, self.project, self.submit)
        self._call: dict[str, Callable[[Call], Any]] = {
            "projects": self._projects,
            "status": self._status,
            "resume": self._resume,
            "stop": self._stop,
            "approve": self._approve,
            "reject": self._reject,
            "edit": self._edit,
            "view": self._view,
            "logs": self._logs,
            "items": self._items,
            "sync": self._sync,
            "note": self.speaking.note,
            "interrupt": self.speaking.interrupt,
            "permissions": self._permissions,
            "diff": self._diff,
            "cost": self._cost,
            "limit": self._limit,
            "priority": self._priority,
            "retry": self._retry,
            "skip": self._skip,
            "config": self._config,
            "theme": self._theme,
            "workers": self._workers,
            "replay": self._replay,
            "help": self._help,
            "quit": self._quit,
        }

    async def carry_out(self, text: str) -> None:
        """Do what a line of the input bar says."""
        given = slash.parse(text)
        match given:
            case Nothing():
                return
            case Sentence(text=words, meant=None):
                await self._shell.open_new_project(check_idea(words))
            case Sentence(meant=meant):
                raise CommandProblem(
                    f"{words_of(given)} alone is a command.",
                    hint=f"Type /{meant} for it, or say more of what to build.",
                )
            case Call():
                if given.command.name not in WITHOUT_ENGINE:
                    await self._engine()
                call = await self._resolved(given)
                await self._call[call.command.name](call)
            case Steer():
                await self._engine()
                await self.speaking.steer(given)
            case _:
                assert_never(given)

    async def _engine(self) -> Context:
        await self._shell.opened()
        return self._shell.context

    async def _resolved(self, call: Call) -> Call:
        """Arguments as values that exist; a project may be one that is not loaded, or named by its slug or id."""
        bridge = self._shell.bridge
        try:
            resolved = slash.resolve(call, self._shell.values, {Kind.PROJECT: bridge.dashboard.total})
        except CommandProblem:
            argument = next((a.name for a in call.command.arguments if a.kind is Kind.PROJECT), "")
            number = await self._number_known_to_the_engine(call.get(argument))
            if number is None:
                raise
            values = tuple((name, number if name == argument else text) for name, text in call.values)
            resolved = slash.resolve(replace(call, values=values), self._shell.values)
        assert isinstance(resolved, Call)
        return resolved

    async def _number_known_to_the_engine(self, reference: str | None) -> str | None:
        if reference is None:
            return None
        try:
            project = await self._shell.context.client.find_project(reference)
        except OrchestratorError:
            return None
        number = str(project.number)
        # What begins an id is no number of a project.
        if reference.isdigit() and reference != number:
            return None
        await self._shell.bridge.learn_of(project.id)
        return number

    # Projects

    def project(self, call: Call | None = None) -> ProjectView:
        """The project an `id` names, or the selected one.

        Raises:
            CommandProblem: there is none.
        """
        number = call.get("id") if call else None
        if number is not None:
            return next(one for one in self._shell.bridge.dashboard.projects.values() if str(one.number) == number)
        if self._shell.selected is None:
            raise CommandProblem("There is no project yet.", hint="Type what you want built and press Enter.")
        return self._shell.selected

    async def submit(self, command: Command) -> None:
        """Have the engine do something."""
        await self._shell.context.client.submit(command)

    async def _projects(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.projects import ProjectsPage

        self._shell.open_page(ProjectsPage(self._shell.context))

    async def _status(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.status import StatusPage

        self._shell.open_page(StatusPage(self._shell.context, self.project(call).id))

    async def _resume(self, call: Call) -> None:
        await self.resume(self.project(call))

    async def resume(self, project: ProjectView) -> None:
        """Let a project go on; one that waits for an answer shows its question."""
        self._shell.select(project.id)
        request = await self._request_of(project)
        if request is not None and request.kind is not RequestKind.ERROR_DECISION:
            self._shell.open_question(request)
            return
        await self.submit(ResumeProject(project_id=project.id))
        status = (await self._shell.context.client.overview(project.id)).project.status
        done = status is project.status is PipelineStatus.COMPLETED
        self._shell.say(f"{project.name} is finished: nothing is left to do." if done else f"{project.name} goes on.")

    async def _stop(self, call: Call) -> None:
        await self.stop(self.project(call))

    async def stop(self, project: ProjectView) -> None:
        """Stop a project gracefully."""
        stopping = asyncio.create_task(self.submit(StopProject(project_id=project.id)), name="stop")
        if not (await asyncio.wait({stopping}, timeout=AT_ONCE))[0]:
            self._shell.say(f"Stopping {project.name}: its agents end, everything is stored.")
        await stopping
        overview = await self._shell.context.client.overview(project.id)
        if process := elsewhere(overview.state.owner, overview.project.status):
            self._shell.say(f"{project.name} runs in {process}, which was asked to stop it.")
            return
        phase = overview.project.current_phase
        where = f" at {title(phase)}" if phase else ""
        self._shell.say(f"{project.name} is stopped{where}. /resume {project.number} goes on.")

    async def _permissions(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.permissions import PermissionsPage

        self._shell.open_page(PermissionsPage(self._shell.context, self.project(call).id))

    async def _workers(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.workers import WorkersPage

        self._shell.open_page(WorkersPage(self._shell.context))

    async def _replay(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.replay import ReplayPage

        self._shell.open_page(ReplayPage(self._shell.context, self.project(call).id))

    async def _cost(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.cost import CostPage

        chosen = self.project(call).id if call.get("id") or self._shell.selected else None
        self._shell.open_page(CostPage(self._shell.context, chosen))

    async def _limit(self, call: Call) -> None:
        project = self.project()
        if not (text := call.get("change")):
            from orchestrator_tui.tui.screens.cost import CostPage

            self._shell.open_page(CostPage(self._shell.context, project.id))
            return
        change = parse_limit(text)
        await self.submit(
            SetLimit(project_id=project.id, scope=change.scope, resource=change.resource, amount=change.amount, by=BY)
        )
        overview = await self._shell.context.client.overview(project.id)
        goes_on = (overview.project.status, overview.state.shutdown_reason) == (
            PipelineStatus.PAUSED,
            PauseReason.BUDGET,
        )
        if goes_on:
            await self.submit(ResumeProject(project_id=project.id))
        set_to = limit_words.amount_or_none(change.resource, change.amount)
        more = " It goes on." if goes_on else ""
        self._shell.say(f"{project.name}: {limit_words.name(change.scope, change.resource)} is {set_to}.{more}")

    async def _priority(self, call: Call) -> None:
        project, text = self.project(), call.get("number")
        if not text:
            await self._status(call)
            return
        try:
            priority = int(text)
        except ValueError:
            raise CommandProblem(
                f"{text!r} is no priority.", hint=f"A whole number from {LOWEST} to {HIGHEST}: /priority 10."
            ) from None
        await self.submit(SetPriority(project_id=project.id, priority=priority, by=BY))
        counts = standing.priority_counts(await self._shell.context.client.overview(project.id))
        self._shell.say(f"{project.name}: its priority is {priority}. {counts}")

    # What waits for a person

    async def _request_of(self, project: ProjectView) -> InputRequest | None:
        requests = await self._shell.context.client.requests(project.id)
        return requests[0] if requests else None

    async def request(self, *kinds: RequestKind) -> InputRequest:
        """What waits in the selected project, or else in any.

        Raises:
            CommandProblem: nothing of these kinds waits.
        """
        client = (await self._engine()).client
        found: list[InputRequest] = []
        if self._shell.selected is not None:
            found += await client.requests(self._shell.selected.id)
        if not found:
            found += await client.requests()
        fitting = [request for request in found if not kinds or request.kind in kinds]
        if not fitting:
            raise CommandProblem("Nothing waits for that.", hint="/projects shows how every project stands.")
        return fitting[0]

    async def own_request(self, *kinds: RequestKind) -> InputRequest:
        """What waits in the selected project: an answer in words must not reach another one by accident.

        Raises:
            CommandProblem: nothing of these kinds waits there; says who else waits.
        """
        client, project = (await self._engine()).client, self.project()
        fitting = [request for request in await client.requests(project.id) if request.kind in kinds]
        if fitting:
            return fitting[0]
        others = [request for request in await client.requests() if request.kind in kinds]
        known = self._shell.bridge.dashboard.projects
        names = [f"{one.number} ({one.name})" for one in (known.get(other.project_id) for other in others) if one]
        hint = f"Project {names[0]} does: select it first." if names else "/projects shows how every project stands."
        raise CommandProblem(f"{project.name} does not wait for that.", hint=hint)

    async def _answer(self, request: InputRequest, choice: Choice, text: str | None = None) -> None:
        await self.submit(
            AnswerRequest(request_id=request.id, choice=choice, content_hash=request.content_hash, text=text, by=BY)
        )
        await self.answered(request.project_id)

    async def answered(self, project_id: str) -> None:
        """After an answer a project goes on, also one that was stopped while it waited for it."""
        client = self._shell.context.client
        project = (await client.overview(project_id)).project
        if project.status is PipelineStatus.STOPPED and not await client.requests(project_id):
            await self.submit(ResumeProject(project_id=project_id))

    def _name(self, request: InputRequest) -> str:
        project = self._shell.bridge.dashboard.projects.get(request.project_id)
        return project.name if project else "The project"

    async def _approve(self, call: Call) -> None:
        """Yes to content that was on the screen; other content is shown first."""
        request = await self.own_request(RequestKind.APPROVAL)
        if not self._shell.was_shown(request):
            self._shell.open_question(request)
            return
        await self._answer(request, Choice.APPROVE)
        self._shell.say(f"{self._name(request)}: approved. {request.title}")

    async def _reject(self, call: Call) -> None:
        request = await self.own_request(RequestKind.APPROVAL)
        if not (words := call.get("words")):
            self._shell.open_question(request, Opening.CHANGES)
            return
        await self._answer(request, Choice.REQUEST_CHANGES, words)
        self._shell.say(f"{self._name(request)}: changes are asked for; the agents work on them.")

    async def _edit(self, call: Call) -> None:
        await self.edit(Opening.EDIT)

    async def edit(self, opening: Opening) -> None:
        """Open what waits for approval to be edited, here or in $EDITOR."""
        self._shell.open_question(await self.own_request(RequestKind.APPROVAL), opening)

    async def _retry(self, call: Call) -> None:
        hint = call.get("hint")
        try:
            request = await self.own_request(RequestKind.ERROR_DECISION)
        except CommandProblem:
            project = self.project()
            if project.status is not PipelineStatus.FAILED or hint:
                raise
            await self.resume(project)
            return
        await self._answer(request, Choice.RETRY_WITH_HINT if hint else Choice.RETRY, hint)
        self._shell.say(f"{self._name(request)}: it is tried again.")

    async def _skip(self, call: Call) -> None:
        request = await self.own_request(RequestKind.ERROR_DECISION)
        if Choice.SKIP not in request.choices:
            raise CommandProblem(
                "This cannot be left out: what comes after builds on it.",
                hint="/retry tries it again, with a hint if you have one; /stop stops the project.",
            )
        await self._answer(request, Choice.SKIP)
        self._shell.say(f"{self._name(request)}: it is left out.")

    # Looking at things

    async def _view(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.document import DocumentPage

        phase = call.get("phase")
        self._shell.open_page(DocumentPage(self._shell.context, self.project().id, PhaseName(phase) if phase else None))

    async def _logs(self, call: Call) -> None:
        name, agents = call.get("agent"), agents_of(self._shell.bridge)
        if not agents:
            raise CommandProblem("No agent has worked here yet.", hint="Type what you want built and press Enter.")
        self._shell.show_agent(next((agent for agent in agents if agent_name(agent) == name), None))

    async def _items(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.item import ItemPage
        from orchestrator_tui.tui.screens.items import ItemsPage

        project = self.project()
        if key := call.get("item"):
            assert self._shell.bridge.feed is not None
            item = next(item for item in self._shell.bridge.feed.items.values() if item.key == key)
            self._shell.open_page(ItemPage(self._shell.context, project.id, item.id))
            return
        self._shell.open_page(ItemsPage(self._shell.context, project.id))

    async def _sync(self, call: Call) -> None:
        project, client = self.project(call), self._shell.context.client
        await self.submit(SyncTracker(project_id=project.id))
        state = await client.tracker(project.id)
        if state.last_error is not None:
            raise CommandProblem(state.last_error, hint="/status shows how its tracker stands.")
        self._shell.say(f"{project.name}: {standing.sync(state, self._shell.context.clock())}")

    async def _diff(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.diff import DiffPage

        self._shell.open_page(DiffPage(self._shell.context, self.project().id, call.get("item")))

    async def _help(self, call: Call) -> None:
        from orchestrator_tui.tui.screens.help import HelpPage

        self._shell.open_page(HelpPage(self._shell.plain_context, call.get("command")))

    # The program itself

    async def _config(self, call: Call) -> None:
        setting = call.get("setting")
        self._shell.open_settings((setting, call.get("value")) if setting else None)

    async def _theme(self, call: Call) -> None:
        if name := call.get("name"):
            await self._shell.use_theme(name)
        else:
            self._shell.open_themes()

    async def _quit(self, call: Call) -> None:
        self._shell.leave()


def words_of(sentence: Sentence) -> str:
    """A short sentence in quotes."""
    return f"“{sentence.text}”"
