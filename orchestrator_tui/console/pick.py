"""Finds the projects a command line is about."""

from collections.abc import Sequence

from orchestrator_tui.console.reply import reply
from orchestrator_tui.domain.commands import AnswerRequest
from orchestrator_tui.domain.errors import ProjectNotFound, UsageError
from orchestrator_tui.domain.records import Project, ProjectOverview
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.client import EngineClient

PAGE = 100


async def overviews(engine: EngineClient, reference: str | None) -> Sequence[ProjectOverview]:
    """The project meant by `reference`, or all of them, in order of number.

    Raises:
        ProjectNotFound: there is none.
    """
    if reference is not None:
        return [await engine.overview((await engine.find_project(reference)).id)]
    return [await engine.overview(project.id) for project in await _all(engine)]


async def to_resume(engine: EngineClient, reference: str | None, *, rehearsal: bool = False) -> Project:
    """The project meant by `reference`, or the unfinished one that changed last.

    Raises:
        ProjectNotFound: there is none.
        UsageError: `rehearsal` is wanted, and it is none.
    """
    if reference is not None:
        project = await engine.find_project(reference)
    else:
        unfinished = [p for p in await _all(engine) if p.status is not PipelineStatus.COMPLETED]
        if not unfinished:
            hint = "orchestrator-tui --status lists all; --resume ID checks a finished one again."
            raise ProjectNotFound("There is no unfinished project.", hint=hint)
        project = max(unfinished, key=lambda project: (project.updated_at, project.number))
    if rehearsal and not project.rehearsal:
        raise UsageError(f"{project.name} is no rehearsal.", hint="Resume it without --rehearsal.")
    return project


async def to_stop(engine: EngineClient, reference: str | None, *, naming: str = "--stop ID") -> Project:
    """The project meant by `reference`, or the only one that runs; `naming` is how one of several is named.

    Raises:
        ProjectNotFound: there is none, or several run.
    """
    if reference is not None:
        return await engine.find_project(reference)
    running = await all_running(engine)
    if not running:
        raise ProjectNotFound("No project runs.", hint="orchestrator-tui --status lists all.")
    if len(running) > 1:
        which = ", ".join(f"{project.number} ({project.name})" for project in running)
        raise ProjectNotFound("Several projects run.", hint=f"Name one with {naming}: {which}.")
    return running[0]


async def all_running(engine: EngineClient) -> Sequence[Project]:
    """The projects that run, or are being stopped."""
    return [p for p in await _all(engine) if p.status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING)]


async def newest(engine: EngineClient, reference: str | None) -> Project:
    """The project meant by `reference`, or the one that changed last.

    Raises:
        ProjectNotFound: there is none.
    """
    if reference is not None:
        return await engine.find_project(reference)
    if not (projects := await _all(engine)):
        raise ProjectNotFound("There are no projects yet.", hint="Start one: orchestrator-tui --rehearsal.")
    return max(projects, key=lambda project: (project.updated_at, project.number))


async def answer(engine: EngineClient, project: Project, changes: str | None) -> AnswerRequest:
    """The answer to what waits in a project: a yes, or `changes`.

    Raises:
        UsageError: nothing waits, or a plain yes does not answer it.
    """
    waiting = await engine.requests(project.id)
    if not waiting:
        raise nothing_waits(await engine.overview(project.id))
    return reply(waiting[0], changes)


def nothing_waits(overview: ProjectOverview) -> UsageError:
    """Why there is nothing to answer in a project, and what to do instead."""
    project, owner = overview.project, overview.state.owner
    resume = f"orchestrator-tui --resume {project.number}"
    if project.status in (PipelineStatus.RUNNING, PipelineStatus.STOPPING):
        where = f"running in {owner}" if owner else "running elsewhere"
        hint = f"Wait until it asks, or stop it there; if that process is gone, {resume} takes over."
        return UsageError(f"{project.name} is {where}; nothing waits for an answer.", hint=hint)
    hint = f"{resume} goes on without an answer."
    return UsageError(f"Nothing waits for an answer in {project.name}.", hint=hint)


async def _all(engine: EngineClient) -> list[Project]:
    found: list[Project] = []
    while page := await engine.projects(after=found[-1].number if found else 0, limit=PAGE):
        found += page
    return found
