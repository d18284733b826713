"""Carries out an invocation that needs the engine: settings and log first, then the engine, then the front end."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator_tui import background, cli, compose, preflight, start
from orchestrator_tui.adapters.console import ConsoleAdapter
from orchestrator_tui.adapters.idea import check_idea
from orchestrator_tui.adapters.review import InputEnded
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.whereabouts import read_whereabouts
from orchestrator_tui.console import pick, status, stepping, tracker, workers
from orchestrator_tui.console.given_changes import given_changes
from orchestrator_tui.console.interrupts import INTERRUPTED, Interrupts
from orchestrator_tui.console.outlet import Outlet
from orchestrator_tui.console.past import Past, stop_each
from orchestrator_tui.console.run import Run
from orchestrator_tui.console.view import JsonView, NoticesView, PlainView, View
from orchestrator_tui.domain import standing
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.commands import (
    CreateProject,
    DrainWorker,
    ImportProject,
    MoveTracker,
    RemovePermission,
    SetPriority,
    Stepping,
    SyncTracker,
)
from orchestrator_tui.domain.errors import BadIdea, OrchestratorError, ProjectNotFound, WorkerNotFound
from orchestrator_tui.domain.events import ProjectImported, ProjectMoved
from orchestrator_tui.domain.limits import Bounds
from orchestrator_tui.domain.ownership import as_it_is
from orchestrator_tui.domain.records import ProjectOverview, WorkerRecord, permissions_of
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.domain.text import clean
from orchestrator_tui.domain.words import NO_WORKER
from orchestrator_tui.engine.client import EngineClient, as_they_are

Launched = cli.StartProject | cli.ContinueProject | cli.Aside


def launch(invocation: Launched) -> int:
    """Carry out an invocation on the console; returns the exit code.

    Raises:
        OrchestratorError: whatever ended it, in words for people; `Unexpected` when only the log knows more.
    """
    given = start.given(invocation, os.environ)
    with start.in_words(given, invocation):
        return asyncio.run(_carry_out(invocation, given))


async def _carry_out(invocation: Launched, given: Launch) -> int:
    if not isinstance(invocation, cli.StartProject | cli.ImportFolder) and (lost := preflight.missing_database(given)):
        # Only to look must not make an empty one, where somebody may be about to put theirs back.
        if isinstance(invocation, cli.ShowStatus) and invocation.reference is None:
            _print(_status_text([], invocation, {}))
            return 0
        if isinstance(invocation, cli.UseWorkers):
            if invocation.drain is not None:
                raise WorkerNotFound(f"There is no worker {invocation.drain!r}.", hint=NO_WORKER)
            _print(_workers_text([], invocation))
            return 0
        hint = "Start a project first. If there was a database: orchestrator-tui import FOLDER builds a project again."
        raise ProjectNotFound(f"There is no project: {lost} does not exist.", hint=hint)
    if isinstance(invocation, cli.ShowStatus):
        async with compose.open_client(given) as engine:
            overviews = await as_they_are(engine, await pick.overviews(engine, invocation.reference))
            bounds = {
                one.project.id: await engine.bounds(one.project.id)
                for one in overviews
                if invocation.reference is not None or one.project.status is not PipelineStatus.COMPLETED
            }
        _print(_status_text(overviews, invocation, bounds))
        if not invocation.options.json and given.connect is None and (server := read_whereabouts(given.paths)):
            _print(f"The background server is at {server.url}\n")
        return 0
    if isinstance(invocation, cli.ShowPermissions):
        _print(await _permissions(invocation, given))
        return 0
    if isinstance(invocation, cli.StepIn):
        async with compose.open_client(given) as engine:
            _print(await _step_in(invocation, engine))
        return 0
    if isinstance(invocation, cli.ImportFolder):
        _print(await _import(invocation, given))
        return 0
    if isinstance(invocation, cli.UseTracker):
        async with compose.open_engine(given) as engine:
            told, code = await _use_tracker(invocation, engine)
        _print(told)
        return code
    if isinstance(invocation, cli.UseWorkers):
        async with compose.open_client(given) as engine:
            _print(await _use_workers(invocation, engine))
        return 0
    async with _front(invocation, given) as front:
        match invocation:
            case cli.StartProject():
                return await _start(invocation, given, front)
            case cli.ContinueProject():
                return await _continue(invocation, given, front)
            case cli.StopRunning(all=True):
                return await _stop_all(invocation, given, front)
            case cli.StopRunning():
                return await _stop(invocation, given, front)
            case cli.ShowLogs():
                return await _logs(invocation, given, front)


async def _permissions(invocation: cli.ShowPermissions, given: Launch) -> str:
    """The commands allowed for good in a project, one a line, after taking one back if wanted."""
    async with compose.open_engine(given) as engine:
        project = await pick.newest(engine, invocation.reference)
        if invocation.remove is not None:
            await engine.submit(RemovePermission(project_id=project.id, pattern=invocation.remove, by="console"))
        patterns = permissions_of((await engine.find_project(project.id)).config)
    if invocation.options.json:
        told = {"type": "permissions", "project": project.number, "patterns": patterns}
        return json.dumps(told, ensure_ascii=False) + "\n"
    if not patterns:
        return f"{project.name}: no command is allowed for good.\n"
    return "".join(f"{clean(pattern)}\n" for pattern in patterns)


async def _step_in(invocation: cli.StepIn, engine: EngineClient) -> str:
    """Say something to agents; returns what there is to say about it."""
    command: Stepping
    if invocation.action == "note":
        project = await pick.to_resume(engine, invocation.reference)
        command, told = await stepping.note(engine, project, invocation.text, invocation.item)
    else:
        project = await pick.to_stop(engine, invocation.reference, naming="--project ID")
        overview = as_it_is(await engine.overview(project.id))
        keys = await stepping.keys(engine, project)
        if invocation.action == cli.INTERRUPT:
            command, told = stepping.interrupt(overview, invocation.agent, keys)
        else:
            command, told = stepping.steer(overview, invocation.text, invocation.agent, keys)
    await engine.submit(command)
    if invocation.options.json:
        return json.dumps(stepping.as_json(command, project, told), ensure_ascii=False) + "\n"
    return f"{clean(project.name)}: {clean(told)}\n"


async def _import(invocation: cli.ImportFolder, given: Launch) -> str:
    """Build a project again; returns what there is to say about it."""
    async with compose.open_client(given) as engine:
        before = (await engine.snapshot(limit=1)).seq
        folder = str(_folder(invocation, given))
        project_id = await engine.submit(ImportProject(directory=folder, new_repository=invocation.new_repository))
        overview = await engine.overview(project_id)
        happened = [one.event for one in await engine.events(after_seq=before, project_id=project_id)]
    told = next((event for event in happened if isinstance(event, ProjectImported | ProjectMoved)), None)
    if isinstance(told, ProjectImported):
        as_json, lines = status.imported_json(overview, told, now()), status.imported(overview, told, now())
    else:
        as_json, lines = status.as_json(overview, now()), status.taken_up(overview, told, now())
        as_json = {"type": "moved" if told is not None else "new_repository", **as_json}
    return (json.dumps(as_json, ensure_ascii=False) if invocation.options.json else "\n".join(lines)) + "\n"


async def _use_tracker(invocation: cli.UseTracker, engine: EngineClient) -> tuple[str, int]:
    """Look at a project's tracker, sync it, or move its items; returns what there is to say, and how it ends."""
    project, as_json = await pick.newest(engine, invocation.reference), invocation.options.json
    if invocation.action == "move":
        assert invocation.to is not None
        if invocation.dry_run:
            planned = await engine.tracker_plan(project.id, invocation.to)
            if as_json:
                return json.dumps({"type": "tracker_plan", "lines": list(planned)}, ensure_ascii=False) + "\n", 0
            return "\n".join([*planned, "Nothing was done."]) + "\n", 0
        await engine.submit(MoveTracker(project_id=project.id, kind=invocation.to, force=invocation.force))
    elif invocation.action == "sync":
        await engine.submit(SyncTracker(project_id=project.id))
    overview, state = await engine.overview(project.id), await engine.tracker(project.id)
    # Whoever syncs in a script has to learn that something was refused, or could not be sent.
    code = 1 if invocation.action == "sync" and state.last_error is not None else 0
    if as_json:
        return json.dumps(tracker.as_json(overview.project, state), ensure_ascii=False) + "\n", code
    return "\n".join([*tracker.lines(overview.project, state), *tracker.to_be_done(overview)]) + "\n", code


