"""Projects on workers that are killed, frozen past their lease and continued, while the database is restarted or hangs;
and what must then be as if nothing had happened."""

import asyncio
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.base import AgentOutput, AgentSession, CalledTool, SessionRequest
from orchestrator_tui.compose import open_engine, open_service
from orchestrator_tui.database.base import Store
from orchestrator_tui.database.repository import open_store
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.errors import StoreUnavailable
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.cluster.clusters import part_of_cluster
from tests.crash.lineage import Outcome, differences, gaps, git, outcome_in
from tests.lives import PATIENCE, life, light_scenario
from tests.own_postgres import OwnPostgres
from tests.replay_runtime import ReplayRuntime, ReplaySession, Scripted

KILL, FREEZE, RESTART, HANG = "kill", "freeze", "restart the database", "freeze the database"
LOOK_SECONDS = 0.5
FINISHED = (PipelineStatus.COMPLETED, PipelineStatus.FAILED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`seconds` is how long an agent takes for each tool call, `between` the longest time between two faults. With
    `sync` each worker has folders of its own and they share a repository; with `lost` these folders go with a worker
    that is killed."""

    projects: int = 12
    workers: int = 3
    items: int = 3
    seconds: float = 1.0
    between: float = 4.0
    stall: float = 5.0
    heartbeat: float = 1.5
    faults: Sequence[str] = ()
    sync: bool = False
    lost: bool = False


@dataclass(slots=True)
class Report:
    """What came of it. `takeovers` are the seconds from each fault of a worker to the moment another had its project,
    or it went on with it by itself because nobody had; `hindered` are those in which there was a further fault: who
    was about to take over was struck, or the database was away."""

    faults: int = 0
    problems: list[str] = field(default_factory=list)
    takeovers: list[float] = field(default_factory=list)
    hindered: list[float] = field(default_factory=list)
    seconds: float = 0.0
    events: int = 0


def at_random(seed: int, count: int) -> Sequence[str]:
    """So many faults in an order of chance."""
    return random.Random(seed).choices((KILL, FREEZE, RESTART, HANG), weights=(4, 4, 1, 1), k=count)


class UnhurriedSession(ReplaySession):
    """Takes its time for each tool call."""

    seconds: float = 1.0

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        async for output in ReplaySession.turn(self, prompt):
            if isinstance(output, CalledTool):
                await asyncio.sleep(self.seconds)
            yield output


@dataclass(frozen=True, slots=True)
class Unhurried(Scripted):
    """Agents that take `seconds` for each tool call."""

    items: int
    seconds: float

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        session = UnhurriedSession(scenario=light_scenario(self.items), request=request)
        session.seconds = self.seconds
        yield session


def worker_life(home: Path, url: str, host: str, plan: Plan, remote: Path | None = None) -> None:
    """A worker process on a host of that name, until it is killed or told to end."""
    socket.gethostname = lambda: host
    asyncio.run(_work(home, url, plan, remote))


async def _work(home: Path, url: str, plan: Plan, remote: Path | None) -> None:
    start = part_of_cluster(home, url, remote=remote, heartbeat_seconds=plan.heartbeat, stall_seconds=plan.stall)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    while not ended.is_set():
        try:
            async with open_service(start, runtime=Unhurried(plan.items, plan.seconds), wakes=True) as service:
                assert service.worker is not None
                await service.worker(plan.projects).run(ended, asyncio.Event())
        except StoreUnavailable:
            # Started while the database was away: whatever starts workers starts them again.
            await asyncio.sleep(LOOK_SECONDS)


@dataclass(slots=True)
class _Hand:
    """A worker of the run, in its `number`-th life."""

    process: ForkServerProcess
    host: str
    home: Path
    frozen: bool = False


class Faults:
    """A run: projects, workers, and what happens to them."""

    def __init__(self, home: Path, database: OwnPostgres, plan: Plan, tell: Callable[[str], None]) -> None:
        self._home = home
        self._database = database
        self._plan = plan
        self._tell = tell
        self._remote = home / "remote" if plan.sync else None
        self._random = random.Random(len(plan.faults))
        self._stack = ExitStack()
        self._hands: list[_Hand] = []
        self._lives = 0
        self._struck: list[tuple[float, str, Sequence[str]]] = []
        self._away: list[tuple[float, float]] = []
        self._thawing: list[asyncio.Task[None]] = []
        self._thawed: list[tuple[float, str]] = []

    async def run(self) -> Report:
        """Carry it all out, and wait until every project is finished."""
        began = time.monotonic()
        calm = await undisturbed(self._home / "calm", self._plan)
        if self._remote is not None:
            self._remote.mkdir()
        ids = await self._create()
        report = Report()
        with self._stack:
            for _ in range(self._plan.workers):
                self._hands.append(self._begin())
            for fault in self._plan.faults:
                await asyncio.sleep(self._random.uniform(self._plan.between / 4, self._plan.between))
                if await self._finished(ids):
                    break
                await self._strike(fault)
                report.faults += 1
            await asyncio.gather(*self._thawing)
            await self._until_finished(ids)
            await self._end()
        await self._look_at(report, calm, ids)
        report.seconds = time.monotonic() - began
        return report

    async def _create(self) -> Sequence[str]:
        start = part_of_cluster(self._home, self._database.url, remote=self._remote)
        async with open_engine(start, runtime=Unhurried(self._plan.items, 0)) as engine:
            return [
                await engine.submit(CreateProject(idea="Small modules", name="demo", rehearsal=True))
                for _ in range(self._plan.projects)
            ]

    def _begin(self, home: Path | None = None) -> _Hand:
        """A worker on a new host, on the disk of `home` or on one that all have, or one of its own."""
        self._lives += 1
        host = f"host-{self._lives}"
        output = self._home / f"{host}.txt"
        if self._remote is None:
            home = self._home
        home = home or self._home / host
        given = (home, self._database.url, host, self._plan, self._remote)
        return _Hand(self._stack.enter_context(life(worker_life, *given, output=output)), host, home)

    def _after(self, killed: _Hand) -> _Hand:
        """The worker that is started in place of one that was killed."""
        if not self._plan.lost:
            return self._begin(killed.home)
        killed.process.join()
        shutil.rmtree(killed.home, ignore_errors=True)
        return self._begin()

    async def _strike(self, fault: str) -> None:
        awake = [number for number, one in enumerate(self._hands) if not one.frozen]
        if fault == HANG:
            await self._hang()
            return
        if fault == RESTART or len(awake) < 2:
            await self._restart()
            return
        number = self._random.choice(awake)
        hand = self._hands[number]
        owned = await self._owned_by(hand.host)
        moment = time.time()
        assert hand.process.pid is not None
        if fault == KILL:
            os.kill(hand.process.pid, signal.SIGKILL)
            self._hands[number] = await asyncio.to_thread(self._after, hand)
        else:
            os.kill(hand.process.pid, signal.SIGSTOP)
            hand.frozen = True
            self._thawing.append(asyncio.create_task(self._thaw(hand), name="thaw"))
        self._struck.append((moment, hand.host, owned))
        self._tell(f"{fault} {hand.host}, which ran {len(owned)} projects")

    async def _thaw(self, hand: _Hand) -> None:
        await asyncio.sleep(self._plan.stall * self._random.uniform(1.5, 2.5))
        assert hand.process.pid is not None
        os.kill(hand.process.pid, signal.SIGCONT)
        hand.frozen = False
        self._thawed.append((time.time(), hand.host))

    async def _restart(self) -> None:
        moment = time.time()
        await self._database.stop()
        await self._database.start()
        self._away.append((moment, time.time()))
        self._tell(f"restarted the database in {time.time() - moment:.1f} s")

    async def _hang(self) -> None:
        """Longer than any lease lasts: afterwards nobody may be taken for silent."""
        moment = time.time()
        with self._database.frozen():
            await asyncio.sleep(self._plan.stall * self._random.uniform(1, 2))
        self._away.append((moment, time.time()))
        self._tell(f"froze the database for {time.time() - moment:.1f} s")

    async def _end(self) -> None:
        for hand in self._hands:
            assert hand.process.pid is not None
            os.kill(hand.process.pid, signal.SIGTERM)
        for hand in self._hands:
            await asyncio.to_thread(hand.process.join, PATIENCE)

    async def _owned_by(self, host: str) -> Sequence[str]:
        async with open_store(self._database.url) as store:
            return [one.project_id for one in await store.roster.wanted() if f" on {host} since" in (one.owner or "")]

    async def _until_finished(self, ids: Sequence[str]) -> None:
        while True:
            if await self._finished(ids):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _finished(self, ids: Sequence[str]) -> bool:
        async with open_store(self._database.url) as store:
            return all([(await store.find_project(one)).status in FINISHED for one in ids])

    async def _look_at(self, report: Report, calm: Outcome, ids: Sequence[str]) -> None:
        async with open_store(self._database.url) as store:
            history = [one async for one in _all_events(store)]
            report.events = len(history)
            report.problems += gaps(history)
            for project_id in ids:
                project = await store.find_project(project_id)
                if self._remote is not None:
                    project = replace(project, directory=str(cloned(self._remote, project, self._home / "clones")))
                outcome, _ = await outcome_in(store, project)
                report.problems += [f"{project.slug}: {one}" for one in differences(calm, outcome)]
        for seconds, hindered in self._takeovers(history):
            (report.hindered if hindered else report.takeovers).append(seconds)

    def _takeovers(self, history: Sequence[Recorded]) -> Iterator[tuple[float, bool]]:
        taken = [(one.project_id, one.at.timestamp()) for one in history if isinstance(one.event, events.LeaseTaken)]
        for moment, host, owned in self._struck:
            thawed = [at for at, of in self._thawed if of == host and at > moment]
            for project_id in owned:
                again = thawed + [at for of, at in taken if of == project_id and at > moment]
                if again:
                    first = min(again)
                    away = any(start < first and end > moment for start, end in self._away)
                    struck = any(moment < further < first for further, _, _ in self._struck)
                    yield first - moment, away or struck


def cloned(remote: Path, project: Project, folder: Path) -> Path:
    """A new clone of what the workers of a project share."""
    (repository,) = remote.glob(f"*{project.id[:8]}.git")
    folder.mkdir(exist_ok=True)
    git(folder, "clone", "-q", str(repository), project.slug)
    return folder / project.slug


async def _all_events(store: Store) -> AsyncIterator[Recorded]:
    after = 0
    while page := await store.events(after_seq=after, limit=1000):
        for one in page:
            yield one
        after = page[-1].seq


async def undisturbed(home: Path, plan: Plan) -> Outcome:
    """What such a project becomes when nothing happens to it."""
    from tests.running import NO_PLANNING, Watched, launch

    async with open_engine(launch(home, None, **NO_PLANNING), runtime=ReplayRuntime(light_scenario(plan.items))) as one:
        run = Watched(engine=one)
        await run.create(name="demo")
        await run.until_rest()
        outcome, _ = await outcome_in(one._store, await run.project())
    return outcome


def share(values: Sequence[float], part: float) -> float:
    """The value that `part` of the values, of which there must be some, do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def summary(report: Report, plan: Plan) -> Mapping[str, Any]:
    """The numbers of a run."""
    found = report.takeovers
    return {
        "faults": report.faults,
        "projects": plan.projects,
        "events": report.events,
        "takeovers": len(found),
        "takeover_p50_seconds": round(share(found, 0.5), 1) if found else None,
        "takeover_p99_seconds": round(share(found, 0.99), 1) if found else None,
        "hindered_takeovers": len(report.hindered),
        "hindered_p50_seconds": round(share(report.hindered, 0.5), 1) if report.hindered else None,
        "hindered_p99_seconds": round(share(report.hindered, 0.99), 1) if report.hindered else None,
        "seconds": round(report.seconds),
    }
