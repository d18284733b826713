"""One project that is killed again and again until it is finished, and what must then be as if nothing had happened."""

import asyncio
import hashlib
import itertools
import os
import random
import signal
import subprocess
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator_tui.database.base import Store
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import AgentStatus, PhaseStatus, PipelineStatus, WorkItemStatus
from orchestrator_tui.engine.machine import allowed
from tests.crash.child import COVERED, OWNED_ELSEWHERE, live_once
from tests.crash.moments import moments_of
from tests.lives import life

MOST_LIVES = 3000
LONGEST_LIFE = 900.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Death:
    """When a life ends: after so many events, or at the first moment at which no life of its lineage has ended, right
    before that is committed or right after; or after so many seconds, wherever it is then. `at_new` is 0 when it does
    not end at such a moment, 1 when it may be any of them, and N when one in N of them is meant."""

    events: int = 0
    at_new: int = 0
    before_commit: bool = False
    seconds: float | None = None


@dataclass(slots=True)
class Outcome:
    """What a finished project is."""

    items: Counter[tuple[str, str]] = field(default_factory=Counter)
    files: dict[str, str] = field(default_factory=dict)
    commits: Counter[str] = field(default_factory=Counter)
    handoffs: Counter[tuple[str, str]] = field(default_factory=Counter)
    approvals: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Lineage:
    """A project's lives. `covered` names the moments at which they ended, `moments` all that its events tell of.
    `seconds_to_go_on` is from each kill to the first event of the next life."""

    outcome: Outcome
    kills: int
    events: int
    covered: frozenset[str]
    moments: Counter[str]
    seconds_to_go_on: list[float]