async def _use_workers(invocation: cli.UseWorkers, engine: EngineClient) -> str:
    """Have a worker drain, if one is named; returns what there is to say about them all."""
    if invocation.drain is not None:
        await engine.submit(DrainWorker(worker=invocation.drain))
    return _workers_text(await engine.workers(), invocation)


def _workers_text(found: Sequence[WorkerRecord], invocation: cli.UseWorkers) -> str:
    if invocation.options.json:
        return json.dumps({"type": "workers", "workers": to_plain(found)}, ensure_ascii=False) + "\n"
    return "\n".join(workers.lines(found)) + "\n"


def _folder(invocation: cli.ImportFolder, given: Launch) -> Path:
    # Unlike `Path.expanduser`, it leaves the home of an unknown user alone.
    return given.cwd / os.path.expanduser(invocation.folder)  # noqa: PTH111


def _print(text: str) -> None:
    """Write `text` to standard output.

    Raises:
        OrchestratorError: it could not be written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritten(error) from error


def _unwritten(error: OSError) -> OrchestratorError:
    return OrchestratorError(f"The output could not be written: {error.strerror or error}.")


def _status_text(overviews: Sequence[ProjectOverview], asked: cli.ShowStatus, bounds: Mapping[str, Bounds]) -> str:
    """`bounds` are those of each project that is not finished, or is asked for, by its id."""
    if asked.options.json:
        told = [status.as_json(overview, now(), bounds.get(overview.project.id)) for overview in overviews]
        return json.dumps(told, indent=2) + "\n"
    if asked.reference is None:
        lines = status.listing(overviews, bounds)
    else:
        lines = status.detail(overviews[0], now(), bounds[overviews[0].project.id], connect=asked.options.connect)
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, kw_only=True)
class Front:
    """The console of this run. `adapter` is None when nobody can be asked."""

    view: View
    interrupts: Interrupts
    outlet: Outlet
    adapter: ConsoleAdapter | None


@asynccontextmanager
async def _front(invocation: Launched, given: Launch) -> AsyncIterator[Front]:
    """The console; a reader that went away asks for an orderly end, a full disk is an error.

    Raises:
        OrchestratorError: the output could not be written.
    """
    async with Interrupts() as interrupts:
        async with Outlet(interrupts.ask) as outlet:
            terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
            adapter = ConsoleAdapter(sys.stdin.buffer, sys.stdout, given.environ) if terminal else None
            view = _view(outlet, given.environ, as_json=invocation.options.json)
            interrupts.before_leaving = view.leave
            yield Front(
                view=view,
                interrupts=interrupts,
                outlet=outlet,
                adapter=adapter if getattr(invocation, "interactive", False) else None,
            )
        if outlet.error is not None and not isinstance(outlet.error, BrokenPipeError):
            raise _unwritten(outlet.error) from outlet.error


def _view(outlet: Outlet, environ: Mapping[str, str], *, as_json: bool) -> View:
    if as_json:
        return JsonView(outlet, sys.stdout.fileno(), sys.stderr.fileno())
    if not sys.stdout.isatty() or environ.get("TERM", "dumb") == "dumb":
        return PlainView(outlet, sys.stdout.fileno())
    # Imported here: rich is of no use to the other two.
    from orchestrator_tui.console.terminal import TerminalView, make_console

    return TerminalView(outlet, make_console())


async def _start(invocation: cli.StartProject, given: Launch, front: Front) -> int:
    scenario = await asyncio.to_thread(start.scenario, invocation.rehearsal)
    idea, name = invocation.idea, None
    if idea is None and scenario is not None:
        idea, name = check_idea(scenario.idea, f"The idea of {scenario.source}"), scenario.project_name
    if idea is None:
        idea = await _asked_idea(front)
    if idea is None:
        return INTERRUPTED
    project = given.settings().project
    command = CreateProject(
        idea=idea,
        name=project.name or name,
        directory=_directory(invocation, given),
        rehearsal=scenario is not None,
    )
    async with compose.open_client(given) as engine:
        if front.interrupts.wanted.is_set():
            return INTERRUPTED
        return await _run(engine, front, given).start(command)


def _directory(invocation: cli.StartProject, given: Launch) -> str | None:
    """The project's folder. That of the settings is one of this machine, which a server knows nothing of."""
    if given.connect is not None:
        return invocation.directory
    directory = given.settings().project.directory
    return str(directory) if directory else None


