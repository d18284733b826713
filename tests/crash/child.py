"""The program as the crash matrix runs it: begins or goes on, and kills its whole process group at a given event."""

import asyncio
import logging
import os
import signal
import socket
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentRuntime
from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.compose import open_engine
from orchestrator_tui.database.unit import SqlUnitOfWork
from orchestrator_tui.domain.commands import AnswerRequest, CreateProject, ResumeProject
from orchestrator_tui.domain.errors import AlreadyOwned
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import Choice, PipelineStatus, RequestKind
from orchestrator_tui.engine.bus import Bus
from tests.crash.moments import Moments
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, Watched, launch

COVERED = "covered"
"""The file in a home that names the moments at which a life was killed."""
OWNED_ELSEWHERE = 4
"""The exit code when another process has the project, or may still have it."""


def die() -> None:
    os.killpg(0, signal.SIGKILL)


def die_after(count: int, *, before_commit: bool) -> None:
    """Kill this process group once `count` more events are stored, or when they are just about to be."""
    left = count

    def look(recorded: Sequence[Recorded]) -> None:
        nonlocal left
        left -= len(recorded)
        if left <= 0:
            die()

    _watch(look, before_commit=before_commit)


def die_at_new_moments(
    covered: Path, *, before_commit: bool, kinds: frozenset[str] | None = None, one_in: int = 1
) -> None:
    """Kill this process group at the first moment whose name is not in the file `covered`, which then has it; with
    `kinds` only at events that are called so, and with `one_in` at one in so many, chosen by their names."""
    names = Moments()
    known = set(covered.read_text().splitlines()) if covered.exists() else set[str]()

    def look(recorded: Sequence[Recorded]) -> None:
        named = [(type(one.event).__name__, names.name(one.event)) for one in recorded]
        new = [name for kind, name in named if name not in known and (kinds is None or kind in kinds)]
        new = [name for name in new if zlib.crc32(name.encode()) % one_in == 0]
        if new:
            covered.parent.mkdir(parents=True, exist_ok=True)
            with covered.open("a") as file:
                file.write("".join(f"{name}\n" for name in new))
            die()

    _watch(look, before_commit=before_commit)


def _watch(look: Callable[[Sequence[Recorded]], None], *, before_commit: bool) -> None:
    """Show `look` the events of each transaction, right before it is committed or when they are published."""
    if before_commit:
        store_events = SqlUnitOfWork.store_events

        async def storing(self: SqlUnitOfWork) -> tuple[Recorded, ...]:
            recorded = await store_events(self)
            look(recorded)
            return recorded

        SqlUnitOfWork.store_events = storing  # type: ignore[method-assign]
        return
    publish = Bus.publish

    def publishing(self: Bus, recorded: Sequence[Recorded]) -> None:
        publish(self, recorded)
        look(recorded)

    Bus.publish = publishing  # type: ignore[assignment,method-assign]


async def run(home: Path, url: str, *, real: bool, parallel: int = 1) -> None:
    """Bring the project to its end, as a person who approves whatever is asked."""
    settings: Mapping[str, Any] = {"phases": {"deploy": {"enabled": True}}} if real else FAST
    phases = {**settings["phases"], "implement": {"parallel": parallel}}
    # Each life of a lineage begins sessions of its own.
    agent = {"max_parallel": max(parallel, 3), "max_sessions": 1_000_000}
    settings = {**settings, "phases": phases, "agent": agent}
    start = launch(home, None, autonomy="checkpoint", **settings)
    start = replace(start, environ={**start.environ, "DATABASE_URL": url})
    runtime: AgentRuntime | None = None if real else ReplayRuntime(generated_scenario(2 if parallel == 1 else 5))
    async with open_engine(start, runtime=runtime) as engine:
        watched = Watched(engine=engine)
        projects = await engine.projects()
        if not projects:
            idea = "A checker of Markdown links"
            watched.project_id = await engine.submit(CreateProject(idea=idea, name="crash", rehearsal=True))
        else:
            watched.project_id = projects[0].id
            watched.seen += await engine.latest_events(watched.project_id, limit=1)
            # A completed one, too: its last life may have ended before it gave its lease back.
            if not await approve_all(watched):
                await engine.submit(ResumeProject(project_id=watched.project_id))
        while (await watched.project()).status is not PipelineStatus.COMPLETED:
            status = await watched.until_rest()
            if status is PipelineStatus.PAUSED and not await approve_all(watched):
                overview = await engine.overview(watched.project_id)
                if overview.project.status is PipelineStatus.PAUSED and overview.state.resumes_at is None:
                    raise SystemExit(f"it rests for no person: {overview.state.shutdown_reason}")
            elif status is PipelineStatus.FAILED:
                raise SystemExit("the run failed")


async def approve_all(watched: Watched) -> bool:
    """Approve what waits; whether anything did."""
    waiting = await watched.engine.requests(watched.project_id)
    for request in waiting:
        if request.kind is not RequestKind.APPROVAL:
            raise SystemExit(f"it asks: {request.title}")
        await watched.engine.submit(
            AnswerRequest(request_id=request.id, choice=Choice.APPROVE, content_hash=request.content_hash)
        )
    return bool(waiting)


def live_once(
    home: Path, url: str, events: int, at_new: int, before_commit: bool, real: bool, host: str, parallel: int
) -> None:
    """One life, killed after `events` events if it is not 0, or at the first moment at which none was killed; `host` is
    the name that this host gives itself."""
    # Without a handler Python writes warnings between the lines of the matrix.
    logging.getLogger().addHandler(logging.NullHandler())
    if host:
        socket.gethostname = lambda: host
    if events:
        die_after(events, before_commit=before_commit)
    elif at_new:
        die_at_new_moments(home / COVERED, before_commit=before_commit, one_in=at_new)
    try:
        asyncio.run(run(home, url, real=real, parallel=parallel))
    except AlreadyOwned as owned:
        raise SystemExit(OWNED_ELSEWHERE) from owned