def live(
    home: Path,
    url: str,
    deaths: Iterator[Death],
    *,
    real: bool = False,
    parallel: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> Lineage:
    """Run the project with so many implementers, dying as told, until it is finished."""
    killed_at: list[float] = []
    for _ in range(MOST_LIVES):
        code = one_life(home, url, next(deaths, None), real=real, parallel=parallel)
        if code == 0:
            outcome, recorded = asyncio.run(outcome_of(url))
            told = home / COVERED
            covered = frozenset(told.read_text().splitlines() if told.exists() else ())
            moments = moments_of(recorded)
            return Lineage(outcome, len(killed_at), len(recorded), covered, moments, _waits(recorded, killed_at))
        if code != -signal.SIGKILL:
            raise AssertionError(f"a life ended with {code}")
        killed_at.append(time.time())
        progress()
    raise AssertionError("it never got finished")


def _waits(recorded: Sequence[Recorded], killed_at: Sequence[float]) -> list[float]:
    """The seconds from each kill to the first event after it."""
    times = [one.at.timestamp() for one in recorded]
    found = ((bisect_right(times, moment), moment) for moment in killed_at)
    return [times[index] - moment for index, moment in found if index < len(times)]


def live_as_planned(
    home: Path, url: str, plan: Callable[[], Iterator[Death]], real: bool, parallel: int = 1
) -> Lineage:
    """As `live`, for another process: `plan` makes the deaths there."""
    return live(home, url, plan(), real=real, parallel=parallel)


def deaths_at_every_moment(before_commit: bool, one_in: int = 1) -> Iterator[Death]:
    """Each life ends at the first moment at which none has ended yet: what a start does again is not killed again, so
    each gets on, be it by a single event."""
    return itertools.repeat(Death(at_new=one_in, before_commit=before_commit))


def random_deaths(seed: int) -> Iterator[Death]:
    """Lives of random lengths, longer and longer, so that it gets finished on any machine."""
    source = random.Random(seed)
    for number in itertools.count():
        yield Death(seconds=source.uniform(1.5, 12) * 1.05**number)


def seconds_until_taken_over(home: Path, url: str, death: Death) -> float:
    """How long a project of a host that died waits: nobody sees that its process is gone, so its lease must expire."""
    if one_life(home, url, death, real=False, host="far-away") != -signal.SIGKILL:
        raise AssertionError("it was not killed")
    killed_at = time.time()
    if asyncio.run(owner_in(url)) is None:
        raise AssertionError("it had given its lease back")
    # A fresh lease is believed at once: its owner is said to run the project.
    while (code := one_life(home, url, None, real=False)) == OWNED_ELSEWHERE and time.time() - killed_at < 300:
        pass
    if code != 0:
        raise AssertionError(f"it did not get finished: {code}")
    return asyncio.run(first_event_after(url, killed_at, events.LeaseTaken)) - killed_at


def one_life(home: Path, url: str, death: Death | None, *, real: bool, host: str = "", parallel: int = 1) -> int:
    death = death or Death()
    with life(live_once, home, url, death.events, death.at_new, death.before_commit, real, host, parallel) as process:
        process.join(LONGEST_LIFE if death.seconds is None else death.seconds)
        if process.exitcode is None:
            assert process.pid is not None
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        assert process.exitcode is not None
        return process.exitcode


async def owner_in(url: str) -> str | None:
    """Who has the project in this database."""
    async with open_store(url) as store:
        (project,) = await store.list_projects()
        return (await store.pipeline_state(project.id)).owner


async def first_event_after(url: str, moment: float, kind: type[object] = object) -> float:
    async with open_store(url) as store:
        for recorded in await store.events(limit=100_000):
            if recorded.at.timestamp() > moment and isinstance(recorded.event, kind):
                return recorded.at.timestamp()
    return moment


async def outcome_of(url: str) -> tuple[Outcome, Sequence[Recorded]]:
    """What became of the project in this database, and all its events."""
    async with open_store(url) as store:
        (project,) = await store.list_projects()
        outcome, recorded = await outcome_in(store, project)
        outcome.problems += gaps(recorded)
        return outcome, recorded


async def outcome_in(store: Store, project: Project) -> tuple[Outcome, Sequence[Recorded]]:
    """What became of one of the projects in a store, and all its events."""
    outcome = Outcome()
    items = await store.list_items(project.id, limit=5000)
    outcome.items = Counter((item.title, item.status.value) for item in items)
    for item in items:
        comments = await store.list_comments(item.id)
        outcome.handoffs.update((item.title, one.content) for one in comments if one.author == "developer")
    directory = Path(project.directory)
    outcome.files = files_of(directory)
    outcome.commits = Counter(git(directory, "log", "--format=%s").splitlines())
    recorded = await store.events(project_id=project.id, limit=100_000)
    outcome.approvals = approvals_in(recorded)
    sessions = await store.list_sessions(project.id, limit=5000)
    state = await store.pipeline_state(project.id)
    problems = outcome.problems
    if project.status is not PipelineStatus.COMPLETED:
        problems.append(f"the project is {project.status}")
    ended = (PhaseStatus.COMPLETED, PhaseStatus.SKIPPED)
    problems += [f"{one.phase} is {one.status}" for one in state.phases.values() if one.status not in ended]
    problems += [f"{item.key} is {item.status}" for item in items if item.status is not WorkItemStatus.DONE]
    problems += [f"session {one.session_number} still runs" for one in sessions if one.status is AgentStatus.RUNNING]
    problems += [f"{one.title} still waits" for one in await store.open_requests(project.id)]
    problems += [] if state.owner is None else [f"{state.owner} still has it"]
    problems += [f"uncommitted: {line}" for line in git(directory, "status", "--porcelain").splitlines()]
    problems += impossible(recorded)
    return outcome, recorded


def approvals_in(recorded: Sequence[Recorded]) -> Counter[str]:
    """How often each thing was approved, by what it is called."""
    asked = {one.event.request_id: one.event for one in recorded if isinstance(one.event, events.InputRequested)}
    answers = (one.event for one in recorded if isinstance(one.event, events.InputAnswered))
    return Counter(asked[answer.request_id].title for answer in answers)


def broken_history(recorded: Sequence[Recorded]) -> Iterator[str]:
    """What all the stored events of one project say that cannot be."""
    yield from gaps(recorded)
    yield from impossible(recorded)


def gaps(recorded: Sequence[Recorded]) -> Iterator[str]:
    """What is missing among all the events of a store."""
    expected = 1
    for one in recorded:
        if one.seq != expected:
            yield f"event {one.seq} where {expected} should be"
        expected = one.seq + 1


def impossible(recorded: Sequence[Recorded]) -> Iterator[str]:
    """What the events of one project say that cannot be."""
    status: dict[str, object] = {}
    begun: set[str] = set()
    for one in recorded:
        match one.event:
            case events.PipelineStatusChanged(old=old, new=new):
                name = "pipeline"
            case events.PhaseStatusChanged(phase=phase, old=old, new=new):
                name = phase.value
            case events.WorkItemStatusChanged(key=key, old=old, new=new):
                name = key
            case events.AgentStarted(agent_id=agent_id):
                begun.add(agent_id)
                continue
            case events.AgentFinished(agent_id=agent_id):
                begun.discard(agent_id)
                continue
            case _:
                continue
        if status.get(name, old) != old:
            yield f"event {one.seq}: {name} was {status[name]}, not {old}"
        if not allowed(old, new):
            yield f"event {one.seq}: {name} went from {old} to {new}"
        status[name] = new
    if begun:
        yield f"{len(begun)} agents never finished"


def files_of(directory: Path) -> dict[str, str]:
    names = git(directory, "ls-files").splitlines()
    return {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in names}


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(directory), *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def differences(calm: Outcome, killed: Outcome) -> list[str]:
    """What a killed project has that the undisturbed one has not, or the other way round."""
    found = list(killed.problems)
    found += _differ("items", calm.items, killed.items)
    for name in sorted(calm.files.keys() | killed.files.keys()):
        if calm.files.get(name) != killed.files.get(name):
            found.append(f"file {name} differs")
    found += _differ("commits", calm.commits, killed.commits)
    found += _differ("approvals", calm.approvals, killed.approvals)
    found += _differ("handoff notes", calm.handoffs, killed.handoffs)
    return found


def _differ(what: str, calm: "Counter[Any]", killed: "Counter[Any]") -> list[str]:
    missing, more = calm - killed, killed - calm
    return [f"{what}: missing {dict(missing)}, too many {dict(more)}"] if missing or more else []