async def _continue(invocation: cli.ContinueProject, given: Launch, front: Front) -> int:
    async with compose.open_client(given) as engine:
        project = await pick.to_resume(engine, invocation.reference, rehearsal=invocation.rehearsal is not None)
        for change in given_changes(project.id, given.overrides):
            await engine.submit(change)
            if isinstance(change, SetPriority):
                counts = standing.priority_counts(await engine.overview(project.id))
                await front.view.notice([f"{project.name}: its priority is {change.priority}. {counts}"])
        answer = None
        if invocation.approve or invocation.changes is not None:
            answer = await pick.answer(engine, project, invocation.changes)
        return await _run(engine, front, given).resume(project.id, answer)


async def _stop(invocation: cli.StopRunning, given: Launch, front: Front) -> int:
    async with compose.open_client(given) as engine:
        project = await pick.to_stop(engine, invocation.reference)
        front.interrupts.go_on = go_on = status.resume_command(project, given.connect)
        stopping = asyncio.create_task(Past(engine, front.view, project).stop(), name="stop")
        if not await _unless_interrupted(stopping, front):
            return INTERRUPTED
        rests = stopping.result()
        await front.view.notice([f"{project.name}: {rests.value}. Go on with: {go_on}"])
        return 0


async def _stop_all(invocation: cli.StopRunning, given: Launch, front: Front) -> int:
    """Stop every project that runs, then end the background server."""
    view = front.view if invocation.options.json else NoticesView(front.outlet, front.view)
    async with compose.open_client(given) as engine:
        running = await pick.all_running(engine)
        stopping = asyncio.create_task(stop_each(engine, view, running, given.connect), name="stop")
        if not await _unless_interrupted(stopping, front):
            return INTERRUPTED
    ended = False
    # A server that was named is somebody else's.
    if given.connect is None:

        async def tell(line: str) -> None:
            await view.notice([line])

        ending = asyncio.create_task(background.end_server(given, tell), name="end-server")
        if not await _unless_interrupted(ending, front):
            return INTERRUPTED
        ended = ending.result()
    if ended:
        await view.notice(["The background server has ended."])
    if not (running or ended):
        raise ProjectNotFound("No project runs.", hint=f"{cli.PROGRAM} --status lists all.")
    return 0


async def _logs(invocation: cli.ShowLogs, given: Launch, front: Front) -> int:
    async with compose.open_client(given) as engine:
        project = await pick.newest(engine, invocation.reference)
        past = Past(engine, front.view, project)

        async def show() -> None:
            await past.show()
            if invocation.follow:
                await past.follow()

        shown = asyncio.create_task(show(), name="logs")
        return 0 if await _unless_interrupted(shown, front) else INTERRUPTED


async def _unless_interrupted(work: "asyncio.Task[Any]", front: Front) -> bool:
    """Wait for `work`; False when the person would rather not."""
    interrupted = asyncio.create_task(front.interrupts.wanted.wait(), name="interrupted")
    try:
        await asyncio.wait({work, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        return work.done()
    finally:
        work.cancel()
        interrupted.cancel()
        await asyncio.gather(work, interrupted, return_exceptions=True)


def _run(engine: EngineClient, front: Front, given: Launch) -> Run:
    return Run(
        engine,
        front.view,
        front.interrupts,
        front.adapter,
        on_interrupt=front.outlet.hurry,
        connect=given.connect,
    )


async def _asked_idea(front: Front) -> str | None:
    """The idea a person types; None when they interrupt.

    Raises:
        BadIdea: the input ended without one, or it cannot be used.
    """
    assert front.adapter is not None
    asking = asyncio.create_task(front.adapter.get_initial_idea(), name="ask-idea")
    interrupted = asyncio.create_task(front.interrupts.wanted.wait(), name="interrupted")
    try:
        await asyncio.wait({asking, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        return check_idea(await asking) if asking.done() else None
    except InputEnded as error:
        raise BadIdea("No idea was given.", hint="Nothing was started.") from error
    finally:
        asking.cancel()
        interrupted.cancel()
        await asyncio.gather(asking, interrupted, return_exceptions=True)
